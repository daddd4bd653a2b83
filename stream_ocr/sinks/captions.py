"""Captions: the subtitles of a film among all texts on screen.

Subtitles are lines of one size that stand centred in the same place and keep changing. What else is on screen (signs,
titles, logos) stands elsewhere, in another size, moves, or stays.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from stream_ocr.events.spans import Span
from stream_ocr.sinks.cues import Box, Cue, Shown, box_at, cues_of, first_within, plain
from stream_ocr.sinks.thresholds import CAPTIONS


class _Row(NamedTuple):
    """Place and size of lines, in whole pixels, so that a film has few of them."""

    bottom: int
    height: int

    def has_size_of(self, other: "_Row") -> bool:
        return 1 / CAPTIONS.max_height_ratio <= self.height / max(other.height, 1) <= CAPTIONS.max_height_ratio

    def is_in_row_of(self, other: "_Row") -> bool:
        """Return True if both stand in the same row of the picture."""
        return self.has_size_of(other) and abs(self.bottom - other.bottom) <= CAPTIONS.max_row_offset * other.height


@dataclass(frozen=True)
class _Line:
    """A text that may be a line of a subtitle."""

    span: Span
    box: Box

    @property
    def row(self) -> _Row:
        return _Row(round(self.box[3]), round(self.box[3] - self.box[1]))

    def is_centred(self) -> bool:
        assert self.span.size is not None, "lines have a size"
        width = self.span.size[0]
        return abs((self.box[0] + self.box[2]) / 2 - width / 2) <= CAPTIONS.max_off_centre * width

    def _starts_with(self, other: "_Line") -> bool:
        return abs(self.box[0] - other.box[0]) <= CAPTIONS.max_indent * other.row.height

    def is_next_to(self, other: "_Line") -> bool:
        """Return True if both are lines of one subtitle: one below the other, aligned, at the same time."""
        gap = max(self.box[1], other.box[1]) - min(self.box[3], other.box[3])
        shared_s = min(self.span.end, other.span.end) - max(self.span.start, other.span.start)
        shorter_s = min(self.span.end - self.span.start, other.span.end - other.span.start)
        return (
            self.row.has_size_of(other.row)
            and (self.is_centred() or self._starts_with(other))
            and gap <= CAPTIONS.max_line_gap * other.row.height
            and shared_s >= CAPTIONS.min_shared_time * shorter_s
        )


def caption_spans(spans: Sequence[Span]) -> list[Span]:
    """Return the texts that are subtitles."""
    lines = sorted(map(_line, filter(_may_be_caption, spans)), key=lambda line: line.span.start)
    centred = [line for line in lines if line.is_centred()]
    counts = _text_counts(centred)
    best = max(centred, key=lambda line: (counts[line.row], line.box[3]), default=None)
    if best is None or (counts[best.row] < CAPTIONS.min_texts and not _is_low(best)):
        return []
    rows = {
        row
        for row, count in counts.items()
        if row.is_in_row_of(best.row) or (row.has_size_of(best.row) and count >= CAPTIONS.min_texts_elsewhere)
    }
    found = [line for line in centred if line.row in rows]
    return [line.span for line in [*found, *_lines_beside(found, lines)]]


def _text_counts(lines: Sequence[_Line]) -> dict[_Row, int]:
    """Return the number of different texts in each row and those that are the same row of the picture."""
    texts: defaultdict[_Row, set[str]] = defaultdict(set)
    for line in lines:
        texts[line.row].add(plain(line.span.text))
    return {
        row: len(set().union(*(found for other, found in texts.items() if other.is_in_row_of(row)))) for row in texts
    }


def _lines_beside(found: Sequence[_Line], lines: Sequence[_Line]) -> Iterator[_Line]:
    """Yield the other lines of these subtitles, and the lines beside those. Both sequences: by their start."""
    known = set(map(id, found))
    while found:
        starts = [line.span.start for line in found]
        added = []
        for line in lines:
            first, last = bisect_left(starts, line.span.start - CAPTIONS.max_s), bisect_right(starts, line.span.end)
            if id(line) not in known and any(line.is_next_to(each) for each in found[first:last]):
                added.append(line)
        known.update(map(id, added))
        yield from added
        found = added


def caption_cues(spans: Sequence[Span]) -> Iterator[Cue]:
    """Yield the subtitles of these texts: lines that stand together are one cue, whose text is shown once."""
    lines = _without_flicker(spans)
    starts = first_within(span.start for span in lines)
    ends = first_within(-span.end for span in lines)
    shown = _without_overlap([(starts[span.start], -ends[-span.end], span) for span in lines])
    cues = list(cues_of([line for line in shown if line[1] > line[0]]))
    for index, (cue, following) in enumerate(pairwise(cues)):
        if _is_part(cue, following):
            cues[index + 1] = replace(following, start=cue.start)
            cues[index] = replace(cue, text="")
        elif _is_part(following, cue):
            cues[index + 1] = replace(cue, end=following.end)
            cues[index] = replace(cue, text="")
    yield from (cue for cue in cues if cue.text)


def _may_be_caption(span: Span) -> bool:
    brief = span.end - span.start <= CAPTIONS.max_s
    return span.size is not None and not span.overlay and any(map(str.isalpha, span.text)) and brief and _rests(span)


def _rests(span: Span) -> bool:
    """Return True if a text stays where it appeared, unlike one in a scene that the camera follows."""
    first, last = box_at(span, span.start), box_at(span, span.end)
    shift = max(abs(first[0] + first[2] - last[0] - last[2]), abs(first[1] + first[3] - last[1] - last[3])) / 2
    return shift <= CAPTIONS.max_shift * (first[3] - first[1])


def _line(span: Span) -> _Line:
    return _Line(span, box_at(span, (span.start + span.end) / 2))


def _is_low(line: _Line) -> bool:
    assert line.span.size is not None, "lines have a size"
    return line.box[1] >= CAPTIONS.low * line.span.size[1]


def _without_flicker(spans: Sequence[Span]) -> list[Span]:
    """Return the texts, with one that is gone for a moment as one text."""
    merged: list[Span] = []
    by_text: defaultdict[str, list[int]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.start):
        same = by_text["".join(span.text.split()).casefold()]
        index = next((n for n in same if _continues(span, merged[n])), None)
        if index is None:
            same.append(len(merged))
            merged.append(span)
        else:
            before = merged[index]
            surer = max(before, span, key=lambda each: each.confidence)
            merged[index] = replace(before, text=surer.text, confidence=surer.confidence, end=max(before.end, span.end))
    return merged


def _continues(span: Span, before: Span) -> bool:
    return span.start - before.end <= CAPTIONS.max_flicker_s and _line(span).row.is_in_row_of(_line(before).row)


def _without_overlap(lines: Sequence[Shown]) -> Iterator[Shown]:
    """Yield the lines; one that ends a moment after another has taken its place ends when that starts."""
    lines = sorted(lines, key=lambda line: line[0])
    starts = [start for start, _, _ in lines]
    for start, end, span in lines:
        first, last = bisect_left(starts, end - CAPTIONS.max_flicker_s), bisect_left(starts, end)
        successors = [
            other_start
            for other_start, _, other in lines[first:last]
            if start < other_start and _line(other).row.is_in_row_of(_line(span).row)
        ]
        yield start, min([end, *successors]), span


def _is_part(cue: Cue, whole: Cue) -> bool:
    """Return True for a brief cue beside one that shows the same lines and more."""
    adjacent = cue.end == whole.start or whole.end == cue.start
    lines, all_lines = set(cue.text.split("\n")), set(whole.text.split("\n"))
    return adjacent and bool(whole.text) and lines < all_lines and cue.end - cue.start <= CAPTIONS.max_part_s
