"""Known regions: does a coarse detector pass show anything new?

A region is known when it lies within one that two full passes have found and whose pixels have not changed since:
letters are stronger than the film behind them. What moves is never known.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stream_ocr.core.frame import ncc
from stream_ocr.core.geometry import bounding_box, from_flat
from stream_ocr.core.messages import Detection
from stream_ocr.gating.detection_schedule import Rows
from stream_ocr.gating.thresholds import KNOWN_REGIONS, SCHEDULE

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


class _Known(NamedTuple):
    box: Box
    patch: np.ndarray
    confirmed: bool  # found by two passes


class KnownRegions:
    """The regions of one stream that full detector passes have found."""

    def __init__(self, row_multiple: int) -> None:
        """Create an empty set of regions. row_multiple: bands for the detector begin and end at multiples of this."""
        self._row_multiple = row_multiple
        self._known: list[_Known] = []
        self._skip_coarse = False

    def update(self, luma: np.ndarray, regions: Sequence[Detection], rows: Rows) -> None:
        """Update with the regions that a full pass has found in some rows of a frame. luma: (H, W) uint8."""
        found = []
        for region in regions:
            box = bounding_box(from_flat(region.quad))
            again = any(
                _contains(known.box, box, KNOWN_REGIONS.full_slack)
                and _contains(box, known.box, KNOWN_REGIONS.full_slack)
                and _is_unchanged(known, luma)
                for known in self._known
            )
            found.append(_Known(box, _patch(luma, box).copy(), again))
        self._known = [known for known in self._known if not _is_in_rows(known.box, rows)] + found

    def needs_coarse_pass(self) -> bool:
        """Return whether a coarse pass can save work; otherwise a full pass over all rows comes next.

        After a coarse pass that showed something new in all rows, as in a pan, the next one most likely would, too.
        """
        needed, self._skip_coarse = not self._skip_coarse, False
        return needed

    def rows_to_detect(self, luma: np.ndarray, regions: Sequence[Detection], rows: Rows) -> Rows | None:
        """Return the rows that need a full pass after a coarse one over ``rows`` has found ``regions``, or None."""
        novel = self.novel(luma, regions)
        band = self._band_around(novel, rows) if novel else None
        self._skip_coarse = band == rows
        return band

    def novel(self, luma: np.ndarray, regions: Sequence[Detection]) -> list[Box]:
        """Return the boxes of a coarse pass that are not known, and the known ones whose pixels have changed."""
        gone = [known.box for known in self._known if not _is_unchanged(known, luma)]
        boxes = [bounding_box(from_flat(region.quad)) for region in regions]
        return [*gone, *(box for box in boxes if not self._is_known(box))]

    def _is_known(self, box: Box) -> bool:
        slack = KNOWN_REGIONS.coarse_slack
        return any(known.confirmed and _contains(known.box, box, slack) for known in self._known)

    def _band_around(self, boxes: Sequence[Box], rows: Rows) -> Rows:
        """Return the rows around some boxes, with room for what a coarse pass misses; all rows if that saves little."""
        margin, multiple = KNOWN_REGIONS.row_margin, self._row_multiple
        top = int(min(box[1] - margin * (box[3] - box[1]) for box in boxes))
        bottom = int(max(box[3] + margin * (box[3] - box[1]) for box in boxes))
        top, bottom = max(top // multiple * multiple, rows[0]), min(-(-bottom // multiple) * multiple, rows[1])
        return (top, bottom) if bottom - top < SCHEDULE.max_band_share * (rows[1] - rows[0]) else rows


def _is_in_rows(box: Box, rows: Rows) -> bool:
    return rows[0] <= (box[1] + box[3]) / 2 < rows[1]


def _contains(outer: Box, inner: Box, slack: float) -> bool:
    """Return whether a box contains another. slack: tolerance on each side, in heights of the outer one."""
    margin = slack * (outer[3] - outer[1])
    begins = inner[0] >= outer[0] - margin and inner[1] >= outer[1] - margin
    return begins and inner[2] <= outer[2] + margin and inner[3] <= outer[3] + margin


def _patch(luma: np.ndarray, box: Box) -> np.ndarray:
    left, top, right, bottom = (round(side) for side in box)
    return luma[max(top, 0) : bottom, max(left, 0) : right]


def _is_unchanged(known: _Known, luma: np.ndarray) -> bool:
    patch = _patch(luma, known.box)
    return patch.shape == known.patch.shape and patch.size > 0 and ncc(patch, known.patch) > KNOWN_REGIONS.min_ncc
