"""Quads in pixels of the source frame: x to the right, y down.

A quad is a float array of shape (4, 2), clockwise, beginning at the top left corner as the text is read.
On the wire it is a flat tuple of eight numbers.
"""

from collections.abc import Iterable
from math import hypot

import numpy as np

from stream_ocr.events.polygon import Flat


def flat(quad: np.ndarray) -> Flat:
    """The eight numbers of a (4, 2) quad, for a message."""
    return tuple(np.asarray(quad, dtype=np.float64).reshape(8).tolist())  # type: ignore[return-value]


def unflat(values: Iterable[float]) -> np.ndarray:
    """The (4, 2) quad of eight numbers."""
    return np.asarray(tuple(values), dtype=np.float64).reshape(4, 2)


def rectangle(x: float, y: float, width: float, height: float) -> np.ndarray:
    """An upright quad."""
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=np.float64)


def extent(quad: np.ndarray) -> tuple[float, float]:
    """Mean length of the sides along and across the reading direction: (width, height)."""
    # Plain numbers: for four corners NumPy takes ten times as long.
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = quad.tolist()
    width = hypot(x1 - x0, y1 - y0) + hypot(x2 - x3, y2 - y3)
    height = hypot(x3 - x0, y3 - y0) + hypot(x2 - x1, y2 - y1)
    return width / 2, height / 2


def grown(quad: np.ndarray, by: float) -> np.ndarray:
    """A quad that is larger by ``by`` heights on every side."""
    width, height = extent(quad)
    along = (quad[1] - quad[0] + quad[2] - quad[3]) / max(2 * width, 1e-6) * by * height
    across = (quad[3] - quad[0] + quad[2] - quad[1]) / max(2 * height, 1e-6) * by * height
    return np.asarray(quad + np.stack([-along - across, along - across, along + across, across - along]))


def bounds(quad: np.ndarray) -> tuple[float, float, float, float]:
    """The upright box round a quad: (left, top, right, bottom)."""
    xs, ys = quad.T.tolist()
    return min(xs), min(ys), max(xs), max(ys)


def inside(quad: np.ndarray, size: tuple[int, int], margin: float = 2.0) -> bool:
    """Whether a quad keeps ``margin`` pixels from the edges of a picture of that (width, height)."""
    left, top, right, bottom = bounds(quad)
    return left >= margin and top >= margin and right <= size[0] - margin and bottom <= size[1] - margin


def reading_order(corners: np.ndarray, *, upright_ratio: float = 2.5) -> np.ndarray:
    """Order the corners of a rectangle clockwise from where its text begins to be read.

    Text is taken to run along the longer side, except that boxes up to ``upright_ratio`` times as long as wide are
    read along the side that lies flattest, so that a lone "1" is not turned. Of the two directions along that side
    the one that points to the right is taken; a long side within 20° of vertical is read from the bottom to the top,
    as on a rotated sign, so that a small wobble about the vertical does not turn it round.

    corners: (..., 4, 2), each four in any order. Returns the same shape.
    """
    centred = corners - corners.mean(axis=-2, keepdims=True)
    clockwise = np.argsort(np.arctan2(centred[..., 1], centred[..., 0]), axis=-1)
    around = np.take_along_axis(corners, clockwise[..., None], axis=-2)
    sides = np.roll(around, -1, axis=-2) - around
    lengths = np.linalg.norm(sides, axis=-1)
    towards = sides / np.maximum(lengths, 1e-9)[..., None]
    rightward, upward = towards[..., 0], -towards[..., 1]

    flattest = rightward + 1e-6 * upward
    opposite = (lengths + np.roll(lengths, 2, axis=-1)) / 2
    shorter, longer = opposite.min(axis=-1, keepdims=True), opposite.max(axis=-1, keepdims=True)
    steep = np.abs(upward) > np.cos(np.deg2rad(20.0))
    along = np.where(steep, upward, rightward) - np.where(opposite < longer, 4.0, 0.0)
    turned = longer > upright_ratio * shorter
    first = np.argmax(np.where(turned, along, flattest), axis=-1)
    order = (first[..., None] + np.arange(4)) % 4
    return np.take_along_axis(around, order[..., None], axis=-2)


def beyond(quad: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The end of a line ``quad`` that lies beyond the line ``other``, on the side on which more of it does; all of it
    where nothing does."""
    along = quad[1] - quad[0]
    length = max(float(np.linalg.norm(along)), 1e-9)
    start, end = np.sort((other - quad[0]) @ along / length**2)[[0, -1]].clip(0, 1)
    first, last = (0.0, start) if start > 1 - end else (end, 1.0)
    if last <= first:
        return quad
    top, bottom = quad[1] - quad[0], quad[2] - quad[3]
    return np.array([quad[0] + first * top, quad[0] + last * top, quad[3] + last * bottom, quad[3] + first * bottom])
