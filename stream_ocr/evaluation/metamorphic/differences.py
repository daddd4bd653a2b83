"""Differences between the texts read in a video and those read in a variant of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stream_ocr.evaluation.thresholds import METAMORPHIC
from stream_ocr.evaluation.timed_text import TimedText, coincide, overlap_s


@dataclass(frozen=True)
class Differences:
    """Texts of the original that the variant lacks or shows at other times, and texts that only the variant has.

    retimed: (original, variant), whose start or end differs by more than a frame of the coarser rate.
    """

    lost: tuple[TimedText, ...]
    new: tuple[TimedText, ...]
    retimed: tuple[tuple[TimedText, TimedText], ...]

    def __bool__(self) -> bool:
        return bool(self.lost or self.new or self.retimed)

    def lines(self) -> Iterator[str]:
        """Yield a line of text for each difference."""
        for text in self.lost:
            yield f"lost     {_span(text)} {text.text!r}"
        for text in self.new:
            yield f"new      {_span(text)} {text.text!r}"
        for before, after in self.retimed:
            yield f"retimed  {_span(before)} → {_span(after)} {before.text!r}"

    def to_json(self) -> dict[str, Any]:
        """Return the differences as lists of [text, start, end] for JSON."""
        return {
            "lost": [_row(text) for text in self.lost],
            "new": [_row(text) for text in self.new],
            "retimed": [[*_row(before), *_row(after)[1:]] for before, after in self.retimed],
        }


def compare(original: Sequence[TimedText], variant: Sequence[TimedText], frame_s: float) -> Differences:
    """Return the differences between two lists of texts in the coordinates of the variant.

    Texts correspond if they are equal, stand in the same place and overlap in time; those that overlap longest are
    paired first. frame_s: duration of a frame at the coarser rate, by which times may differ.
    """
    candidates = sorted(
        (
            (-overlap_s(a, b), i, j)
            for i, a in enumerate(original)
            for j, b in enumerate(variant)
            if a.text == b.text and coincide(b, a)
        )
    )
    pairs: dict[int, int] = {}
    for _, i, j in candidates:
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    within_s = frame_s + METAMORPHIC.retimed_tolerance_s
    matched = [(original[i], variant[j]) for i, j in sorted(pairs.items())]
    return Differences(
        lost=tuple(text for i, text in enumerate(original) if i not in pairs),
        new=tuple(text for j, text in enumerate(variant) if j not in pairs.values()),
        retimed=tuple((a, b) for a, b in matched if max(abs(a.start - b.start), abs(a.end - b.end)) > within_s),
    )


def _span(text: TimedText) -> str:
    return f"{text.start:6.2f}–{text.end:6.2f}"


def _row(text: TimedText) -> list[Any]:
    return [text.text, round(text.start, 3), round(text.end, 3)]
