"""SubRip and WebVTT: the texts on screen as subtitles."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pysubs2

from stream_ocr.errors import SinkError
from stream_ocr.events import Event
from stream_ocr.events.spans import Span, SpanBuilder
from stream_ocr.sinks.base import check_output_path, describe_error
from stream_ocr.sinks.thresholds import THRESHOLDS

_WORD_JOINER = "\u2060"
_SUBRIP_MARKUP = re.compile(r"[<{]|--(?=>)|&(?=#?\w+;)")

Layout = Literal["joined", "separate"]


@dataclass(frozen=True)
class Cue:
    """A subtitle shown from ``start`` to ``end``, in media seconds."""

    start: float
    end: float
    text: str


class SubtitleSink:
    """Writes a .srt or .vtt file when it is closed.

    layout: "joined" joins all lines on screen from top to bottom, so that no two subtitles overlap; "separate" makes
    every line its own subtitle.
    """

    def __init__(self, path: str | Path, *, layout: Layout = "joined", name: str | None = None) -> None:
        self.name = name or str(path)
        self._path = Path(path)
        self._layout = layout
        self._builder = SpanBuilder()
        self._spans: list[Span] = []

    def open(self) -> None:
        check_output_path(self._path)
        try:
            self._path.write_bytes(b"")
        except OSError as error:
            raise SinkError(f"{self._path} cannot be written: {describe_error(error)}.") from error

    def write(self, event: Event) -> None:
        self._spans += self._builder.add(event)

    def close(self) -> None:
        write_subtitles([*self._spans, *self._builder.finish()], self._path, layout=self._layout)


def write_subtitles(spans: Iterable[Span], path: Path, *, layout: Layout = "joined") -> None:
    """Write spans to a file, SubRip or WebVTT by its suffix. Raises OSError."""
    shown = [span for span in spans if span.end > max(span.start, 0.0)]
    cues = joined_cues(shown) if layout == "joined" else separate_cues(shown)
    vtt = path.suffix.lower() == ".vtt"
    file = pysubs2.SSAFile()
    file.events = [
        pysubs2.SSAEvent(
            start=pysubs2.make_time(s=max(cue.start, 0.0)),
            end=pysubs2.make_time(s=cue.end),
            text="\\N".join(_escaped(line, vtt=vtt) for line in cue.text.split("\n")),
        )
        for cue in cues
    ]
    # Braces on screen are text, not formatting: keep_ssa_tags leaves them unchanged.
    file.save(str(path), format_="vtt" if vtt else "srt", keep_ssa_tags=True)


def separate_cues(spans: Sequence[Span]) -> Iterator[Cue]:
    """Yield one cue per span."""
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        yield Cue(span.start, span.end, _plain(span.text))


def joined_cues(spans: Sequence[Span]) -> Iterator[Cue]:
    """Yield one cue for all texts on screen at a time, and a new one whenever they change."""
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
    """Map each time to the first of the times within ``subtitle_snap_s`` before it."""
    snapped: dict[float, float] = {}
    anchor: float | None = None
    for time in sorted(set(times)):
        if anchor is None or time - anchor > THRESHOLDS.subtitle_snap_s:
            anchor = time
        snapped[time] = anchor
    return snapped


def _rows(spans: Sequence[Span], *, at: float) -> Iterator[str]:
    """Yield lines from top to bottom; texts side by side form one line, from left to right."""
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
    """Return (top, left, height, text) at that time, in source pixels."""
    xs, ys = zip(*span.polygon_at(at), strict=True)
    return min(ys), min(xs), max(ys) - min(ys), _plain(span.text)


def _plain(text: str) -> str:
    """Return the text on one line without control characters: line breaks structure subtitle files."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _escaped(text: str, *, vtt: bool) -> str:
    """Escape what players would take for markup.

    WebVTT has entities. SubRip has no escapes, so an invisible word joiner breaks up tags, overrides and entities.
    Players built on libass (mpv, FFmpeg) show no text in braces all the same.
    """
    if vtt:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    else:
        text = _SUBRIP_MARKUP.sub(rf"\g<0>{_WORD_JOINER}", text)
    return re.sub(r"\\(?=[Nnh])", lambda _: f"\\{_WORD_JOINER}", text)  # pysubs2 reads \N, \n and \h as white space
