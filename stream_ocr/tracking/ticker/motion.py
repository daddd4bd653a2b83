"""Detection of text that scrolls to the left, as the messages of a ticker do."""

import numpy as np

from stream_ocr.tracking.frame_history import FrameHistory
from stream_ocr.tracking.template_matching import ncc_map, subpixel_peak
from stream_ocr.tracking.ticker.thresholds import TICKER

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the frame."""


def measure_scroll(history: FrameHistory, box: Box) -> tuple[float, float] | None:
    """Return since when the content of a box has been scrolling to the left, and its speed in pixels per second.

    The time is minus infinity if the box was empty before. Returns None if nothing scrolls, or if what is above or
    below moves along: then the camera pans.
    """
    frames, scale = history.distinct_frames(), history.scale
    left, top, right, bottom = place = _scale_box(box, scale)
    height = bottom - top
    reach = round(TICKER.max_speed * history.frame_s * height)
    if len(frames) <= TICKER.min_moving_pairs or right - left < TICKER.min_window_reach * reach:
        return None
    speeds: list[float] = []
    since_s = frames[-1][0]
    for (before_s, before), (after_s, after) in zip(frames[-2::-1], frames[::-1], strict=False):
        shift, score = measure_shift(before, after, place, reach)
        speed = shift / max(after_s - before_s, 1e-6)
        steady = score >= TICKER.min_score and (
            not speeds or abs(speed - float(np.median(speeds))) < TICKER.max_speed_deviation * speeds[0]
        )
        if not steady or speed < TICKER.min_start_speed * height:
            if float(np.ptp(before[top:bottom, left:right])) < TICKER.min_contrast:
                since_s = float("-inf")  # it scrolled in from the right
            break
        if len(speeds) < TICKER.min_moving_pairs and _surroundings_move(before, after, place, shift, reach):
            return None
        speeds.append(speed)
        since_s = before_s
    return (since_s, float(np.median(speeds)) / scale) if len(speeds) >= TICKER.min_moving_pairs else None


def measure_shift(before: np.ndarray, after: np.ndarray, box: Box, reach: int) -> tuple[float, float]:
    """Return how far the content of a box moved to the left between two frames, and the score of the match.

    before, after: luma, (H, W) uint8. reach: largest shift in pixels.
    """
    left, top, right, bottom = box
    if right - left <= 2 * reach or bottom - top < TICKER.min_rows_px:
        return 0.0, 0.0
    part = before[top + 1 : bottom - 1, left + reach : right - TICKER.right_inset_px]
    scores = ncc_map(after[top + 1 : bottom - 1, left : right - TICKER.right_inset_px], part)[0]
    x = int(np.argmax(scores))
    return reach - x - subpixel_peak(scores, x), float(scores[x])


def _surroundings_move(before: np.ndarray, after: np.ndarray, box: Box, shift: float, reach: int) -> bool:
    """Return True if the strip above or below a box moves as its content does."""
    left, top, right, bottom = box
    height = bottom - top
    near, far = (int(distance * height) for distance in TICKER.surroundings)
    for upper, lower in ((top - far, top - near), (bottom + near, bottom + far)):
        strip = left, max(upper, 0), right, min(lower, before.shape[0])
        if strip[3] - strip[1] >= int(TICKER.min_surroundings * height):
            strip_shift, score = measure_shift(before, after, strip, reach)
            deviation = max(1.0, TICKER.max_speed_deviation * shift)
            if score >= TICKER.min_score and abs(strip_shift - shift) < deviation:
                return True
    return False


def _scale_box(box: Box, scale: float) -> Box:
    left, top, right, bottom = (round(v * scale) for v in box)
    return left, top, right, bottom
