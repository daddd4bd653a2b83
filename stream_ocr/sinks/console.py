"""One readable line per event."""

import sys
import unicodedata
from typing import TextIO

from stream_ocr.events import Event, TextEvent

_COLOURS = {"appeared": "32", "updated": "33", "changed": "36", "ended": "2"}


class ConsoleSink:
    """Events as lines of a table: time, kind, track, confidence, text. In colour on a terminal."""

    name = "console"

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out

    def open(self) -> None:
        pass

    def write(self, event: Event) -> None:
        out = self._out or sys.stdout  # looked up for every line: a progress bar takes its place while it is shown
        line = row(event)
        if out.isatty():
            line = f"\x1b[{_COLOURS.get(event.kind, '35')}m{line}\x1b[0m"
        out.write(line + "\n")
        out.flush()

    def close(self) -> None:
        pass


def row(event: Event) -> str:
    """The event in one line of plain text."""
    if not isinstance(event, TextEvent):
        return f"{clock(event.start or 0.0)}  {event.kind:<9} {printable(event.reason or '')}".rstrip()
    time_s = event.start if event.end is None else event.end
    line = f"{clock(time_s)}  {event.kind:<8}  #{event.track:<4} {event.confidence:4.2f}  {printable(event.text)}"
    return f"{line}  (was {printable(event.previous)})" if event.previous is not None else line


def clock(time_s: float) -> str:
    """Seconds as h:mm:ss.mmm."""
    sign, total_ms = ("-" if time_s < 0 else ""), round(abs(time_s) * 1000)
    seconds, ms = divmod(total_ms, 1000)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"


def printable(text: str) -> str:
    """The text with control characters and those that turn the reading direction escaped.

    What a camera sees must not be able to move the cursor or hide what is before it.
    """
    return "".join(char if harmless(char) else f"\\u{{{ord(char):x}}}" for char in text)


def harmless(char: str) -> bool:
    """Whether a terminal shows the character, and does nothing else."""
    return char == " " or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
