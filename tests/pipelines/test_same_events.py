"""A clip gives the same events in one process and in five."""

from typing import Any

import msgspec
import pytest

from stream_ocr import api
from stream_ocr.events import TextEvent

TOLERANCES = {"confidence": 1e-3, "char_confidences": 1e-3, "polygon": 0.5}
"""Fields that may differ by rounding, with the maximum difference."""


def exact(event: TextEvent, ignored: set[str]) -> dict[str, Any]:
    """Return the fields that must be identical."""
    return {
        name: value
        for name, value in msgspec.structs.asdict(event).items()
        if name not in {*TOLERANCES, *ignored, "emitted_utc"}
    }


def numbers(event: TextEvent, field: str) -> list[float]:
    value = getattr(event, field)
    return [v for point in value for v in point] if field == "polygon" else [value] if field == "confidence" else value


def assert_same(one: list[TextEvent], other: list[TextEvent], *ignored: str) -> None:
    assert [exact(event, {*ignored}) for event in one] == [exact(event, {*ignored}) for event in other]
    for field, within in TOLERANCES.items():
        for a, b in zip(one, other, strict=True):
            assert numbers(a, field) == pytest.approx(numbers(b, field), abs=within), (a.id, field)


def test_read_and_pipeline_give_the_same_events(clip, builtin, by_processes) -> None:
    events = list(api.read(clip.path, builtin))
    assert len(events) >= 8
    assert_same(events, by_processes.events)


def test_pipeline_is_deterministic_also_with_several_files(clip, builtin, by_processes, tmp_path) -> None:
    other = tmp_path / "other.mp4"
    other.symlink_to(clip.path)
    with api.Pipeline([clip.path, other], builtin) as pipeline:
        events = list(pipeline.events())
    assert_same([event for event in events if event.stream == clip.path.name], by_processes.events)
    in_company = [event for event in events if event.stream == other.name]
    assert_same(in_company, by_processes.events, "stream", "id")
    assert not {event.id for event in in_company} & {event.id for event in by_processes.events}


def test_read_yields_events_while_the_file_is_decoded(long_clip, builtin) -> None:
    events = api.read(long_clip, builtin)
    assert next(events).start < 1.0
    events.close()
    assert list(events) == []
