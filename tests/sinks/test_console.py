import io

import pytest

from stream_ocr.events import SourceEvent, TextEvent
from stream_ocr.sinks import ConsoleSink
from stream_ocr.sinks.console import clock, printable, row


def event(**changes) -> TextEvent:
    facts = {"kind": "appeared", "text": "GATE 4", "start": 61.5, "previous": None} | changes
    place = ((0, 0), (1, 0), (1, 1), (0, 1))
    return TextEvent(id="", seq=0, stream="a", track=7, confidence=0.876, polygon=place, size=(9, 9), **facts)


def test_a_line_says_when_what_which_and_how_sure():
    assert row(event()) == "0:01:01.500  appeared  #7    0.88  GATE 4"


def test_a_change_says_what_was_there_before():
    assert row(event(kind="changed", previous="GATE 3")).endswith("GATE 4  (was GATE 3)")


def test_the_end_is_told_with_its_own_time():
    assert row(event(kind="ended", end=70.0)).startswith("0:01:10.000  ended")


def test_source_events_are_lines_too():
    assert "source.gap" in row(SourceEvent(id="", seq=0, kind="source.gap", stream="a", reason="lost"))
    assert row(SourceEvent(id="", seq=0, kind="source.up", stream="a", start=1.0)) == "0:00:01.000  source.up"


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
def test_nothing_on_screen_can_play_with_the_terminal(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("time_s", "shown"),
    [(0, "0:00:00.000"), (3599.9996, "1:00:00.000"), (-0.5, "-0:00:00.500"), (36000.1, "10:00:00.100")],
)
def test_clock(time_s, shown):
    assert clock(time_s) == shown


def test_no_colour_where_nobody_looks():
    out = io.StringIO()
    sink = ConsoleSink(out)
    sink.open()
    sink.write(event())
    sink.close()
    assert out.getvalue() == row(event()) + "\n"
