"""Which found quads are which true ones."""

import cv2
import numpy as np


def match(
    found: list[np.ndarray], truth: list[np.ndarray], *, least: float = 0.5, lowest_px: float = 0.0
) -> tuple[int, int, int]:
    """Pair quads one to one, best IoU first, down to an IoU of ``least``.

    Truth lower than ``lowest_px``, and what finds it, does not count. Returns the numbers of (hits, found, truth).
    """
    ious = np.array([[iou(f, t) for t in truth] for f in found]).reshape(len(found), len(truth))
    low = [min(np.linalg.norm(t[3] - t[0]), np.linalg.norm(t[2] - t[1])) < lowest_px for t in truth]
    hits, idle = 0, 0
    for _ in range(min(ious.shape)):
        f, t = np.unravel_index(int(np.argmax(ious)), ious.shape)
        if ious[f, t] < least:
            break
        hits, idle = hits + int(not low[t]), idle + int(low[t])
        ious[f, :] = ious[:, t] = -1
    return hits, len(found) - idle, len(truth) - int(sum(low))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Of two convex quads."""
    a, b = a.astype(np.float32), b.astype(np.float32)
    common = cv2.intersectConvexConvex(a, b)[0]
    return float(common / max(cv2.contourArea(a) + cv2.contourArea(b) - common, 1e-6))
