"""Detection of edges that appear suddenly: a subtitle brings them, a pan and film grain seldom do.

Where a camera moves, everything changes all the time, and change detection is of no use. Text that appears brings
edges to tiles that had few of them a frame before, and to neighbouring tiles in a row. Text that replaces another
brings different edges to tiles whose edges stood still. The detector then runs at once, and may run seldom otherwise:
text that appears without such a sign is found a little later.
"""

import math

import cv2
import numpy as np

from stream_ocr.gating.thresholds import EDGE_ONSET, TIME_TOLERANCE_S

TILE = 16
"""Side of a tile in pixels."""

_NEIGHBOURS = np.ones((3, 3), dtype=np.uint8)


class EdgeOnset:
    """Compares the edges of each frame with those of the frames before, tile by tile."""

    def __init__(self) -> None:
        self._laplacian: np.ndarray = np.zeros((0, 0), dtype=np.uint8)
        self._edges: np.ndarray = np.zeros((0, 0), dtype=np.float32)  # mean edge strength of each tile
        self._memory = self._static_s = self._edges
        self._last_s = 0.0

    def update(self, luma: np.ndarray, time_s: float) -> np.ndarray:
        """Return the rows of tiles in which two neighbours have gained edges or exchanged them, (H // TILE,) bool.

        luma: (H, W) uint8, of a few hundred rows. time_s: media time.
        """
        rows, columns = max(luma.shape[0] // TILE, 1), max(luma.shape[1] // TILE, 1)
        laplacian = cv2.Laplacian(luma, cv2.CV_8U)  # saturates at 0: one side of each edge is enough
        laplacian = laplacian[: rows * TILE, : columns * TILE]  # whole tiles are eight times as fast as with a rest
        edges = _tile_means(laplacian, (columns, rows))
        passed_s = self._passed_s(time_s)
        if self._laplacian.shape != laplacian.shape:
            self._memory, self._static_s = edges, np.zeros_like(edges)
            self._laplacian, self._edges = laplacian, edges
            return np.ones(rows, dtype=bool)
        difference = _tile_means(cv2.absdiff(laplacian, self._laplacian), (columns, rows))
        new = self._gained(edges) | self._replaced(edges, difference, passed_s)
        self._laplacian, self._edges = laplacian, edges
        self._forget(passed_s)
        return np.asarray((new[:, 1:] & new[:, :-1]).any(axis=1))

    def update_unchanged(self, time_s: float) -> None:
        """Update for a frame that is identical to the last one: nothing appears in it."""
        passed_s = self._passed_s(time_s)
        self._static_s = np.where(self._edges > EDGE_ONSET.min_strength, self._static_s + passed_s, 0)
        self._forget(passed_s)

    def _passed_s(self, time_s: float) -> float:
        passed_s, self._last_s = max(time_s - self._last_s, 0.0), time_s
        return passed_s

    def _gained(self, edges: np.ndarray) -> np.ndarray:
        # Edges that left a neighbouring tile do not count: in a pan they have only moved on.
        departed = cv2.dilate(np.maximum(self._memory - edges, 0), _NEIGHBOURS)
        known = self._memory + departed
        return np.asarray((edges > known + EDGE_ONSET.min_growth) & (edges > EDGE_ONSET.min_growth_factor * known))

    def _replaced(self, edges: np.ndarray, difference: np.ndarray, passed_s: float) -> np.ndarray:
        """Return the tiles whose edges were static and are different now. difference: mean of each tile."""
        strongest, strong = np.maximum(edges, self._edges), edges > EDGE_ONSET.min_strength
        replaced = (
            strong
            & (self._static_s >= EDGE_ONSET.min_static_s - TIME_TOLERANCE_S)
            & (difference > EDGE_ONSET.replaced_difference * strongest)
            & (edges > EDGE_ONSET.min_remaining * self._edges)
        )
        static = strong & (difference < EDGE_ONSET.static_difference * strongest)
        self._static_s = np.where(static, self._static_s + passed_s, 0)
        return np.asarray(replaced)

    def _forget(self, passed_s: float) -> None:
        kept = math.exp(-passed_s / EDGE_ONSET.memory_time_constant_s)
        self._memory = np.maximum(self._edges, kept * self._memory + (1 - kept) * self._edges)


def _tile_means(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
