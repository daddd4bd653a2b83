"""Whether what stands in a box crawls to the left, as the messages of a ticker do."""

import numpy as np

from stream_ocr.tracking.frame_history import FrameHistory
from stream_ocr.tracking.template_matching import between, correlations

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the frame."""

ALIKE = 0.6
"""Correlation from which two pictures show the same."""

INSET = 2
"""Pixels at the right end of a window that codecs smear."""

_PAIRS = 3  # of pictures, in which it must be seen to crawl
_FASTEST, _SLOWEST = 0.8, 0.5  # heights a frame; heights a second
_WIDEST_PART = 2.5  # times the reach: less is no window to see anything crawl in
_STEADY = 0.3
_LEAST_INK = 24.0  # grey levels


def crawling(history: FrameHistory, box: Box) -> tuple[float, float] | None:
    """Since when what stands in a box has crawled to the left, and how fast in pixels a second.

    None when it does not, or when what is above or below it moves along: then it is the camera that pans.
    """
    frames, scale = history.pictures(), history.scale
    left, top, right, bottom = place = _scaled(box, scale)
    height = bottom - top
    reach = round(_FASTEST * height)
    if len(frames) <= _PAIRS or right - left < _WIDEST_PART * reach:
        return None
    speeds: list[float] = []
    since_s = frames[-1][0]
    for (before_s, before), (after_s, after) in zip(frames[-2::-1], frames[::-1], strict=False):
        moved, alike = shift_between(before, after, place, reach)
        speed = moved / max(after_s - before_s, 1e-6)
        steady = alike >= ALIKE and (not speeds or abs(speed - float(np.median(speeds))) < _STEADY * speeds[0])
        if not steady or speed < _SLOWEST * height:
            if float(np.ptp(before[top:bottom, left:right])) < _LEAST_INK:
                since_s = float("-inf")  # it came in then, and was not there at once
            break
        if len(speeds) < _PAIRS and _pans(before, after, place, moved, reach):
            return None
        speeds.append(speed)
        since_s = before_s
    return (since_s, float(np.median(speeds)) / scale) if len(speeds) >= _PAIRS else None


def shift_between(before: np.ndarray, after: np.ndarray, box: Box, reach: int) -> tuple[float, float]:
    """How far what stands in a box has moved to the left from one picture to the next, at most ``reach`` pixels, and
    how much it looks the same there (correlation)."""
    left, top, right, bottom = box
    if right - left <= 2 * reach or bottom - top < 4:
        return 0.0, 0.0
    part = before[top + 1 : bottom - 1, left + reach : right - INSET]
    scores = correlations(after[top + 1 : bottom - 1, left : right - INSET], part)[0]
    x = int(np.argmax(scores))
    return reach - x - between(scores, x), float(scores[x])


def _pans(before: np.ndarray, after: np.ndarray, box: Box, moved: float, reach: int) -> bool:
    """Whether what is above or below a box moves as what is in it."""
    left, top, right, bottom = box
    height = bottom - top
    for upper, lower in ((top - 2 * height, top - height // 3), (bottom + height // 3, bottom + 2 * height)):
        beside = left, max(upper, 0), right, min(lower, before.shape[0])
        if beside[3] - beside[1] >= height // 2:
            along, alike = shift_between(before, after, beside, reach)
            if alike >= ALIKE and abs(along - moved) < max(1.0, _STEADY * moved):
                return True
    return False


def _scaled(box: Box, scale: float) -> Box:
    left, top, right, bottom = (round(v * scale) for v in box)
    return left, top, right, bottom
