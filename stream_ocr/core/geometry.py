"""Quads in pixels of the source frame: x to the right, y down.

A quad is a float array of shape (4, 2), clockwise from the top left corner of the text. In messages it is a flat tuple
of eight numbers.
"""

from collections.abc import Iterable
from math import hypot

import numpy as np

from stream_ocr.core.thresholds import LINES
from stream_ocr.events.polygon import FlatQuad


def to_flat(quad: np.ndarray) -> FlatQuad:
    """Convert a (4, 2) quad to eight numbers for a message."""
    return tuple(np.asarray(quad, dtype=np.float64).reshape(8).tolist())  # type: ignore[return-value]


def from_flat(values: Iterable[float]) -> np.ndarray:
    """Convert eight numbers of a message to a (4, 2) quad."""
    return np.asarray(tuple(values), dtype=np.float64).reshape(4, 2)


def relative_centre(quad: FlatQuad, size: tuple[int, int]) -> tuple[float, float]:
    """Return the centre of a quad, as fractions of the width and height of the frame. size: (width, height)."""
    x, y = from_flat(quad).mean(axis=0).tolist()
    return x / size[0], y / size[1]


def rectangle(x: float, y: float, width: float, height: float) -> np.ndarray:
    """Return the quad of an upright rectangle."""
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=np.float64)


def side_lengths(quad: np.ndarray) -> tuple[float, float]:
    """Return (width, height): the mean length of the sides along and across the reading direction."""
    # Plain numbers: NumPy takes ten times as long for four corners.
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = quad.tolist()
    width = hypot(x1 - x0, y1 - y0) + hypot(x2 - x3, y2 - y3)
    height = hypot(x3 - x0, y3 - y0) + hypot(x2 - x1, y2 - y1)
    return width / 2, height / 2


def expand(quad: np.ndarray, heights: float) -> np.ndarray:
    """Return a quad that is larger on every side by a multiple of its height."""
    width, height = side_lengths(quad)
    along = (quad[1] - quad[0] + quad[2] - quad[3]) / max(2 * width, 1e-6) * heights * height
    across = (quad[3] - quad[0] + quad[2] - quad[1]) / max(2 * height, 1e-6) * heights * height
    return np.asarray(quad + np.stack([-along - across, along - across, along + across, across - along]))


def bounding_box(quad: np.ndarray) -> tuple[float, float, float, float]:
    """Return the upright bounding box of a quad: (left, top, right, bottom)."""
    xs, ys = quad.T.tolist()
    return min(xs), min(ys), max(xs), max(ys)


def is_inside(quad: np.ndarray, size: tuple[int, int], margin: float = LINES.edge_margin_px) -> bool:
    """Return True if a quad keeps ``margin`` pixels from the edges of a picture of some (width, height)."""
    left, top, right, bottom = bounding_box(quad)
    return left >= margin and top >= margin and right <= size[0] - margin and bottom <= size[1] - margin


def order_corners(corners: np.ndarray) -> np.ndarray:
    """Order the corners of rectangles clockwise from the top left corner of their text.

    Text is assumed to run along the longer side. Nearly square boxes (``LineThresholds.upright_ratio``) are read along
    their flattest side, so that a lone "1" is not rotated. Text is read from left to right; along a nearly vertical
    long side it is read from bottom to top, as on a rotated sign, so that small changes of the angle do not reverse it.

    corners: (..., 4, 2), each four in any order. Returns the same shape.
    """
    centred = corners - corners.mean(axis=-2, keepdims=True)
    clockwise = np.argsort(np.arctan2(centred[..., 1], centred[..., 0]), axis=-1)
    around = np.take_along_axis(corners, clockwise[..., None], axis=-2)
    sides = np.roll(around, -1, axis=-2) - around
    lengths = np.linalg.norm(sides, axis=-1)
    towards = sides / np.maximum(lengths, 1e-9)[..., None]
    rightward, upward = towards[..., 0], -towards[..., 1]

    flattest = rightward + 1e-6 * upward  # breaks ties between two sides at 45°
    opposite = (lengths + np.roll(lengths, 2, axis=-1)) / 2
    shorter, longer = opposite.min(axis=-1, keepdims=True), opposite.max(axis=-1, keepdims=True)
    steep = np.abs(upward) > np.cos(np.deg2rad(LINES.vertical_deg))
    # A direction has a value of at most 1, so that subtracting 4 rules out the short sides.
    along = np.where(steep, upward, rightward) - np.where(opposite < longer, 4.0, 0.0)
    elongated = longer > LINES.upright_ratio * shorter
    first = np.argmax(np.where(elongated, along, flattest), axis=-1)
    order = (first[..., None] + np.arange(4)) % 4
    return np.take_along_axis(around, order[..., None], axis=-2)


def uncovered_end(quad: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the longer end of the line ``quad`` that extends beyond the line ``other``.

    Returns the whole quad if no end extends beyond the other line.
    """
    along = quad[1] - quad[0]
    length = max(float(np.linalg.norm(along)), 1e-9)
    start, end = np.sort((other - quad[0]) @ along / length**2)[[0, -1]].clip(0, 1)
    first, last = (0.0, start) if start > 1 - end else (end, 1.0)
    if last <= first:
        return quad
    top, bottom = quad[1] - quad[0], quad[2] - quad[3]
    return np.array([quad[0] + first * top, quad[0] + last * top, quad[3] + last * bottom, quad[3] + first * bottom])
