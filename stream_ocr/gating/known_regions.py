"""What a picture showed when it was last looked at, so that a glance can tell whether there is more to see.

A region is familiar when it lies within one that two looks have found and the pixels there are still alike: letters
are stronger than the film behind them. What moves is never familiar.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stream_ocr.core.frame import ncc
from stream_ocr.core.geometry import bounding_box, from_flat
from stream_ocr.core.messages import Detection

Box = tuple[float, float, float, float]

_GLANCED, _LOOKED = 0.5, 0.15  # heights: how inexact boxes are
_ALIKE = 0.6


class _Known(NamedTuple):
    box: Box
    patch: np.ndarray
    twice: bool  # found


class KnownRegions:
    """The regions of one stream. restless: the last glance had news all over, as the next will have, most likely."""

    def __init__(self) -> None:
        self.restless = False
        self._known: list[_Known] = []

    def looked(self, luma: np.ndarray, regions: Sequence[Detection], rows: tuple[int, int]) -> None:
        """A look at some rows of a picture, (H, W) uint8, has found these regions."""
        found = []
        for region in regions:
            box = bounding_box(from_flat(region.quad))
            again = any(
                _holds(known.box, box, _LOOKED) and _holds(box, known.box, _LOOKED) and _is_there(known, luma)
                for known in self._known
            )
            found.append(_Known(box, _patch(luma, box).copy(), again))
        self._known = [known for known in self._known if not _within(known.box, rows)] + found

    def news(self, luma: np.ndarray, regions: Sequence[Detection]) -> list[Box]:
        """Those regions of a glance that are not familiar, and those that were and are not there any more."""
        gone = [known.box for known in self._known if not _is_there(known, luma)]
        boxes = [bounding_box(from_flat(region.quad)) for region in regions]
        return [*gone, *(box for box in boxes if not self._is_familiar(box))]

    def _is_familiar(self, box: Box) -> bool:
        return any(known.twice and _holds(known.box, box, _GLANCED) for known in self._known)


def _within(box: Box, rows: tuple[int, int]) -> bool:
    return rows[0] <= (box[1] + box[3]) / 2 < rows[1]


def _holds(known: Box, box: Box, inexact: float) -> bool:
    """Whether a box is another or a part of it."""
    slack = inexact * (known[3] - known[1])
    begins = box[0] >= known[0] - slack and box[1] >= known[1] - slack
    return begins and box[2] <= known[2] + slack and box[3] <= known[3] + slack


def _patch(luma: np.ndarray, box: Box) -> np.ndarray:
    left, top, right, bottom = (round(side) for side in box)
    return luma[max(top, 0) : bottom, max(left, 0) : right]


def _is_there(known: _Known, luma: np.ndarray) -> bool:
    patch = _patch(luma, known.box)
    return patch.shape == known.patch.shape and patch.size > 0 and ncc(patch, known.patch) > _ALIKE
