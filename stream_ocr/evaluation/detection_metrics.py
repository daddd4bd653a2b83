"""Matching of detected against true quads: one to one by IoU, and DetEval (Wolf and Jolion, IJDAR 2006).

Some truth is "don't care" (``###`` in ICDAR's files, text too small to read): it is not missed when it is not detected,
and what is detected there is not a false positive.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stream_ocr.evaluation.thresholds import THRESHOLDS

_MIN_AREA_PX = 1e-6  # avoids division by zero


@dataclass(frozen=True, slots=True)
class DetectionCounts:
    """Numbers of detected and true quads, and of the matched ones among each.

    The matched counts are fractional: a line detected in pieces counts in part.
    """

    matched_detections: float = 0.0
    detections: int = 0
    matched_truth: float = 0.0
    truth: int = 0

    def __add__(self, other: "DetectionCounts") -> "DetectionCounts":
        return DetectionCounts(
            self.matched_detections + other.matched_detections,
            self.detections + other.detections,
            self.matched_truth + other.matched_truth,
            self.truth + other.truth,
        )

    @property
    def precision(self) -> float:
        """Matched share of the detections; 0 without detections."""
        return self.matched_detections / self.detections if self.detections else 0.0

    @property
    def recall(self) -> float:
        """Matched share of the truth; 0 without truth."""
        return self.matched_truth / self.truth if self.truth else 0.0

    @property
    def f(self) -> float:
        """Harmonic mean of precision and recall; 1 if there was nothing to detect and nothing was detected."""
        if not self.detections and not self.truth:
            return 1.0
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


Quads = Sequence[np.ndarray] | np.ndarray
CareFlags = Sequence[bool] | np.ndarray | None


def match_iou(
    detected: Quads, truth: Quads, cares: CareFlags = None, *, min_iou: float = THRESHOLDS.min_iou
) -> DetectionCounts:
    """Match quads one to one, best IoU first, down to ``min_iou``. cares: False for "don't care" truth."""
    common_DT, areas_D, areas_T = _overlaps(detected, truth)
    cares_T = _care_flags(cares, truth)
    ious_DT = common_DT / np.maximum(areas_D[:, None] + areas_T - common_DT, _MIN_AREA_PX)
    counted_D = ~_in_ignored(common_DT, areas_D, cares_T, THRESHOLDS.ignored_min_overlap)
    left_DT = np.where(cares_T & counted_D[:, None], ious_DT, -1.0)
    matches = 0
    for _ in range(min(left_DT.shape)):
        d, t = np.unravel_index(int(np.argmax(left_DT)), left_DT.shape)
        if left_DT[d, t] < min_iou:
            break
        matches += 1
        left_DT[d, :] = left_DT[:, t] = -1
    return DetectionCounts(matches, int(counted_D.sum()), matches, int(cares_T.sum()))


def match_deteval(detected: Quads, truth: Quads, cares: CareFlags = None) -> DetectionCounts:
    """Match quads by areas: first one to one, then true quads detected in pieces, then several detected as one.

    cares: False for "don't care" truth. A pair fits when ``area_recall`` of the true and ``area_precision`` of the
    detected quad are covered. In pieces: each piece lies in the true quad with that precision, and together they recall
    it. As one: each true quad is recalled by the detection, and together they fill it.
    """
    min_recall, min_precision = THRESHOLDS.area_recall, THRESHOLDS.area_precision
    common_DT, areas_D, areas_T = _overlaps(detected, truth)
    cares_T = _care_flags(cares, truth)
    precision_DT = common_DT / np.maximum(areas_D[:, None], _MIN_AREA_PX)
    recall_DT = common_DT / np.maximum(areas_T, _MIN_AREA_PX)
    counted_D = ~_in_ignored(common_DT, areas_D, cares_T, min_precision)
    counts = DetectionCounts(0.0, int(counted_D.sum()), 0.0, int(cares_T.sum()))
    free_D, free_T = counted_D.copy(), cares_T.copy()

    fits_DT = (recall_DT >= min_recall) & (precision_DT >= min_precision)
    one_to_one_DT = fits_DT & (fits_DT.sum(axis=1) == 1)[:, None] & (fits_DT.sum(axis=0) == 1)
    for d, t in zip(*np.nonzero(one_to_one_DT), strict=True):
        if free_D[d] and free_T[t]:
            free_D[d] = free_T[t] = False
            counts += DetectionCounts(1, 0, 1, 0)

    for t in np.flatnonzero(free_T):
        pieces = np.flatnonzero(free_D & (precision_DT[:, t] >= min_precision))
        if len(pieces) > 1 and recall_DT[pieces, t].sum() >= min_recall:
            free_D[pieces], free_T[t] = False, False
            counts += DetectionCounts(THRESHOLDS.split_credit * len(pieces), 0, THRESHOLDS.split_credit, 0)

    for d in np.flatnonzero(free_D):
        merged = np.flatnonzero(free_T & (recall_DT[d] >= min_recall))
        if len(merged) and precision_DT[d, merged].sum() >= min_precision:
            free_D[d], free_T[merged] = False, False
            counts += DetectionCounts(1, 0, len(merged), 0)
    return counts


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Return the IoU of two convex quads (4, 2)."""
    common_DT, areas_D, areas_T = _overlaps([a], [b])
    return float(common_DT[0, 0] / max(areas_D[0] + areas_T[0] - common_DT[0, 0], _MIN_AREA_PX))


def heights(quads: Quads) -> np.ndarray:
    """Return the length (N,) of each quad's shorter end."""
    return np.array([min(np.linalg.norm(q[3] - q[0]), np.linalg.norm(q[2] - q[1])) for q in quads])


def _in_ignored(common_DT: np.ndarray, areas_D: np.ndarray, cares_T: np.ndarray, min_share: float) -> np.ndarray:
    """Return (D,): True for detections of which more than ``min_share`` lies in "don't care" truth."""
    if cares_T.all():
        return np.zeros(len(areas_D), bool)
    inside_D: np.ndarray = common_DT[:, ~cares_T].max(axis=1) / np.maximum(areas_D, _MIN_AREA_PX)
    return inside_D > min_share


def _care_flags(cares: CareFlags, truth: Quads) -> np.ndarray:
    return np.ones(len(truth), bool) if cares is None else np.asarray(cares, bool)


def _overlaps(detected: Quads, truth: Quads) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the common areas (D, T) of the hulls of detected and true quads, and the areas (D,) and (T,)."""
    hulls_D, hulls_T = ([cv2.convexHull(np.asarray(q, np.float32)) for q in quads] for quads in (detected, truth))
    areas_D, areas_T = (np.array([cv2.contourArea(hull) for hull in hulls]) for hulls in (hulls_D, hulls_T))
    common_DT = np.zeros((len(detected), len(truth)))
    boxes_D, boxes_T = ([(*h.min(axis=(0, 1)), *h.max(axis=(0, 1))) for h in hulls] for hulls in (hulls_D, hulls_T))
    for d, (left, top, right, bottom) in enumerate(boxes_D):
        for t, box in enumerate(boxes_T):
            if left < box[2] and box[0] < right and top < box[3] and box[1] < bottom and areas_D[d] and areas_T[t]:
                common_DT[d, t] = cv2.intersectConvexConvex(hulls_D[d], hulls_T[t])[0]
    return common_DT, areas_D, areas_T
