"""Training targets of DBNet from line quads, in closed form: a convex quad is four half-planes.

With A the area of a quad, L its perimeter and r the shrink ratio, the kernel is the quad with every side moved in by
D = A (1 - r²) / L, and the threshold map falls from 0.7 on the outline to 0.3 at a distance of D on both sides.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from stream_ocr.training.thresholds import TARGETS


@dataclass(frozen=True, slots=True)
class Targets:
    """Maps of one picture, all (H, W) float32.

    kernel: 1 inside the shrunken quads. care: 0 where nothing counts. threshold: the map T. band: 1 where T counts.
    """

    kernel: np.ndarray
    care: np.ndarray
    threshold: np.ndarray
    band: np.ndarray


def make_targets(
    quads: np.ndarray,
    size: tuple[int, int],
    *,
    shrink: float,
    stride: int = 2,
    smallest: float = TARGETS.min_height_px,
    ignored: Iterable[np.ndarray] = (),
) -> Targets:
    """Return the targets for a picture.

    quads: (N, 4, 2) convex, clockwise, in pixels of the picture, partly outside it if need be. size: (width, height)
    of the picture. shrink: the ratio r. stride: pixels of the picture per pixel of the maps. smallest: lines whose
    area is below ``smallest`` pixels times their length are ignored. ignored: further convex quads in which nothing
    counts, unless a line lies there.
    """
    width, height = size[0] // stride, size[1] // stride
    floor, peak = TARGETS.threshold_low, TARGETS.threshold_high
    kernel, care = np.zeros((height, width), np.float32), np.ones((height, width), np.float32)
    threshold, band = np.full((height, width), floor, np.float32), np.zeros((height, width), np.float32)
    for quad in np.asarray(quads, np.float32) / stride:
        sides = np.roll(quad, -1, axis=0) - quad
        lengths = np.linalg.norm(sides, axis=1)
        area = _area(quad)
        if lengths.min() < 1e-3 or area <= 0:
            continue
        distance = area * (1 - shrink * shrink) / lengths.sum()
        left, top = np.maximum(np.floor(quad.min(axis=0) - distance).astype(int), 0)
        right, bottom = np.minimum(np.ceil(quad.max(axis=0) + distance).astype(int) + 1, (width, height))
        if left >= right or top >= bottom:
            continue
        here = np.s_[top:bottom, left:right]
        depth = _depth(quad, sides / lengths[:, None], (left, top, right, bottom))
        if area < lengths.max() * smallest / stride:
            care[here][depth > -1] = 0
            continue
        kernel[here][depth >= distance] = 1
        nearness = 1 - np.abs(depth) / distance
        band[here][nearness > 0] = 1
        np.maximum(threshold[here], floor + (peak - floor) * nearness, out=threshold[here])
    for quad in ignored:
        corners = np.round(np.asarray(quad) * (4 / stride) - 2).astype(np.int32)
        cv2.fillConvexPoly(care, corners, 0.0, shift=2)
    care[kernel > 0] = 1
    return Targets(kernel, care, threshold, band)


def _area(quad: np.ndarray) -> float:
    """Return the signed area, positive when clockwise with y down."""
    x, y = quad[:, 0], quad[:, 1]
    return 0.5 * float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))


def _depth(quad: np.ndarray, towards: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Return the distance of each pixel center in ``box`` to the nearest side of the quad, positive inside."""
    left, top, right, bottom = box
    x = np.arange(left, right, dtype=np.float32) + 0.5
    y = np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5
    depth = np.full((bottom - top, right - left), np.inf, np.float32)
    for (corner_x, corner_y), (along_x, along_y) in zip(quad, towards, strict=True):
        np.minimum(depth, along_x * (y - corner_y) - along_y * (x - corner_x), out=depth)
    return depth
