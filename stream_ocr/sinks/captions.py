"""Captions: the subtitles of a film among all texts on screen.

Subtitles are lines of one size that stand centred in the same place and keep changing. What else is on screen (signs,
titles, logos) stands elsewhere, in another size, moves, or stays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from stream_ocr.events.spans import Span
from stream_ocr.sinks.cues import Box, Cue, Shown, box_at, cues_of, first_within, plain
from stream_ocr.sinks.thresholds import CAPTIONS


@dataclass(frozen=True)
class _Line:
    """A text that may be a line of a subtitle."""

    span: Span
    box: Box

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def bottom(self) -> float:
        return self.box[3]

    def is_centred(self) -> bool:
        assert self.span.size is not None, "lines have a size"
        width = self.span.size[0]
        return abs((self.box[0] + self.box[2]) / 2 - width / 2) <= CAPTIONS.max_off_centre * width

    def _starts_with(self, other: "_Line") -> bool:
        return abs(self.box[0] - other.box[0]) <= CAPTIONS.max_indent * other.height

    def has_size_of(self, other: "_Line") -> bool:
        return 1 / CAPTIONS.max_height_ratio <= self.height / max(other.height, 1.0) <= CAPTIONS.max_height_ratio

    def is_in_row_of(self, other: "_Line") -> bool:
        """Return True if both stand in the same row of the picture."""
        return self.has_size_of(other) and abs(self.bottom - other.bottom) <= CAPTIONS.max_row_offset * other.height

    def is_next_to(self, other: "_Line") -> bool:
        """Return True if both are lines of one subtitle: one below the other, aligned, at the same time."""
        gap = max(self.box[1], other.box[1]) - min(self.bottom, other.bottom)
        shared_s = min(self.span.end, other.span.end) - max(self.span.start, other.span.start)
        shorter_s = min(self.span.end - self.span.start, other.span.end - other.span.start)
        return (
            self.has_size_of(other)
            and (self.is_centred() or self._starts_with(other))
            and gap <= CAPTIONS.max_line_gap * other.height
            and shared_s >= CAPTIONS.min_shared_time * shorter_s
        )


def caption_spans(spans: Sequence[Span]) -> list[Span]:
    """Return the texts that are subtitles."""
    lines = [_line(span) for span in spans if _may_be_caption(span)]
    centred = [line for line in lines if line.is_centred()]
    texts = {
        id(line): len({plain(other.span.text) for other in centred if other.is_in_row_of(line)}) for line in centred
    }
    best = max(centred, key=lambda line: (texts[id(line)], line.bottom), default=None)
    if best is None or (texts[id(best)] < CAPTIONS.min_texts and not _is_low(best)):
        return []
    found = [line for line in centred if line.is_in_row_of(best)]
    found += [
        line
        for line in centred
        if line not in found and line.has_size_of(best) and texts[id(line)] >= CAPTIONS.min_texts_elsewhere
    ]
    while added := [line for line in lines if line not in found and any(line.is_next_to(each) for each in found)]:
        found += added
    return [line.span for line in found]


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
    for span in sorted(spans, key=lambda span: span.start):
        index = next((n for n, before in enumerate(merged) if _continues(span, before)), None)
        if index is None:
            merged.append(span)
        else:
            before = merged[index]
            surer = max(before, span, key=lambda each: each.confidence)
            merged[index] = replace(before, text=surer.text, confidence=surer.confidence, end=max(before.end, span.end))
    return merged


def _continues(span: Span, before: Span) -> bool:
    same = "".join(span.text.split()).casefold() == "".join(before.text.split()).casefold()
    return same and span.start - before.end <= CAPTIONS.max_flicker_s and _line(span).is_in_row_of(_line(before))


def _without_overlap(lines: Sequence[Shown]) -> Iterator[Shown]:
    """Yield the lines; one that ends a moment after another has taken its place ends when that starts."""
    for start, end, span in lines:
        successors = [
            other_start
            for other_start, _, other in lines
            if start < other_start < end <= other_start + CAPTIONS.max_flicker_s
            and _line(other).is_in_row_of(_line(span))
        ]
        yield start, min([end, *successors]), span


def _is_part(cue: Cue, whole: Cue) -> bool:
    """Return True for a brief cue beside one that shows the same lines and more."""
    adjacent = cue.end == whole.start or whole.end == cue.start
    lines, all_lines = set(cue.text.split("\n")), set(whole.text.split("\n"))
    return adjacent and bool(whole.text) and lines < all_lines and cue.end - cue.start <= CAPTIONS.max_part_s
