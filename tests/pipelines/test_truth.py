"""A clip with exact ground truth, read end to end by five processes with the built-in models."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import pytest

from stream_ocr.events import TextEvent
from stream_ocr.models.recognition.calibration import text_confidence

FRAME_S = 0.04
EPSILON_S = 1e-6


class Span(NamedTuple):
    """A text with its start and end."""

    text: str
    start_s: float
    end_s: float


def by_track(events: list[TextEvent]) -> dict[int, list[TextEvent]]:
    """Return the events of each track in order."""
    order = sorted(events, key=lambda event: event.track)  # stable
    return {track: list(group) for track, group in groupby(order, key=lambda event: event.track)}


def spans(events: list[TextEvent]) -> Iterator[Span]:
    """Yield the texts of events; a change ends the previous text of the track."""
    for track_events in by_track(events).values():
        text, start_s = "", 0.0
        for event in track_events:
            if event.kind in ("changed", "ended"):
                end_s = event.start if event.kind == "changed" else event.end
                assert end_s is not None
                yield Span(text, start_s, end_s)
            text, start_s = event.text, event.start


def words(spans_: list[Span]) -> list[Span]:
    return [Span(word.casefold(), start_s, end_s) for text, start_s, end_s in spans_ for word in text.split()]


def matches(wanted: Span, found: list[Span], frames: int) -> bool:
    """Return True if the same text was found at the same time."""
    within_s = frames * FRAME_S + EPSILON_S
    return any(
        span.text.casefold() == wanted.text.casefold()
        and abs(span.start_s - wanted.start_s) <= within_s
        and abs(span.end_s - wanted.end_s) <= within_s
        for span in found
    )


@pytest.fixture(scope="module")
def wanted(clip) -> list[Span]:
    return [Span(segment["text"], segment["start_s"], segment["end_s"]) for segment in clip.truth["segments"]]


@pytest.fixture(scope="module")
def found(by_processes) -> list[Span]:
    return list(spans(by_processes.events))


def test_every_clock_tick_is_reported_within_one_frame(wanted, found) -> None:
    ticks = [span for span in wanted if ":" in span.text]
    assert len(ticks) == 4
    assert [tick for tick in ticks if not matches(tick, found, frames=1)] == []
    assert sum(":" in span.text for span in found) == 4, "once each"


def test_words_are_read_with_high_recall_and_precision(wanted, found) -> None:
    shown, read = words(wanted), words(found)
    recall = sum(matches(word, read, frames=2) for word in shown) / len(shown)
    precision = sum(matches(word, shown, frames=2) for word in read) / len(read)
    assert recall >= 0.8
    assert precision >= 0.8


def test_moving_sign_is_one_track_with_correct_positions(clip, by_processes) -> None:
    (sign,) = (segment for segment in clip.truth["segments"] if segment["text"] == "PLATFORM")
    sign_events = [event for event in by_processes.events if event.text.casefold() == "platform"]
    assert len({event.track for event in sign_events}) == 1
    first, last = sign_events[0], sign_events[-1]
    assert (first.kind, last.kind) == ("appeared", "ended")
    for event, (_, x, y, width, height) in ((first, sign["boxes"][0]), (last, sign["boxes"][-1])):
        centre = [sum(corner[axis] for corner in event.polygon) / 4 for axis in (0, 1)]
        assert centre == pytest.approx([x + width / 2, y + height / 2], abs=12)


def test_events_have_gapless_seq_and_unique_ids(clip, by_processes) -> None:
    events = by_processes.events
    assert [event.seq for event in events] == list(range(len(events)))
    assert len({event.id for event in events}) == len(events)
    assert {(event.stream, event.size, event.schema) for event in events} == {(clip.path.name, (640, 360), 2)}


def test_every_text_appears_once_ends_once_and_names_its_predecessor(by_processes) -> None:
    for track_events in by_track(by_processes.events).values():
        first, *between, last = track_events
        assert (first.kind, first.previous) == ("appeared", None)
        assert (last.kind, last.previous) == ("ended", None)
        assert {event.kind for event in between} <= {"changed", "updated"}
        assert [event.previous for event in between] == [event.text for event in track_events[: len(between)]]
        assert last.text == track_events[-2].text
        assert last.start == track_events[-2].start
        assert last.end is not None
        assert last.end > last.start
        assert all(event.end is None for event in track_events[:-1])
        starts = [event.start for event in track_events if event.kind != "updated"]
        assert starts == sorted(starts)


def test_confidence_follows_from_char_confidences(by_processes) -> None:
    for event in by_processes.events:
        assert len(event.char_confidences) == len(event.text)
        assert event.confidence == pytest.approx(text_confidence(event.char_confidences), abs=2e-3)


def test_summary_reports_counters_and_ratios(by_processes) -> None:
    summary = by_processes.summary
    assert (summary.frames, summary.dropped, summary.damaged, summary.corrupt) == (100, 0, 0, 0)
    assert summary.media_s == pytest.approx(4.0)
    assert 0 < summary.detection_ratio <= 0.25
    assert 0 < summary.reading_ratio <= 0.25
    assert summary.line().startswith("100 frames, 4.0 s of video in ")
