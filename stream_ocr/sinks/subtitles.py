"""SubRip and WebVTT: what is on screen, as subtitles."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pysubs2

from stream_ocr.errors import SinkError
from stream_ocr.events import Event
from stream_ocr.events.spans import Span, Spans
from stream_ocr.sinks.base import reason, refuse_directory

_WORD_JOINER = "\u2060"
SNAP_S = 0.15  # lines that come or go within this time of one another do so together

Lines = Literal["together", "apart"]


@dataclass(frozen=True)
class Cue:
    """Text shown from ``start`` to ``end`` seconds."""

    start: float
    end: float
    text: str


class SubtitleSink:
    """Writes a .srt or .vtt file when it is closed.

    lines: "together" joins all lines on screen at a time, from top to bottom, so that no two subtitles overlap;
    "apart" makes every line a subtitle of its own.
    """

    def __init__(self, path: str | Path, *, lines: Lines = "together", name: str | None = None) -> None:
        self.name = name or str(path)
        self._path = Path(path)
        self._lines = lines
        self._gathered = Spans()
        self._spans: list[Span] = []

    def open(self) -> None:
        refuse_directory(self._path)
        try:
            self._path.write_bytes(b"")
        except OSError as error:
            raise SinkError(f"{self._path} cannot be written: {reason(error)}.") from error

    def write(self, event: Event) -> None:
        self._spans += self._gathered.add(event)

    def close(self) -> None:
        write_subtitles([*self._spans, *self._gathered.rest()], self._path, lines=self._lines)


def write_subtitles(spans: Iterable[Span], path: Path, *, lines: Lines = "together") -> None:
    """Spans as a file, SubRip or WebVTT by its suffix. Raises OSError."""
    shown = [span for span in spans if span.end > max(span.start, 0.0)]
    found = together(shown) if lines == "together" else apart(shown)
    vtt = path.suffix.lower() == ".vtt"
    file = pysubs2.SSAFile()
    file.events = [
        pysubs2.SSAEvent(
            start=pysubs2.make_time(s=max(cue.start, 0.0)),
            end=pysubs2.make_time(s=cue.end),
            text="\\N".join(_escaped(line, vtt=vtt) for line in cue.text.split("\n")),
        )
        for cue in found
    ]
    # Braces on screen are text, not formatting: keep_ssa_tags leaves them as they are.
    file.save(str(path), format_="vtt" if vtt else "srt", keep_ssa_tags=True)


def apart(spans: Sequence[Span]) -> Iterator[Cue]:
    """Every span by itself."""
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        yield Cue(span.start, span.end, _plain(span.text))


def together(spans: Sequence[Span]) -> Iterator[Cue]:
    """One cue for all that is on screen at a time; a new one whenever that changes."""
    snapped = _snapped(time for span in spans for time in (span.start, span.end))
    placed = [(snapped[span.start], snapped[span.end], span) for span in spans]
    current: Cue | None = None
    for start, end in pairwise(sorted(set(snapped.values()))):
        here = [span for first, last, span in placed if first <= start and end <= last]
        text = "\n".join(_rows(here, at=(start + end) / 2))
        if current is not None and current.text == text and current.end == start:
            current = Cue(current.start, end, text)
            continue
        if current is not None and current.text:
            yield current
        current = Cue(start, end, text)
    if current is not None and current.text:
        yield current


def _snapped(times: Iterable[float]) -> dict[float, float]:
    """Each time, moved to the first of a run of times that lie close together."""
    snapped: dict[float, float] = {}
    anchor: float | None = None
    for time in sorted(set(times)):
        if anchor is None or time - anchor > SNAP_S:
            anchor = time
        snapped[time] = anchor
    return snapped


def _rows(spans: Sequence[Span], *, at: float) -> Iterator[str]:
    """Lines from top to bottom; what stands side by side is one line, from left to right."""
    row: list[tuple[float, str]] = []
    bottom = float("-inf")
    for top, left, height, text in sorted(_placed(span, at) for span in spans):
        if row and top + height / 2 > bottom:
            yield "  ".join(text for _, text in sorted(row))
            row, bottom = [], float("-inf")
        row.append((left, text))
        bottom = max(bottom, top + height)
    if row:
        yield "  ".join(text for _, text in sorted(row))


def _placed(span: Span, at: float) -> tuple[float, float, float, str]:
    """(top, left, height, text) at that time."""
    xs, ys = zip(*span.polygon_at(at), strict=True)
    return min(ys), min(xs), max(ys) - min(ys), _plain(span.text)


def _plain(text: str) -> str:
    """The text in one line without control characters: a subtitle file is made of lines."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _escaped(text: str, *, vtt: bool) -> str:
    """The text with what these formats take for something else broken up by a word joiner, which nobody sees."""
    if vtt:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = text.replace("-->", f"--{_WORD_JOINER}>")
    return re.sub(r"\\(?=[Nnh])", lambda _: f"\\{_WORD_JOINER}", text)  # pysubs2 takes \N, \n and \h for white space
