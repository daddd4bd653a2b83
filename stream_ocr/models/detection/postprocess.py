"""From the probability map to quads: kernels, smallest rectangles, and the exact inverse of the shrinking.

A detector of this kind marks shrunken kernels so that neighbouring lines stay apart; each kernel is grown back here.
Coordinates are continuous: pixel (i, j) of the map covers [j, j + 1] × [i, i + 1], so that multiplying by the stride
of the map gives pixels of the picture, without offsets.
"""

import cv2
import numpy as np
import pyclipper

from stream_ocr.core.geometry import reading_order

SHRINK = 0.6
"""Shrink ratio r that the shipped weights were trained with."""

MAX_CANDIDATES = 1000
"""At most so many kernels of a map are looked at, the largest, so that noise cannot stall a stream."""

SMALLEST = 1.0
"""Kernels whose shorter side is below this many map pixels (a single row of noise) are dropped."""


def find_boxes(
    p_HW: np.ndarray,
    *,
    binarise: float = 0.3,
    score: float = 0.6,
    unclip: float = 1.1,
    max_boxes: int = 500,
    shrink: float = SHRINK,
) -> list[tuple[np.ndarray, float]]:
    """Quads of the text in a probability map.

    p_HW: (H, W) probabilities. binarise: a pixel above it belongs to a kernel. score: kernels with a lower mean
    probability are dropped. unclip: growth relative to the exact inverse of the shrinking. max_boxes: at most so many,
    the best ones. shrink: the ratio r of the training targets.

    Returns (quad, score) pairs, best first, quad (4, 2) float64 in map pixels from the reading direction's top left.
    """
    kernels, scores_N = _kernels(p_HW, binarise, score, max_boxes)
    if not kernels:
        return []
    rectangles = [cv2.minAreaRect(kernel) for kernel in kernels]
    centres_N2 = np.array([r[0] for r in rectangles], dtype=np.float64) + 0.5
    sizes_N2 = np.array([r[1] for r in rectangles], dtype=np.float64) + 1.0
    angles_N = np.deg2rad([r[2] for r in rectangles])

    keep_N = sizes_N2.min(axis=1) > SMALLEST
    centres_N2, sizes_N2, angles_N, scores_N = centres_N2[keep_N], sizes_N2[keep_N], angles_N[keep_N], scores_N[keep_N]
    sizes_N2 = sizes_N2 + 2 * unclip * unclip_distance(sizes_N2, shrink)[:, None]
    quads_N42 = reading_order(_corners(centres_N2, sizes_N2, angles_N))
    return list(zip(quads_N42, scores_N.tolist(), strict=True))


def find_polygons(
    p_HW: np.ndarray,
    *,
    binarise: float = 0.3,
    score: float = 0.6,
    unclip: float = 1.1,
    max_boxes: int = 500,
    shrink: float = SHRINK,
) -> list[tuple[np.ndarray, float]]:
    """As ``find_boxes``, for curved text: each kernel's own outline, grown with pyclipper.

    Returns (polygon, score) pairs, polygon (K, 2) float64 in map pixels, clockwise.
    """
    found = []
    for kernel, mean in zip(*_kernels(p_HW, binarise, score, max_boxes), strict=True):
        size = np.array(cv2.minAreaRect(kernel)[1], dtype=np.float64) + 1.0
        if size.min() <= SMALLEST:
            continue
        # Half a pixel more, since a contour runs through the centres of the border pixels.
        grow = unclip * float(unclip_distance(size[None], shrink)[0]) + 0.5
        outline = cv2.approxPolyDP(kernel, 0.5, True)
        offset = pyclipper.PyclipperOffset()  # clips integers: sixteenths of a pixel
        offset.AddPath((outline[:, 0] * 16).tolist(), pyclipper.JT_MITER, pyclipper.ET_CLOSEDPOLYGON)
        grown = max(offset.Execute(grow * 16), key=pyclipper.Area, default=None)
        if grown is not None:
            found.append((np.array(grown, dtype=np.float64) / 16 + 0.5, float(mean)))
    return found


def unclip_distance(sizes_N2: np.ndarray, shrink: float) -> np.ndarray:
    """How far each side of a shrunken rectangle must move out again, (N,): the exact inverse for rectangles.

    Targets move every side of a w × h rectangle in by D = w h (1 - r²) / (2 (w + h)). With the sides w' = w - 2D and
    h' = h - 2D, k = 1 - r², L = 2 (w' + h') and A = w' h' that is the positive root of
    (8 - 4k) D² + L (1 - k) D - k A = 0.
    """
    k = 1.0 - shrink * shrink
    length_N, area_N = 2 * sizes_N2.sum(axis=1), sizes_N2.prod(axis=1)
    a, b_N = 8.0 - 4.0 * k, length_N * (1.0 - k)
    distance_N: np.ndarray = (np.sqrt(b_N * b_N + 4 * a * k * area_N) - b_N) / (2 * a)
    return distance_N


def _kernels(p_HW: np.ndarray, binarise: float, score: float, max_boxes: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Outlines (K, 1, 2) of the kernels that pass ``score``, best first, and their mean probabilities (N,)."""
    p_HW = np.ascontiguousarray(p_HW, dtype=np.float32)
    mask_HW = (p_HW > binarise).view(np.uint8)
    contours, hierarchy = cv2.findContours(mask_HW, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return [], np.zeros(0)
    # Those without a parent are outlines, also of kernels inside the hole of another one; the rest are holes.
    outlines = [contour for contour, parent in zip(contours, hierarchy[0, :, 3], strict=True) if parent < 0]
    if len(outlines) > MAX_CANDIDATES:
        outlines = sorted(outlines, key=cv2.contourArea, reverse=True)[:MAX_CANDIDATES]
    means_N = np.array([_mean_inside(p_HW, outline) for outline in outlines])
    best = [i for i in np.argsort(-means_N, kind="stable")[:max_boxes] if means_N[i] >= score]
    return [outlines[i] for i in best], means_N[best]


def _mean_inside(p_HW: np.ndarray, outline: np.ndarray) -> float:
    """Mean probability inside an outline; holes count, so that empty frames score low."""
    x, y, width, height = cv2.boundingRect(outline)
    inside = np.zeros((height, width), np.uint8)
    cv2.drawContours(inside, [outline], -1, 1, thickness=-1, offset=(-x, -y))
    return cv2.mean(p_HW[y : y + height, x : x + width], inside)[0]


def _corners(centres_N2: np.ndarray, sizes_N2: np.ndarray, angles_N: np.ndarray) -> np.ndarray:
    """Corners (N, 4, 2) of rectangles turned by ``angles_N`` radians, clockwise."""
    along_N2 = np.stack([np.cos(angles_N), np.sin(angles_N)], axis=1) * sizes_N2[:, :1] / 2
    across_N2 = np.stack([-np.sin(angles_N), np.cos(angles_N)], axis=1) * sizes_N2[:, 1:] / 2
    offsets = [-along_N2 - across_N2, along_N2 - across_N2, along_N2 + across_N2, across_N2 - along_N2]
    corners_N42: np.ndarray = centres_N2[:, None] + np.stack(offsets, axis=1)
    return corners_N42
