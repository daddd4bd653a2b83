"""DB post-processing: turn a probability map into quads or polygons (Liao et al., arXiv 1911.08947).

DBNet marks shrunken text kernels so that neighbouring lines stay apart; each kernel is grown back ("unclipped") here.
Coordinates are continuous: pixel (i, j) of the map covers [j, j + 1] × [i, i + 1], so multiplying by the stride of the
map gives pixels of the image without an offset.
"""

import cv2
import numpy as np
import pyclipper

from stream_ocr.core.geometry import order_corners
from stream_ocr.models.detection.thresholds import THRESHOLDS

_CLIPPER_SCALE = 16  # pyclipper works on integers: sixteenths of a pixel


def find_boxes(
    p_HW: np.ndarray,
    *,
    bin_thresh: float = THRESHOLDS.bin_thresh,
    box_thresh: float = THRESHOLDS.box_thresh,
    unclip_ratio: float = THRESHOLDS.unclip_ratio,
    max_boxes: int = THRESHOLDS.max_boxes,
    shrink: float = THRESHOLDS.shrink,
) -> list[tuple[np.ndarray, float]]:
    """Return the (quad, score) pairs of the text in a probability map, highest score first.

    p_HW: (H, W) probabilities. bin_thresh: pixels above it belong to a kernel. box_thresh: kernels with a lower mean
    probability are dropped. unclip_ratio: growth relative to the exact inverse of the shrinking. max_boxes: the most
    boxes to return. shrink: shrink ratio r of the training targets.

    A quad is (4, 2) float64 in map pixels, clockwise from the top left corner as the text is read.
    """
    kernels, scores_N = _kernels(p_HW, bin_thresh, box_thresh, max_boxes)
    if not kernels:
        return []
    rectangles = [cv2.minAreaRect(kernel) for kernel in kernels]
    centres_N2 = np.array([r[0] for r in rectangles], dtype=np.float64) + 0.5
    sizes_N2 = np.array([r[1] for r in rectangles], dtype=np.float64) + 1.0
    angles_N = np.deg2rad([r[2] for r in rectangles])

    keep_N = sizes_N2.min(axis=1) > THRESHOLDS.min_kernel_side_px
    centres_N2, sizes_N2, angles_N, scores_N = centres_N2[keep_N], sizes_N2[keep_N], angles_N[keep_N], scores_N[keep_N]
    sizes_N2 = sizes_N2 + 2 * unclip_ratio * unclip_distance(sizes_N2, shrink)[:, None]
    quads_N42 = order_corners(_corners(centres_N2, sizes_N2, angles_N))
    return list(zip(quads_N42, scores_N.tolist(), strict=True))


def find_polygons(
    p_HW: np.ndarray,
    *,
    bin_thresh: float = THRESHOLDS.bin_thresh,
    box_thresh: float = THRESHOLDS.box_thresh,
    unclip_ratio: float = THRESHOLDS.unclip_ratio,
    max_boxes: int = THRESHOLDS.max_boxes,
    shrink: float = THRESHOLDS.shrink,
) -> list[tuple[np.ndarray, float]]:
    """Return the (polygon, score) pairs of the text in a probability map, highest score first.

    For curved text: each kernel's own outline is grown with pyclipper. Parameters as in ``find_boxes``. A polygon is
    (K, 2) float64 in map pixels, clockwise.
    """
    polygons = []
    for kernel, mean in zip(*_kernels(p_HW, bin_thresh, box_thresh, max_boxes), strict=True):
        size = np.array(cv2.minAreaRect(kernel)[1], dtype=np.float64) + 1.0
        if size.min() <= THRESHOLDS.min_kernel_side_px:
            continue
        # Half a pixel more, since a contour runs through the centres of the border pixels.
        grow = unclip_ratio * float(unclip_distance(size[None], shrink)[0]) + 0.5
        outline = cv2.approxPolyDP(kernel, THRESHOLDS.polygon_tolerance_px, True)
        offset = pyclipper.PyclipperOffset()
        offset.AddPath((outline[:, 0] * _CLIPPER_SCALE).tolist(), pyclipper.JT_MITER, pyclipper.ET_CLOSEDPOLYGON)
        grown = max(offset.Execute(grow * _CLIPPER_SCALE), key=pyclipper.Area, default=None)
        if grown is not None:
            polygons.append((np.array(grown, dtype=np.float64) / _CLIPPER_SCALE + 0.5, float(mean)))
    return polygons


