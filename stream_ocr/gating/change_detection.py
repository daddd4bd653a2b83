"""Where a picture differs from the last one that was processed.

This is the cheapest gate: a frame in which nothing changed costs no detection at all. The comparison is with the
last *processed* frame, not with the previous one, so that a slow fade adds up until it is seen.

Means over cells of 8×8 pixels, the obvious measure, do not see a small digit change into another: what one stroke
adds another takes away, and 0.2 grey levels may be left. The root mean square of the differences does: for digits
of 7×10 pixels with a contrast of 40 it is 7 to 25 levels, while white noise of 5 levels, which makes 7 everywhere,
hardly makes more than 10 anywhere.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from stream_ocr.core.frame import Frame, halve, ncc
from stream_ocr.gating.edge_onset import TILE, EdgeOnset

_STEP = 4  # cells overlap by half, so that no change is cut in two by their borders
_TILE = 8  # steps along the side of a tile
_NOISE_GAIN = 0.55  # levels of threshold for each level of noise
_NOISE_LIMIT = 9.0  # what is louder than this is not noise
_FEW = 0.01  # of the cells: more are no flicker of a codec, and need not be looked at again
_OF_CONTRAST = 0.2  # codecs take such liberties with strong edges at each key frame: 0.13 and less was seen
_SPARSE = 24  # rows
_HIGHEST = 480  # rows, from which half the resolution is enough to see what appears
_CUT_SHARE = 0.5  # of the picture
_CUT_LEVELS = 10
_CUT_LIKENESS = 0.7  # correlation of the two pictures: a pan, a flash or a fade keeps it high, a cut does not


@dataclass(frozen=True, slots=True)
class FrameDiff:
    """What differs. mask: (rows, columns) bool, tiles of ``ChangeDetector.tile`` pixels from the top left corner on."""

    mask: np.ndarray
    fraction: float  # of the tiles
    cut: bool  # most of the picture became another one since the previous frame
    sudden: np.ndarray  # (rows,) bool: where edges appeared since the previous frame, as a text brings them

    def __bool__(self) -> bool:
        return self.fraction > 0


class ChangeDetector:
    """Compares the luma of each frame with that of the last one that was processed.

    A cell of ``cell`` × ``cell`` pixels has changed when the root mean square difference of its pixels exceeds
    ``threshold`` grey levels and a share of the noise, and a fifth of the contrast that was there. The noise is the
    75th percentile of that same measure in that same frame, over every fourth cell both ways: text covers less than a
    quarter of a picture, while sensor noise, the flicker of a codec at key frames or a change of light are everywhere.
    It is limited, so that a moving camera does not make the map blind, and needs no history. ``cell`` may be 8, 16 or
    32; 16 suits pictures of 4K. Frames that are the same to the bit, as codecs make them of still pictures, cost next
    to nothing.
    """

    def __init__(self, cell: int = 8, threshold: float = 7.0) -> None:
        if cell not in (8, 16, 32):
            raise ValueError(f"The cell of a change map must be 8, 16 or 32 pixels, not {cell}.")
        self.tile = cell // 2 * _TILE
        self._halvings = cell.bit_length() - 4
        self._threshold = threshold
        self._reference: np.ndarray | None = None
        self._contrasts: np.ndarray | None = None  # of the reference, for each cell
        self._previous: np.ndarray | None = None
        self._onset = EdgeOnset()
        self._last: np.ndarray | None = None  # luma of the last frame
        self._found: FrameDiff | None = None  # in it, held against the present reference

    def changed(self, frame: Frame) -> FrameDiff:
        """Compare a frame, whose luma is kept without a copy until the next one comes.

        Everything has changed while there is nothing of that size to compare it with.
        """
        if self._found is not None and _same(frame.y, self._last):
            self._onset.rest()
            self._found = replace(self._found, cut=False, sudden=np.zeros_like(self._found.sudden))
        else:
            self._found = self._compared(frame)
        self._last = frame.y
        return self._found

    def moving(self, frame: Frame) -> FrameDiff:
        """As ``changed``, at a third of the cost: everything is taken to have changed, unless nothing has at all.

        Cuts and what appears are found as ever.
        """
        if _same(frame.y, self._last):
            return self.changed(frame)
        luma = halve(frame.y, self._halvings)
        cut, sudden = self._came(frame, luma)
        self._found, self._last = None, frame.y
        return FrameDiff(self._everything(frame), 1.0, cut, sudden)

    def _compared(self, frame: Frame) -> FrameDiff:
        luma = halve(frame.y, self._halvings)
        cut, sudden = self._came(frame, luma)
        if self._reference is None or self._reference.shape != luma.shape:
            mask = self._everything(frame)
            return FrameDiff(mask, 1.0, cut=True, sudden=np.asarray(mask.any(axis=1)))
        difference = cv2.absdiff(luma, self._reference)
        # In quarters of squared levels, which saturate at a difference of 32: strong edges need not count more.
        energy = halve(cv2.multiply(difference, difference, scale=0.25), _STEP.bit_length() - 1)
        cells = 2 * np.sqrt(cv2.boxFilter(energy, cv2.CV_32F, (2, 2)))
        noise = min(_upper_quartile(cells[::4, ::4]), _NOISE_LIMIT)
        changed = cells > self._threshold + _NOISE_GAIN * noise
        if changed.any() and float(changed.mean()) < _FEW:
            changed &= cells > _OF_CONTRAST * self._contrast()
        mask = _tiles(changed)
        return FrameDiff(mask, float(mask.mean()), cut, sudden)

    def processed(self, frame: Frame) -> None:
        """Make a frame the one that the next ones are compared with."""
        luma = halve(frame.y, self._halvings)
        self._reference = luma.copy() if luma is frame.y else luma
        self._contrasts = self._found = None

    def _everything(self, frame: Frame) -> np.ndarray:
        width, height = frame.size
        return np.ones((-(-height // self.tile), -(-width // self.tile)), dtype=bool)

    def _came(self, frame: Frame, luma: np.ndarray) -> tuple[bool, np.ndarray]:
        """Whether there was a cut since the previous frame, and in which rows of tiles something appeared."""
        half = halve(luma, 1)
        return self._cut(half), self._sudden(frame.size[1], luma if luma.shape[0] < _HIGHEST else half)

    def _sudden(self, height: int, luma: np.ndarray) -> np.ndarray:
        """In rows of tiles of the frame, which is ``height`` pixels high."""
        found = np.zeros(-(-height // self.tile), dtype=bool)
        pixels = TILE * round(height / luma.shape[0])  # of the frame, in a row of the onset: a tile or half of one
        found[np.flatnonzero(self._onset.sudden(luma)) * pixels // self.tile] = True
        return found

    def _contrast(self) -> np.ndarray:
        """The greatest standard deviation in and round each cell of the reference, (rows, columns) float32."""
        if self._contrasts is None:
            assert self._reference is not None
            small = halve(self._reference, 1).astype(np.float32)
            mean, square = (
                cv2.blur(halve(plane, _STEP.bit_length() - 2), (2, 2)) for plane in (small, np.square(small))
            )
            deviation = np.sqrt(np.maximum(square - np.square(mean), 0))
            self._contrasts = cv2.dilate(deviation, np.ones((5, 5), dtype=np.uint8))
        return self._contrasts

    def _cut(self, half: np.ndarray) -> bool:
        """Whether the picture became another one since the last call."""
        previous, self._previous = self._previous, halve(half, 2)
        if previous is None or previous.shape != self._previous.shape:
            return True
        if float(np.mean(cv2.absdiff(previous, self._previous) > _CUT_LEVELS)) < _CUT_SHARE:
            return False
        return ncc(previous, self._previous) < _CUT_LIKENESS


def _same(one: np.ndarray, other: np.ndarray | None) -> bool:
    """Whether two planes are the same to the bit."""
    if other is None or one.shape != other.shape:
        return False
    few = slice(None, None, _SPARSE)  # rows which tell nearly all that differ
    return np.array_equal(one[few], other[few]) and np.array_equal(one, other)


def _upper_quartile(cells: np.ndarray) -> float:
    place = cells.size * 3 // 4
    return float(np.partition(cells, place, axis=None)[place])


def _tiles(cells: np.ndarray) -> np.ndarray:
    """Which tiles hold any of the cells."""
    rows, columns = -(-cells.shape[0] // _TILE), -(-cells.shape[1] // _TILE)
    padded = np.zeros((rows * _TILE, columns * _TILE), dtype=np.uint8)
    padded[: cells.shape[0], : cells.shape[1]] = cells * np.uint8(255)
    return cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA) > 0
