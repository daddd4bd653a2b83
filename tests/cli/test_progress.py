import io
import time
from dataclasses import dataclass

import pytest

from stream_ocr.cli.progress import ProgressDisplay, format_progress


@dataclass
class Position:
    media_s: float = 0.0
    duration_s: float | None = None


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((12.0, 60.0, 6.0), "12.0 of 60.0 s, 2.0 × real time, 0:24 left"),
        ((12.0, None, 6.0), "12.0 s, 2.0 × real time"),
        ((10.0, 36010.0, 1.0), "10.0 of 36010.0 s, 10.0 × real time, 1:00:00 left"),
        ((70.0, 60.0, 10.0), "70.0 of 60.0 s, 7.0 × real time, 0:00 left"),
        ((0.0, 60.0, 0.0), "0.0 of 60.0 s, 0.0 × real time"),
    ],
)
def test_format_progress(arguments, line):
    assert format_progress(*arguments) == line


def test_progress_prints_plain_lines_without_a_terminal():
    out, position = io.StringIO(), Position(duration_s=10.0)
    with ProgressDisplay(lambda: position, out, interval_s=0.02):
        position.media_s = 1.0
        deadline = time.monotonic() + 10
        while "1.0 of 10.0 s" not in out.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "1.0 of 10.0 s" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_progress_prints_nothing_before_the_first_frame():
    out = io.StringIO()
    with ProgressDisplay(lambda: Position(), out, interval_s=0.01):
        time.sleep(0.1)
    assert out.getvalue() == ""


def test_progress_shows_a_bar_on_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out, position = Terminal(), Position(duration_s=10.0)
    with ProgressDisplay(lambda: position, out, interval_s=0.02):
        position.media_s = 2.5
        deadline = time.monotonic() + 10
        while "2.5 of 10.0" not in out.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "2.5 of 10.0" in out.getvalue()