def unclip_distance(sizes_N2: np.ndarray, shrink: float) -> np.ndarray:
    """Return the distance (N,) by which each side of a shrunken rectangle must move out: the exact inverse.

    sizes_N2: widths and heights of shrunken rectangles. shrink: the ratio r.

    Training targets move every side of a w × h rectangle in by D = w h (1 - r²) / (2 (w + h)). With the shrunken sides
    w' = w - 2D and h' = h - 2D, k = 1 - r², L = 2 (w' + h') and A = w' h', D is the positive root of
    (8 - 4k) D² + L (1 - k) D - k A = 0.
    """
    k = 1.0 - shrink * shrink
    length_N, area_N = 2 * sizes_N2.sum(axis=1), sizes_N2.prod(axis=1)
    a, b_N = 8.0 - 4.0 * k, length_N * (1.0 - k)
    distance_N: np.ndarray = (np.sqrt(b_N * b_N + 4 * a * k * area_N) - b_N) / (2 * a)
    return distance_N


def _kernels(
    p_HW: np.ndarray, bin_thresh: float, box_thresh: float, max_boxes: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return outlines (K, 1, 2) of the kernels that pass ``box_thresh``, best first, and their mean probabilities."""
    p_HW = np.ascontiguousarray(p_HW, dtype=np.float32)
    mask_HW = (p_HW > bin_thresh).view(np.uint8)
    contours, hierarchy = cv2.findContours(mask_HW, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return [], np.zeros(0)
    # Contours without a parent are outlines, also of kernels inside the hole of another; the rest are holes.
    outlines = [contour for contour, parent in zip(contours, hierarchy[0, :, 3], strict=True) if parent < 0]
    if len(outlines) > THRESHOLDS.max_candidates:
        outlines = sorted(outlines, key=cv2.contourArea, reverse=True)[: THRESHOLDS.max_candidates]
    means_N = np.array([_mean_inside(p_HW, outline) for outline in outlines])
    best = [i for i in np.argsort(-means_N, kind="stable")[:max_boxes] if means_N[i] >= box_thresh]
    return [outlines[i] for i in best], means_N[best]


def _mean_inside(p_HW: np.ndarray, outline: np.ndarray) -> float:
    """Return the mean probability inside an outline. Holes count, so that empty rectangular frames score low."""
    x, y, width, height = cv2.boundingRect(outline)
    inside = np.zeros((height, width), np.uint8)
    cv2.drawContours(inside, [outline], -1, 1, thickness=-1, offset=(-x, -y))
    return cv2.mean(p_HW[y : y + height, x : x + width], inside)[0]


def _corners(centres_N2: np.ndarray, sizes_N2: np.ndarray, angles_N: np.ndarray) -> np.ndarray:
    """Return the corners (N, 4, 2), clockwise, of rectangles rotated by ``angles_N`` radians."""
    along_N2 = np.stack([np.cos(angles_N), np.sin(angles_N)], axis=1) * sizes_N2[:, :1] / 2
    across_N2 = np.stack([-np.sin(angles_N), np.cos(angles_N)], axis=1) * sizes_N2[:, 1:] / 2
    offsets = [-along_N2 - across_N2, along_N2 - across_N2, along_N2 + across_N2, across_N2 - along_N2]
    corners_N42: np.ndarray = centres_N2[:, None] + np.stack(offsets, axis=1)
    return corners_N42
