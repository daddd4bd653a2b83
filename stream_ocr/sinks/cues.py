"""Cues: texts on screen as subtitles, each shown from one time to another."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from stream_ocr.events.spans import Span
from stream_ocr.sinks.thresholds import THRESHOLDS

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the frame."""


@dataclass(frozen=True)
class Cue:
    """A subtitle shown from ``start`` to ``end``, in media seconds. box: around all its lines."""

    start: float
    end: float
    text: str
    box: Box = (0.0, 0.0, 0.0, 0.0)


Shown = tuple[float, float, Span]
"""A text and the times from and to which its line of a cue is shown."""


def separate_cues(spans: Sequence[Span]) -> Iterator[Cue]:
    """Yield one cue per span."""
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        yield Cue(span.start, span.end, plain(span.text), box_at(span, (span.start + span.end) / 2))


def joined_cues(spans: Sequence[Span]) -> Iterator[Cue]:
    """Yield one cue for all texts on screen at a time, and a new one whenever they change."""
    snapped = first_within(time for span in spans for time in (span.start, span.end))
    yield from cues_of([(snapped[span.start], snapped[span.end], span) for span in spans])


def cues_of(lines: Sequence[Shown]) -> Iterator[Cue]:
    """Yield one cue for all lines that are shown at a time, and a new one whenever they change."""
    current: Cue | None = None
    for start, end in pairwise(sorted({time for first, last, _ in lines for time in (first, last)})):
        here = [span for first, last, span in lines if first <= start and end <= last]
        at = (start + end) / 2
        text = "\n".join(_rows(here, at=at))
        if current is not None and current.text == text and current.end == start:
            current = replace(current, end=end)
            continue
        if current is not None and current.text:
            yield current
        current = Cue(start, end, text, _around([box_at(span, at) for span in here]))
    if current is not None and current.text:
        yield current


def first_within(times: Iterable[float]) -> dict[float, float]:
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
    left, top, _, bottom = box_at(span, at)
    return top, left, bottom - top, plain(span.text)


def box_at(span: Span, time_s: float) -> Box:
    """Return the box around a text at a media time."""
    xs, ys = zip(*span.polygon_at(time_s), strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _around(boxes: Sequence[Box]) -> Box:
    if not boxes:
        return 0.0, 0.0, 0.0, 0.0
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def plain(text: str) -> str:
    """Return the text on one line without control characters: line breaks structure subtitle files."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
