"""Copy of the pixels of a text in the last frame that was matched: a frame with the same pixels needs no matching."""

import cv2
import numpy as np

from stream_ocr.core.geometry import bounding_box
from stream_ocr.tracking.thresholds import TRACK


class PixelCopy:
    """The pixels inside the bounding box of one text, or nothing."""

    def __init__(self) -> None:
        self._kept: tuple[slice, slice, np.ndarray] | None = None

    def clear(self) -> None:
        """Forget the pixels."""
        self._kept = None

    def keep(self, luma: np.ndarray, quad: np.ndarray) -> None:
        """Copy the pixels of a quad, (4, 2). luma: (H, W) uint8."""
        rows, columns = _box(quad)
        pixels = luma[rows, columns]
        self._kept = (rows, columns, pixels.copy()) if pixels.size else None

    def matches(self, luma: np.ndarray) -> bool:
        """Return True if a frame shows the pixels that were kept. luma: (H, W) uint8."""
        if self._kept is None:
            return False
        rows, columns, pixels = self._kept
        return cv2.norm(luma[rows, columns], pixels, cv2.NORM_INF) <= TRACK.static_difference


def differs_around(quad: np.ndarray, luma: np.ndarray, other: np.ndarray) -> bool:
    """Return True if two frames, (H, W) uint8, differ above or below a quad, (4, 2).

    Its own rows, and a margin for ascenders, may show another text in the other frame.
    """
    rows, columns = _box(quad)
    height = rows.stop - rows.start
    near, far = (round(share * height) for share in TRACK.surroundings)
    strips = slice(max(rows.start - far, 0), max(rows.start - near, 0)), slice(rows.stop + near, rows.stop + far)
    return any(
        cv2.absdiff(luma[strip, columns], other[strip, columns]).mean() > TRACK.static_difference
        for strip in strips
        if luma[strip, columns].size
    )


def _box(quad: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of the bounding box of a quad, (4, 2)."""
    left, top, right, bottom = (int(v) for v in bounding_box(quad))
    return slice(max(top, 0), max(bottom + 1, 0)), slice(max(left, 0), max(right + 1, 0))
