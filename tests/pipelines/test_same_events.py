"""The same clip gives the same events, in one process or in five."""

from typing import Any

import msgspec
import pytest

from stream_ocr import api
from stream_ocr.events import TextEvent

ABOUT = {"confidence": 1e-3, "char_confidences": 1e-3, "polygon": 0.5}
"""Fields that need to be the same but for rounding, and how far they may differ."""


def exact(event: TextEvent, ignored: set[str]) -> dict[str, Any]:
    """The fields that must be the very same."""
    return {
        name: value
        for name, value in msgspec.structs.asdict(event).items()
        if name not in {*ABOUT, *ignored, "emitted_utc"}
    }


def numbers(event: TextEvent, field: str) -> list[float]:
    value = getattr(event, field)
    return [v for point in value for v in point] if field == "polygon" else [value] if field == "confidence" else value


def assert_same(one: list[TextEvent], other: list[TextEvent], *ignored: str) -> None:
    assert [exact(event, {*ignored}) for event in one] == [exact(event, {*ignored}) for event in other]
    for field, within in ABOUT.items():
        for a, b in zip(one, other, strict=True):
            assert numbers(a, field) == pytest.approx(numbers(b, field), abs=within), (a.id, field)


def test_one_process_and_five_give_the_same_events(clip, own, by_processes) -> None:
    events = list(api.read(clip.path, own))
    assert len(events) >= 8
    assert_same(events, by_processes.events)


def test_five_processes_give_the_same_events_each_time_and_in_any_company(clip, own, by_processes, tmp_path) -> None:
    other = tmp_path / "other.mp4"
    other.symlink_to(clip.path)
    with api.Pipeline([clip.path, other], own) as pipeline:
        events = list(pipeline.events())
    assert_same([event for event in events if event.stream == clip.path.name], by_processes.events)
    in_company = [event for event in events if event.stream == other.name]
    assert_same(in_company, by_processes.events, "stream", "id")
    assert not {event.id for event in in_company} & {event.id for event in by_processes.events}


def test_events_come_while_the_file_is_read(long_clip, own) -> None:
    events = api.read(long_clip, own)
    assert next(events).start < 1.0
    events.close()
    assert list(events) == []
