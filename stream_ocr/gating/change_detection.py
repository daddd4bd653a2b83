"""Change detection: where a frame differs from the last one that was processed.

This is the cheapest gate: a frame in which nothing changed costs no detection at all. The comparison is with the
last *processed* frame, not with the previous one, so that a slow fade adds up until it is found.

The obvious measure, the mean over cells of 8×8 pixels, misses a small digit that changes into another: one stroke adds
what another takes away, and 0.2 grey levels may be left. The root mean square of the differences finds it: for digits
of 7×10 pixels with a contrast of 40 it is 7 to 25 levels, while white noise of 5 levels, which makes 7 everywhere,
hardly makes more than 10 anywhere.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from stream_ocr.core.frame import Frame, halve, ncc
from stream_ocr.gating.edge_onset import TILE, EdgeOnset
from stream_ocr.gating.thresholds import CHANGE

CELL_SIZES = (8, 16, 32)
"""Sides of a cell in pixels that are supported."""

_STEP = 4  # pixels between cells of 8 pixels: they overlap by half, so that no change is cut in two by their borders
_STEPS_PER_TILE = 8  # both ways: a tile is 32 pixels wide if cells are 8


@dataclass(frozen=True, slots=True)
class FrameDiff:
    """Difference of a frame to the reference and to the previous frame.

    mask: (rows, columns) bool, changed tiles of ``ChangeDetector.tile`` pixels, from the top left corner.
    fraction: share of the tiles that changed. cut: most of the picture was replaced since the previous frame.
    onset: (rows,) bool, rows of tiles in which edges appeared since the previous frame, as text brings them.
    """

    mask: np.ndarray
    fraction: float
    cut: bool
    onset: np.ndarray

    def __bool__(self) -> bool:
        return self.fraction > 0


class ChangeDetector:
    """Compares the luma of each frame with that of the last one that was processed.

    A cell of ``cell`` × ``cell`` pixels has changed when the root mean square difference of its pixels exceeds
    ``threshold`` grey levels plus a share of the noise, and a fifth of the contrast that was there. The noise is the
    75th percentile of that same measure in that same frame, over every fourth cell both ways: text covers less than a
    quarter of a picture, while sensor noise, the flicker of a codec at key frames or a change of light are everywhere.
    It is limited, so that a moving camera does not hide changes, and needs no history. Frames that are identical bit by
    bit, as codecs make them of still pictures, cost next to nothing.
    """

    def __init__(self, cell: int, threshold: float) -> None:
        """Create a detector without a reference.

        cell: side in pixels, one of ``CELL_SIZES``; 16 suits 4K. threshold: grey levels. Raise ValueError for other
        cells.
        """
        if cell not in CELL_SIZES:
            raise ValueError(f"The cell size must be 8, 16 or 32 pixels, not {cell}.")
        self.tile = cell // 2 * _STEPS_PER_TILE
        self._halvings = cell.bit_length() - 4
        self._threshold = threshold
        self._reference: np.ndarray | None = None
        self._contrast: np.ndarray | None = None  # of the reference, for each cell
        self._thumbnail: np.ndarray | None = None  # of the previous frame
        self._onset = EdgeOnset()
        self._last_luma: np.ndarray | None = None
        self._last_diff: FrameDiff | None = None  # of the last frame to the present reference

    def compare(self, frame: Frame, time_s: float) -> FrameDiff:
        """Return the difference of a frame, whose luma is kept without a copy until the next one comes.

        Everything counts as changed while there is no reference of that size. time_s: media time.
        """
        if self._last_diff is not None and _identical(frame.y, self._last_luma):
            self._onset.update_unchanged(time_s)
            self._last_diff = replace(self._last_diff, cut=False, onset=np.zeros_like(self._last_diff.onset))
        else:
            self._last_diff = self._compare(frame, time_s)
        self._last_luma = frame.y
        return self._last_diff

    def assume_moving(self, frame: Frame, time_s: float) -> FrameDiff:
        """Return the difference of a frame that is assumed to have changed everywhere, at a third of the cost.

        Cuts and edges that appear are found as usual. A frame that is identical to the last one is not moving.
        """
        if _identical(frame.y, self._last_luma):
            return self.compare(frame, time_s)
        luma = halve(frame.y, self._halvings)
        cut, onset = self._compare_with_previous(frame, luma, time_s)
        self._last_diff, self._last_luma = None, frame.y
        return FrameDiff(self._all_tiles(frame), 1.0, cut, onset)

    def set_reference(self, frame: Frame) -> None:
        """Compare the next frames with this one."""
        luma = halve(frame.y, self._halvings)
        self._reference = luma.copy() if luma is frame.y else luma
        self._contrast = self._last_diff = None

    def _compare(self, frame: Frame, time_s: float) -> FrameDiff:
        luma = halve(frame.y, self._halvings)
        cut, onset = self._compare_with_previous(frame, luma, time_s)
        if self._reference is None or self._reference.shape != luma.shape:
            mask = self._all_tiles(frame)
            return FrameDiff(mask, 1.0, cut=True, onset=np.asarray(mask.any(axis=1)))
        difference = cv2.absdiff(luma, self._reference)
        # In quarters of squared levels, which saturate at a difference of 32: strong edges need not count more.
        energy = halve(cv2.multiply(difference, difference, scale=0.25), _STEP.bit_length() - 1)
        cells = 2 * np.sqrt(cv2.boxFilter(energy, cv2.CV_32F, (2, 2)))
        noise = min(_noise(cells[::4, ::4]), CHANGE.max_noise)
        changed = cells > self._threshold + CHANGE.noise_gain * noise
        if changed.any() and float(changed.mean()) < CHANGE.max_flicker_share:
            changed &= cells > CHANGE.contrast_share * self._reference_contrast()
        mask = _tiles_with(changed)
        return FrameDiff(mask, float(mask.mean()), cut, onset)

    def _all_tiles(self, frame: Frame) -> np.ndarray:
        width, height = frame.size
        return np.ones((-(-height // self.tile), -(-width // self.tile)), dtype=bool)

    def _compare_with_previous(self, frame: Frame, luma: np.ndarray, time_s: float) -> tuple[bool, np.ndarray]:
        """Return (cut, onset) of ``FrameDiff``. luma: of the frame, at the resolution of the comparison."""
        half = halve(luma, 1)
        searched = luma if luma.shape[0] < CHANGE.onset_max_rows else half
        return self._is_cut(half), self._onset_rows(frame.size[1], searched, time_s)

    def _onset_rows(self, height: int, luma: np.ndarray, time_s: float) -> np.ndarray:
        """Return the rows of tiles of the frame, which is ``height`` pixels high, in which edges appeared."""
        found = np.zeros(-(-height // self.tile), dtype=bool)
        pixels = TILE * round(height / luma.shape[0])  # of the frame, in a row of onset tiles: a tile or half of one
        found[np.flatnonzero(self._onset.update(luma, time_s)) * pixels // self.tile] = True
        return found

    def _reference_contrast(self) -> np.ndarray:
        """Return the largest standard deviation in and around each cell of the reference, (rows, columns) float32."""
        if self._contrast is None:
            assert self._reference is not None
            small = halve(self._reference, 1).astype(np.float32)
            mean, square = (
                cv2.blur(halve(plane, _STEP.bit_length() - 2), (2, 2)) for plane in (small, np.square(small))
            )
            deviation = np.sqrt(np.maximum(square - np.square(mean), 0))
            self._contrast = cv2.dilate(deviation, np.ones((CHANGE.contrast_reach_cells,) * 2, dtype=np.uint8))
        return self._contrast

    def _is_cut(self, half: np.ndarray) -> bool:
        """Return whether most of the picture was replaced since the last call. half: luma at half the resolution."""
        previous, self._thumbnail = self._thumbnail, halve(half, 2)
        if previous is None or previous.shape != self._thumbnail.shape:
            return True
        if float(np.mean(cv2.absdiff(previous, self._thumbnail) > CHANGE.cut_levels)) < CHANGE.cut_share:
            return False
        return ncc(previous, self._thumbnail) < CHANGE.max_cut_ncc


def _identical(one: np.ndarray, other: np.ndarray | None) -> bool:
    """Return whether two planes are identical bit by bit."""
    if other is None or one.shape != other.shape:
        return False
    sample = slice(None, None, CHANGE.sample_rows)
    return np.array_equal(one[sample], other[sample]) and np.array_equal(one, other)


def _noise(cells: np.ndarray) -> float:
    rank = int(cells.size * CHANGE.noise_quantile)
    return float(np.partition(cells, rank, axis=None)[rank])


def _tiles_with(cells: np.ndarray) -> np.ndarray:
    """Return the tiles that contain any of the cells, (rows, columns) bool."""
    rows, columns = -(-cells.shape[0] // _STEPS_PER_TILE), -(-cells.shape[1] // _STEPS_PER_TILE)
    padded = np.zeros((rows * _STEPS_PER_TILE, columns * _STEPS_PER_TILE), dtype=np.uint8)
    padded[: cells.shape[0], : cells.shape[1]] = cells * np.uint8(255)
    return cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA) > 0
