import io

import pytest

from stream_ocr.events import SourceEvent, TextEvent
from stream_ocr.sinks import ConsoleSink
from stream_ocr.sinks.console import escape_unprintable, format_event, format_time


def event(**changes) -> TextEvent:
    fields = {"kind": "appeared", "text": "GATE 4", "start": 61.5, "previous": None} | changes
    polygon = ((0, 0), (1, 0), (1, 1), (0, 1))
    return TextEvent(id="", seq=0, stream="a", track=7, confidence=0.876, polygon=polygon, size=(9, 9), **fields)


def test_format_event_has_time_kind_track_confidence_and_text():
    assert format_event(event()) == "0:01:01.500  appeared  #7    0.88  GATE 4"


def test_format_event_shows_previous_text_of_a_change():
    assert format_event(event(kind="changed", previous="GATE 3")).endswith("GATE 4  (was GATE 3)")


def test_format_event_shows_end_time_of_ended_text():
    assert format_event(event(kind="ended", end=70.0)).startswith("0:01:10.000  ended")


def test_format_event_formats_source_events():
    assert "source.gap" in format_event(SourceEvent(id="", seq=0, kind="source.gap", stream="a", reason="lost"))
    assert format_event(SourceEvent(id="", seq=0, kind="source.up", stream="a", start=1.0)) == "0:00:01.000  source.up"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zürich 東京 €5", "Zürich 東京 €5"),
        ("\x1b[2Jgone", r"\u{1b}[2Jgone"),
        ("a\nb\tc\r", r"a\u{a}b\u{9}c\u{d}"),
        ("abc\u202etxt.exe", r"abc\u{202e}txt.exe"),
        ("\u2066x\u2069", r"\u{2066}x\u{2069}"),
        ("zero\u200bwidth", r"zero\u{200b}width"),
        ("\x9b31m", r"\u{9b}31m"),
    ],
)
def test_escape_unprintable_escapes_control_characters(text, shown):
    assert escape_unprintable(text) == shown


@pytest.mark.parametrize(
    ("time_s", "shown"),
    [(0, "0:00:00.000"), (3599.9996, "1:00:00.000"), (-0.5, "-0:00:00.500"), (36000.1, "10:00:00.100")],
)
def test_format_time(time_s, shown):
    assert format_time(time_s) == shown


def test_console_sink_writes_no_colour_to_a_file():
    out = io.StringIO()
    sink = ConsoleSink(out)
    sink.open()
    sink.write(event())
    sink.close()
    assert out.getvalue() == format_event(event()) + "\n"
