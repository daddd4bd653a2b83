"""Texts with their place and time: true ones, and those that events report."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from stream_ocr.evaluation.thresholds import THRESHOLDS
from stream_ocr.events import Event
from stream_ocr.events.spans import Span, SpanBuilder

Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels."""


@dataclass(frozen=True)
class TimedText:
    """A text that is visible from ``start`` to ``end``, in media seconds.

    keyframes: (time, left, top, width, height), interpolated linearly. accepted: all readings that count as correct.
    hard: counted when read, not missed when not.
    """

    text: str
    start: float
    end: float
    keyframes: tuple[tuple[float, ...], ...]
    accepted: tuple[str, ...] = ()
    hard: bool = False

    def box_at(self, time_s: float) -> Box:
        """Return the box at a media time."""
        n = bisect_right(self.keyframes, time_s, key=lambda keyframe: keyframe[0])
        if n in (0, len(self.keyframes)):
            x, y, width, height = self.keyframes[min(n, len(self.keyframes) - 1)][1:]
            return x, y, width, height
        (a, *before), (b, *after) = self.keyframes[n - 1 : n + 1]
        share = (time_s - a) / max(b - a, 1e-9)
        x, y, width, height = (p + share * (q - p) for p, q in zip(before, after, strict=True))
        return x, y, width, height

    def boxes_at(self, times: np.ndarray) -> np.ndarray:
        """Return the boxes at (N,) media times as an array of shape (4, N)."""
        known, *sides = np.array(self.keyframes).T
        return np.array([np.interp(times, known, side) for side in sides])

    def visible_at(self, times: np.ndarray) -> np.ndarray:
        """Return which of (N,) media times lie within the text's time, as booleans."""
        return (times >= self.start) & (times < self.end)


def predicted_texts(events: Iterable[Event], duration_s: float) -> Iterator[TimedText]:
    """Yield the texts that events report; those that never end last until the end of the video."""
    spans = SpanBuilder()
    complete = [span for event in events for span in spans.add(event)]
    for span in (*complete, *(replace(span, end=duration_s) for span in spans.finish())):
        if span.end > span.start:
            keyframes = (_keyframe(span, span.start), _keyframe(span, span.end))
            yield TimedText(span.text, span.start, span.end, keyframes)


def same_place(predicted: TimedText, true: TimedText) -> bool:
    """Return True if two texts stand in the same place at the middle of their common time; see ``boxes_agree``."""
    time_s = overlap_centre_s(predicted, true)
    return bool(boxes_agree(predicted.box_at(time_s), true.box_at(time_s)))


def boxes_agree(predicted: Box | np.ndarray, true: Box | np.ndarray) -> bool | np.ndarray:
    """Return True if the centre of one box lies in the other, the true one grown by half its height.

    Boxes may be arrays of shape (4, N); the result then has shape (N,).
    """
    left, top, wide, tall = predicted
    x, y, width, height = true
    across, down = abs(left + wide / 2 - x - width / 2), abs(top + tall / 2 - y - height / 2)
    in_true = (across <= width / 2 + height / 2) & (down <= height)
    in_predicted = (across <= wide / 2) & (down <= tall / 2)
    return in_true | in_predicted


def coincide(predicted: TimedText, true: TimedText) -> bool:
    """Return True if a predicted and a true text share a place and some time."""
    return overlap_s(predicted, true) > 0 and same_place(predicted, true)


def agreement(predicted: TimedText, others: Iterable[TimedText], times: np.ndarray) -> np.ndarray:
    """Return at which of (N,) media times any of the other texts is visible in the same place, as booleans."""
    agreed = np.zeros(len(times), bool)
    for other in others:
        if not overlap_s(predicted, other):
            continue
        both = predicted.visible_at(times) & other.visible_at(times)
        agreed[both] |= boxes_agree(predicted.boxes_at(times[both]), other.boxes_at(times[both]))
    return agreed


def moments(texts: Iterable[TimedText]) -> np.ndarray:
    """Return (N,) media times at which tracks are compared, from the first start to the last end of some texts."""
    spans = [(text.start, text.end) for text in texts]
    step_s = THRESHOLDS.sampling_interval_s
    first, last = (min(start for start, _ in spans), max(end for _, end in spans)) if spans else (0.0, 0.0)
    return np.arange(first + step_s / 2, last, step_s)


def overlap_centre_s(a: TimedText, b: TimedText) -> float:
    """Return the middle of the common time; of the gap if there is none."""
    return (max(a.start, b.start) + min(a.end, b.end)) / 2


def overlap_s(a: TimedText, b: TimedText) -> float:
    """Return the duration of the common time in seconds."""
    return max(0.0, min(a.end, b.end) - max(a.start, b.start))


def temporal_iou(a: TimedText, b: TimedText) -> float:
    """Return the common time divided by the time from the first start to the last end."""
    union = max(a.end, b.end) - min(a.start, b.start)
    return overlap_s(a, b) / union if union > 0 else 0.0


def _keyframe(span: Span, time_s: float) -> tuple[float, ...]:
    xs, ys = zip(*span.polygon_at(time_s), strict=True)
    return time_s, min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
