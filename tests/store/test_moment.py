from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stream_ocr.events import SourceEvent
from stream_ocr.store.moment import texts_at
from stream_ocr.store.reader import StoreReader
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import published_event

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def texts(tmp_path: Path) -> Callable[[float], list[str]]:
    """Return what is on the screen at a second after noon; events are published half a second late."""
    rows = [
        ("appeared", 1, "GATE 12", 0.0, None),
        ("appeared", 2, "Boarding", 2.0, None),
        ("updated", 2, "BOARDING", 2.0, None),
        ("changed", 1, "GATE 14", 5.0, None),
        ("ended", 2, "BOARDING", 2.0, 6.0),
    ]
    writer = StoreWriter(tmp_path / "events.db")
    writer.open()
    for seq, (kind, track, text, start, end) in enumerate(rows):
        fields = {"kind": kind, "track": track, "start": start, "end": end, "start_utc": at(start)}
        if end is not None:
            fields["end_utc"] = at(end)
        emitted = at((end or start) + 0.5)
        writer.append([published_event(seq, text, **fields, utc_source="arrival", emitted_utc=emitted)])
    writer.close()

    def read(seconds: float) -> list[str]:
        with StoreReader(tmp_path / "events.db") as store:
            return [event.text for event in texts_at(store, at(seconds))]

    return read


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1.0, []),
        (0.0, ["GATE 12"]),
        (1.9, ["GATE 12"]),
        (2.0, ["GATE 12", "BOARDING"]),
        (4.99, ["GATE 12", "BOARDING"]),
        (5.0, ["BOARDING", "GATE 14"]),
        (5.99, ["BOARDING", "GATE 14"]),
        (6.0, ["GATE 14"]),
        (3600.0, ["GATE 14"]),
    ],
)
def test_texts_at_follows_the_times_of_the_media(texts, seconds: float, expected: list[str]) -> None:
    assert texts(seconds) == expected


def test_texts_of_a_run_that_was_killed_are_not_on_the_screen_of_the_next(tmp_path: Path) -> None:
    writer = StoreWriter(tmp_path / "events.db")
    writer.open()
    writer.append([published_event(0, "LEFT", start=0.0, start_utc=at(0), emitted_utc=at(0), utc_source="arrival")])
    writer.append([SourceEvent(id="up", seq=1, kind="source.up", stream="gate", emitted_utc=at(60))])
    writer.close()
    with StoreReader(tmp_path / "events.db") as store:
        assert [event.text for event in texts_at(store, at(30))] == ["LEFT"]
        assert [event.text for event in texts_at(store, at(90))] == []
