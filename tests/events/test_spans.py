import pytest
from msgspec import structs

from stream_ocr.events import SourceEvent, TextEvent
from stream_ocr.events.spans import build_spans


def square(x: float, y: float = 0.0):
    return ((x, y), (x + 10, y), (x + 10, y + 5), (x, y + 5))


def event(kind, track, text, start, end=None, x=0.0, stream="a") -> TextEvent:
    return TextEvent(
        id="",
        seq=0,
        kind=kind,
        stream=stream,
        track=track,
        text=text,
        confidence=0.9,
        start=start,
        end=end,
        polygon=square(x),
        size=(100, 100),
    )


def test_build_spans_keeps_the_best_reading():
    (span,) = build_spans(
        [event("appeared", 1, "G4TE", 1.0), event("updated", 1, "GATE", 1.0), event("ended", 1, "GATE", 1.0, 3.0, x=20)]
    )
    assert (span.text, span.start, span.end) == ("GATE", 1.0, 3.0)
    assert span.polygon_at(0.0) == square(0)
    assert span.polygon_at(2.0) == square(10)
    assert span.polygon_at(9.0) == square(20)


def test_changed_ends_one_span_and_starts_the_next():
    found = build_spans(
        [event("appeared", 1, "09:00", 0.0), event("changed", 1, "09:01", 1.0), event("ended", 1, "09:01", 1.0, 2.0)]
    )
    assert [(span.text, span.start, span.end) for span in found] == [("09:00", 0.0, 1.0), ("09:01", 1.0, 2.0)]


@pytest.mark.parametrize("x", [0.0, -10.0, -20.0], ids=["left", "middle", "right"])
def test_replaced_text_keeps_its_size_and_alignment(x):
    longer = ((x, 0.0), (x + 30, 0.0), (x + 30, 5.0), (x, 5.0))
    first, _ = build_spans(
        [event("appeared", 1, "GATE", 0.0), structs.replace(event("changed", 1, "GATES", 1.0), polygon=longer)]
    )
    assert first.polygon_at(0.9) == square(0)


def test_replaced_text_moves_to_the_place_of_its_successor():
    first, _ = build_spans([event("appeared", 1, "09:00", 0.0), event("changed", 1, "09:01", 1.0, x=20)])
    assert first.polygon_at(0.5) == square(10)


def test_build_spans_separates_streams():
    found = build_spans(
        [
            event("appeared", 1, "one", 0.0),
            event("appeared", 1, "two", 0.5, stream="b"),
            event("ended", 1, "one", 0.0, 1.0),
            event("ended", 1, "two", 0.5, 2.0, stream="b"),
        ]
    )
    assert [(span.stream, span.text, span.end) for span in found] == [("a", "one", 1.0), ("b", "two", 2.0)]


def test_span_without_end_lasts_until_the_last_event_of_its_stream():
    found = build_spans(
        [event("appeared", 1, "one", 0.0), event("appeared", 2, "two", 4.0), event("ended", 2, "two", 4.0, 6.0)]
    )
    assert [(span.text, span.end) for span in found] == [("one", 6.0), ("two", 6.0)]


@pytest.mark.parametrize("kind", ["updated", "ended"])
def test_build_spans_accepts_logs_without_the_first_event(kind):
    (span,) = build_spans([event(kind, 1, "late", 1.0, 2.0 if kind == "ended" else None)])
    assert span.text == "late"


def test_build_spans_ignores_source_events():
    assert build_spans([SourceEvent(id="", seq=0, kind="source.up", stream="a")]) == []
