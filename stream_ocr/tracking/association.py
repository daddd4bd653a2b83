"""Which detected region is which track.

Text boxes are thin: a shift of half a line leaves no overlap of areas, though everybody sees that it is the same
line. So the two directions are judged apart, along the line by the overlap of spans, across it in line heights.
"""

from collections.abc import Sequence
from math import hypot

import numpy as np
from scipy.optimize import linear_sum_assignment

from stream_ocr.core.geometry import extent


def affinity(a: np.ndarray, b: np.ndarray) -> float:
    """How well quad ``b`` continues quad ``a``: 1 = the same, 0 = something else."""
    spans, distance, heights = _relation(a, b)
    (start_a, end_a), (start_b, end_b) = spans
    common = min(end_a, end_b) - max(start_a, start_b)
    if common <= 0:
        return 0.0
    along = common / (max(end_a, end_b) - min(start_a, start_b))
    across = max(0.0, 1 - distance / (0.4 * sum(heights)))
    return float(along * across * min(heights) / max(heights))


def covered(part: np.ndarray, whole: np.ndarray) -> float:
    """The share of the line ``part`` that lies on the line ``whole``; 0 when they are different lines or sizes."""
    spans, distance, (height, part_height) = _relation(whole, part)
    (start_w, end_w), (start_p, end_p) = spans
    highest = max(height, part_height)
    if distance > 0.6 * highest or height < 0.5 * part_height:
        return 0.0
    # A box that was much too high may still be of this line, but a line at its edge is one of two.
    if part_height < 0.5 * height and (distance > 0.2 * height or part_height < 0.35 * height):
        return 0.0
    return float(max(0.0, min(end_w, end_p) - max(start_w, start_p)) / max(end_p - start_p, 1e-6))


def assign(tracks: Sequence[np.ndarray], regions: Sequence[np.ndarray], *, least: float) -> list[tuple[int, int]]:
    """Pairs (track, region), one to one, with the greatest sum of affinities, none below ``least``."""
    if not tracks or not regions:
        return []
    values = np.array([[affinity(track, region) for region in regions] for track in tracks])
    rows, columns = linear_sum_assignment(-values)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if values[i, j] >= least]


def _relation(
    a: np.ndarray, b: np.ndarray
) -> tuple[tuple[tuple[float, float], tuple[float, float]], float, tuple[float, float]]:
    """Spans of both along the line of ``a``, distance of the lines across it, and both heights."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = a.tolist()
    x, y = x1 - x0 + x2 - x3, y1 - y0 + y2 - y3
    length = max(hypot(x, y), 1e-9)
    x, y = x / length, y / length
    (width_a, height_a), (width_b, height_b) = extent(a), extent(b)
    xs, ys = b.T.tolist()
    offset_x, offset_y = (sum(xs) - x0 - x1 - x2 - x3) / 4, (sum(ys) - y0 - y1 - y2 - y3) / 4
    centre_b = offset_x * x + offset_y * y
    spans = ((-width_a / 2, width_a / 2), (centre_b - width_b / 2, centre_b + width_b / 2))
    return spans, abs(offset_y * x - offset_x * y), (max(height_a, 1e-6), max(height_b, 1e-6))
