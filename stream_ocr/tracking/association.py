"""Association of detections with tracks.

Text boxes are thin: a shift by half a line leaves hardly any overlap of areas, although the line is clearly the same.
So the two directions are compared separately: along the line by the overlap of spans, across it in line heights.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import hypot

import numpy as np
from scipy.optimize import linear_sum_assignment

from stream_ocr.core.geometry import side_lengths
from stream_ocr.tracking.thresholds import ASSOCIATION, TRACKER


def line_affinity(a: np.ndarray, b: np.ndarray) -> float:
    """Return how well quad ``b`` continues quad ``a``: 1 = the same line, 0 = another one. Quads: (4, 2)."""
    spans, distance, heights = _compare_lines(a, b)
    (start_a, end_a), (start_b, end_b) = spans
    common = min(end_a, end_b) - max(start_a, start_b)
    if common <= 0:
        return 0.0
    along = common / (max(end_a, end_b) - min(start_a, start_b))
    across = max(0.0, 1 - distance / (ASSOCIATION.max_distance * sum(heights)))
    return float(along * across * min(heights) / max(heights))


def line_coverage(part: np.ndarray, whole: np.ndarray) -> float:
    """Return the share of the line ``part`` that lies on the line ``whole``; 0 for different lines or sizes."""
    spans, distance, (height, part_height) = _compare_lines(whole, part)
    (start_w, end_w), (start_p, end_p) = spans
    if (
        distance > ASSOCIATION.max_part_distance * max(height, part_height)
        or height < ASSOCIATION.min_height_ratio * part_height
    ):
        return 0.0
    # A box that was much too high may still be of this line, but a line at its edge is one of two.
    if part_height < ASSOCIATION.thin_part_ratio * height and (
        distance > ASSOCIATION.max_thin_distance * height or part_height < ASSOCIATION.min_thin_ratio * height
    ):
        return 0.0
    return float(max(0.0, min(end_w, end_p) - max(start_w, start_p)) / max(end_p - start_p, 1e-6))


def join_words(words: Sequence[np.ndarray], line: np.ndarray) -> np.ndarray | None:
    """Return the quad round words that together make up ``line``, (4, 2) each; None if they are parts or columns."""
    along, across = line[1] - line[0], line[3] - line[0]
    axes = np.stack([along / max(np.linalg.norm(along), 1e-6), across / max(np.linalg.norm(across), 1e-6)])
    height = side_lengths(line)[1]
    spans = sorted((float(x.min()), float(x.max())) for x in (word @ axes[0] for word in words))
    gaps = [start - end for (_, end), (start, _) in pairwise(spans)]
    low, high = (bound(np.stack([word @ axes.T for word in words]), axis=(0, 1)) for bound in (np.min, np.max))
    corners = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
    joined = np.linalg.solve(axes, corners.T).T
    same = line_affinity(line, joined) > ASSOCIATION.min_joined_affinity
    return joined if same and max(gaps, default=0.0) < ASSOCIATION.max_word_gap * height else None


def keep_grouping(found: Sequence[tuple[np.ndarray, float]], line: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Return detections, (4, 2) and scores, with those of words joined that together make up ``line``.

    How a detector groups words may change with every frame.
    """
    is_word = [line_coverage(quad, line) > TRACKER.min_coverage for quad, _ in found]
    words = [each for each, within in zip(found, is_word, strict=True) if within]
    joined = join_words([quad for quad, _ in words], line) if len(words) > 1 else None
    if joined is None:
        return [*found]
    others = [each for each, within in zip(found, is_word, strict=True) if not within]
    return [*others, (joined, max(score for _, score in words))]


def assign(
    tracks: Sequence[np.ndarray], detections: Sequence[np.ndarray], *, min_affinity: float
) -> list[tuple[int, int]]:
    """Return pairs (track, detection), one to one, with the greatest sum of affinities (Hungarian algorithm).

    Both are sequences of (4, 2) quads. Pairs below ``min_affinity`` are left out.
    """
    if not tracks or not detections:
        return []
    values = np.array([[line_affinity(track, detection) for detection in detections] for track in tracks])
    rows, columns = linear_sum_assignment(-values)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if values[i, j] >= min_affinity]


def _compare_lines(
    a: np.ndarray, b: np.ndarray
) -> tuple[tuple[tuple[float, float], tuple[float, float]], float, tuple[float, float]]:
    """Return the spans of both along the line of ``a``, the distance across it, and both heights."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = a.tolist()
    x, y = x1 - x0 + x2 - x3, y1 - y0 + y2 - y3
    length = max(hypot(x, y), 1e-9)
    x, y = x / length, y / length
    (width_a, height_a), (width_b, height_b) = side_lengths(a), side_lengths(b)
    xs, ys = b.T.tolist()
    offset_x, offset_y = (sum(xs) - x0 - x1 - x2 - x3) / 4, (sum(ys) - y0 - y1 - y2 - y3) / 4
    centre_b = offset_x * x + offset_y * y
    spans = ((-width_a / 2, width_a / 2), (centre_b - width_b / 2, centre_b + width_b / 2))
    return spans, abs(offset_y * x - offset_x * y), (max(height_a, 1e-6), max(height_b, 1e-6))
