"""Outlines as plain numbers, without NumPy: those of texts in messages, and those that a user draws."""

from collections.abc import Sequence

Point = tuple[float, float]
Flat = tuple[float, float, float, float, float, float, float, float]
"""The corners of a quad (see ``geometry``), x and y in turn."""


def contains_point(outline: Sequence[Point], point: Point) -> bool:
    """Whether a point lies in a polygon: a ray from it to the right crosses the edges an odd number of times."""
    x, y = point
    crossings = 0
    for (x0, y0), (x1, y1) in zip(outline, [*outline[1:], outline[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            crossings += 1
    return crossings % 2 == 1
