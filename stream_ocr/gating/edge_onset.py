"""Whether something sharp appeared from one frame to the next: a subtitle does, a pan and film grain seldom do.

Where a camera moves, everything changes all the time, and the change map says nothing. But a text that comes brings
edges at once to tiles that had few of them a frame before, and to neighbours in a row; and one that takes the place of
another brings other edges to tiles in which they stood still. The detector then looks at once, and may look seldom
otherwise: what comes without such a sign is still seen, a little later.
"""

import cv2
import numpy as np

TILE = 16
"""Pixels."""

_MORE, _TIMES = 2.0, 1.2  # grey levels of mean edge strength, and times what was there or left from beside it
_AROUND = np.ones((3, 3), dtype=np.uint8)
_FADE = 0.2  # of the memory of a tile a frame: what flickers appears once
_STANDS, _FALLS = 0.6, 1.0  # of the edges of a tile, how much differs while they stand still and when they are replaced
_STOOD = 5  # frames
_STRONG = 4.0  # mean edge strength of tiles of which that can be told
_LEFT = 0.5  # of the edges: with fewer, something only went away


class EdgeOnset:
    """Watches the edges of each frame, tile by tile."""

    def __init__(self) -> None:
        self._rises: np.ndarray = np.zeros((0, 0), dtype=np.uint8)
        self._edges: np.ndarray = np.zeros((0, 0), dtype=np.float32)
        self._before = self._stood = self._edges

    def sudden(self, luma: np.ndarray) -> np.ndarray:
        """Rows of tiles in which two neighbours have more edges than they had, or others, (H // TILE) bool.

        luma: (H, W) uint8, of a few hundred rows.
        """
        rows, columns = max(luma.shape[0] // TILE, 1), max(luma.shape[1] // TILE, 1)
        rises = cv2.Laplacian(luma, cv2.CV_8U)  # saturates at 0: one side of each edge is enough
        rises = rises[: rows * TILE, : columns * TILE]  # a whole number of tiles is eight times as fast as with a rest
        edges = _means(rises, (columns, rows))
        if self._rises.shape != rises.shape:
            self._before, self._stood = edges, np.zeros_like(edges)
            self._rises, self._edges = rises, edges
            return np.ones(rows, dtype=bool)
        new = self._grown(edges) | self._replaced(edges, _means(cv2.absdiff(rises, self._rises), (columns, rows)))
        self._rises, self._edges = rises, edges
        self._forget()
        return np.asarray((new[:, 1:] & new[:, :-1]).any(axis=1))

    def rest(self) -> None:
        """The same frame again, in which nothing appears; what there was before is forgotten a little more."""
        self._stood = np.where(self._edges > _STRONG, self._stood + 1, 0)
        self._forget()

    def _grown(self, edges: np.ndarray) -> np.ndarray:
        left = cv2.dilate(np.maximum(self._before - edges, 0), _AROUND)  # a tile beside it: what pans has only moved on
        known = self._before + left
        return np.asarray((edges > known + _MORE) & (edges > _TIMES * known))

    def _replaced(self, edges: np.ndarray, difference: np.ndarray) -> np.ndarray:
        """Tiles whose edges stood still until now, and are others now. difference: mean, of each tile's."""
        most, strong = np.maximum(edges, self._edges), edges > _STRONG
        replaced = strong & (self._stood >= _STOOD) & (difference > _FALLS * most) & (edges > _LEFT * self._edges)
        self._stood = np.where(strong & (difference < _STANDS * most), self._stood + 1, 0)
        return np.asarray(replaced)

    def _forget(self) -> None:
        self._before = np.maximum(self._edges, (1 - _FADE) * self._before + _FADE * self._edges)


def _means(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
