"""Whether something sharp appeared from one frame to the next: a subtitle does, a pan and film grain seldom do.

Where a camera moves, everything changes all the time, and the change map says nothing. But a text that comes brings
edges at once to tiles that had few of them a frame before, and to neighbours in a row. The detector then looks at
once, and may look seldom otherwise: what comes without such a sign is still seen, a little later.
"""

import cv2
import numpy as np

TILE = 16
"""Pixels."""

_MORE, _TIMES = 2.0, 1.2  # grey levels of mean edge strength, and times what was there or left from beside it
_AROUND = np.ones((3, 3), dtype=np.uint8)
_FADE = 0.2  # of the memory of a tile a frame: what flickers appears once


class Onset:
    """Watches the edges of each frame, tile by tile."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._edges: np.ndarray | None = None

    def sudden(self, luma: np.ndarray) -> np.ndarray:
        """Rows of tiles in which two neighbours have more edges than they had, (H // TILE) bool.

        luma: (H, W) uint8, of a few hundred rows.
        """
        rises = cv2.Laplacian(luma, cv2.CV_8U)  # saturates at 0: one side of each edge is enough
        rows, columns = max(luma.shape[0] // TILE, 1), max(luma.shape[1] // TILE, 1)
        whole = rises[: rows * TILE, : columns * TILE]  # eight times as fast as with a rest
        edges = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32)
        before = self._before
        self._edges = edges
        if before is None or before.shape != edges.shape:
            self._before = edges
            return np.ones(rows, dtype=bool)
        left = cv2.dilate(np.maximum(before - edges, 0), _AROUND)  # a tile beside it: what pans has only moved on
        known = before + left
        new = (edges > known + _MORE) & (edges > _TIMES * known)
        self.rest()
        return np.asarray((new[:, 1:] & new[:, :-1]).any(axis=1))

    def rest(self) -> None:
        """The same frame again, in which nothing appears; what there was before is forgotten a little more."""
        if self._before is not None and self._edges is not None:
            self._before = np.maximum(self._edges, (1 - _FADE) * self._before + _FADE * self._edges)
