"""Events as readable lines on a terminal."""

import sys
from typing import TextIO

from stream_ocr.events import Event, TextEvent
from stream_ocr.printable import escape_unprintable, is_printable

__all__ = ["ConsoleSink", "escape_unprintable", "format_event", "format_time", "is_printable"]

_COLOURS = {"appeared": "32", "updated": "33", "changed": "36", "ended": "2"}


class ConsoleSink:
    """Writes one line per event: time, kind, track, confidence, text. In colour on a terminal."""

    name = "console"

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out

    def open(self) -> None:
        pass

    def write(self, event: Event) -> None:
        out = self._out or sys.stdout  # looked up for every line: a progress bar replaces sys.stdout while it is shown
        line = format_event(event)
        if out.isatty():
            line = f"\x1b[{_COLOURS.get(event.kind, '35')}m{line}\x1b[0m"
        out.write(line + "\n")
        out.flush()

    def close(self) -> None:
        pass


def format_event(event: Event) -> str:
    """Return the event as one line of plain text."""
    if not isinstance(event, TextEvent):
        return f"{format_time(event.start or 0.0)}  {event.kind:<9} {escape_unprintable(event.reason or '')}".rstrip()
    time_s = event.start if event.end is None else event.end
    text = escape_unprintable(event.text)
    line = f"{format_time(time_s)}  {event.kind:<8}  #{event.track:<4} {event.confidence:4.2f}  {text}"
    return f"{line}  (was {escape_unprintable(event.previous)})" if event.previous is not None else line


def format_time(time_s: float) -> str:
    """Format seconds as h:mm:ss.mmm."""
    sign, total_ms = ("-" if time_s < 0 else ""), round(abs(time_s) * 1000)
    seconds, ms = divmod(total_ms, 1000)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"
