"""Polygons as plain numbers, without NumPy, so that processes without NumPy can use events and settings."""

from collections.abc import Sequence

Point = tuple[float, float]
FlatQuad = tuple[float, float, float, float, float, float, float, float]
"""Corners of a quad (see ``core.geometry``): x0, y0, x1, y1, x2, y2, x3, y3."""


def contains_point(polygon: Sequence[Point], point: Point) -> bool:
    """Return True if a point lies in a polygon (even-odd rule)."""
    x, y = point
    crossings = 0
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            crossings += 1
    return crossings % 2 == 1
