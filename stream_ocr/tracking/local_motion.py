"""Motion of the surroundings of a text between two frames, by phase correlation."""

from dataclasses import dataclass

import cv2
import numpy as np

from stream_ocr.core.geometry import bounding_box
from stream_ocr.tracking.pixel_copy import differs_around


@dataclass(frozen=True, slots=True)
class LocalMotionThresholds:
    """Motion of the surroundings of a text. Chosen on number plates in a real street."""

    margin: float = 6.0
    """Heights round the text that belong to the window."""

    min_window_px: int = 16
    """Width and height of the smallest window."""

    max_shift: float = 0.33
    """Share of the window by which it may have shifted."""

    min_response: float = 0.1
    """Share of the energy in the peak of the correlation from which the shift is clear."""


LOCAL_MOTION = LocalMotionThresholds()


def local_shift(luma: np.ndarray, other: np.ndarray, quad: np.ndarray) -> np.ndarray | None:
    """Return the shift (x, y), in pixels, from a frame to another of a quad and what surrounds it; None if not clear.

    luma, other: (H, W) uint8. quad: (4, 2), a place in ``luma``. Phase correlation (Kuglin and Hines, 1975) of a window
    round the quad finds shifts of up to a third of the window, whatever the text looks like. Surroundings that stand
    still give None: the letters of another text may seem to have moved.
    """
    if not differs_around(quad, luma, other):
        return None
    left, top, right, bottom = bounding_box(quad)
    margin = LOCAL_MOTION.margin * (bottom - top)
    x0, x1 = _span(left - margin, right + margin, luma.shape[1])
    y0, y1 = _span(top - margin, bottom + margin, luma.shape[0])
    if min(x1 - x0, y1 - y0) < LOCAL_MOTION.min_window_px:
        return None
    window, other_window = (frame[y0:y1, x0:x1].astype(np.float32) for frame in (luma, other))
    taper = cv2.createHanningWindow((x1 - x0, y1 - y0), cv2.CV_32F)
    shift, response = cv2.phaseCorrelate(window, other_window, taper)
    limit = np.array([x1 - x0, y1 - y0]) * LOCAL_MOTION.max_shift
    if response < LOCAL_MOTION.min_response or (np.abs(shift) > limit).any():
        return None
    return np.array(shift)


def _span(first: float, last: float, size: int) -> tuple[int, int]:
    return max(int(first), 0), min(int(last) + 1, size)
