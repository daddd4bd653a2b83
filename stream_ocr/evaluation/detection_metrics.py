"""How well found quads match true ones: one to one by IoU, and by the rule of DetEval (Wolf and Jolion, IJDAR 2006).

Some truth is nobody's business (``###`` in ICDAR's files, text too low to read): it is not missed when it is not
found, and what is found there is no false alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

LEAST_IOU = 0.5
AREA_RECALL, AREA_PRECISION = 0.8, 0.4
"""Shares of a true and of a found quad that must be covered by the other, in DetEval."""
SPLIT_CREDIT = 0.8
"""What a line is worth that was found in pieces, and each of the pieces; 1 for everything else."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Found and true quads that count, and how many of them are right; a quad found in pieces is right in part."""

    right: float = 0.0
    found: int = 0
    met: float = 0.0
    truth: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.right + other.right, self.found + other.found, self.met + other.met, self.truth + other.truth)

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        return self.met / self.truth if self.truth else 0.0

    @property
    def f(self) -> float:
        """Harmonic mean; 1 where there was nothing to find and nothing was found."""
        if not self.found and not self.truth:
            return 1.0
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


Quads = Sequence[np.ndarray] | np.ndarray
Cares = Sequence[bool] | np.ndarray | None


def by_iou(found: Quads, truth: Quads, cares: Cares = None, *, least: float = LEAST_IOU) -> Tally:
    """Pair quads one to one, best IoU first, down to ``least``. cares: False for truth that is nobody's business."""
    common_FT, areas_F, areas_T = _overlaps(found, truth)
    cares_T = _cares(cares, truth)
    ious_FT = common_FT / np.maximum(areas_F[:, None] + areas_T - common_FT, 1e-6)
    counts_F = ~_idle(common_FT, areas_F, cares_T, 0.5)
    left_FT = np.where(cares_T & counts_F[:, None], ious_FT, -1.0)
    hits = 0
    for _ in range(min(left_FT.shape)):
        f, t = np.unravel_index(int(np.argmax(left_FT)), left_FT.shape)
        if left_FT[f, t] < least:
            break
        hits += 1
        left_FT[f, :] = left_FT[:, t] = -1
    return Tally(hits, int(counts_F.sum()), hits, int(cares_T.sum()))


def by_deteval(found: Quads, truth: Quads, cares: Cares = None) -> Tally:
    """By areas, in this order: one to one, a true quad found in pieces, several true quads found as one.

    A pair fits when ``AREA_RECALL`` of the true and ``AREA_PRECISION`` of the found quad are covered. In pieces: each
    lies in the true quad with that precision, and together they recall it. As one: each true quad is recalled by the
    found one, and together they fill it.
    """
    common_FT, areas_F, areas_T = _overlaps(found, truth)
    cares_T = _cares(cares, truth)
    precision_FT = common_FT / np.maximum(areas_F[:, None], 1e-6)
    recall_FT = common_FT / np.maximum(areas_T, 1e-6)
    counts_F = ~_idle(common_FT, areas_F, cares_T, AREA_PRECISION)
    tally = Tally(0.0, int(counts_F.sum()), 0.0, int(cares_T.sum()))
    free_F, free_T = counts_F.copy(), cares_T.copy()

    fits_FT = (recall_FT >= AREA_RECALL) & (precision_FT >= AREA_PRECISION)
    alone_FT = fits_FT & (fits_FT.sum(axis=1) == 1)[:, None] & (fits_FT.sum(axis=0) == 1)
    for f, t in zip(*np.nonzero(alone_FT), strict=True):
        if free_F[f] and free_T[t]:
            free_F[f] = free_T[t] = False
            tally += Tally(1, 0, 1, 0)

    for t in np.flatnonzero(free_T):
        pieces = np.flatnonzero(free_F & (precision_FT[:, t] >= AREA_PRECISION))
        if len(pieces) > 1 and recall_FT[pieces, t].sum() >= AREA_RECALL:
            free_F[pieces], free_T[t] = False, False
            tally += Tally(SPLIT_CREDIT * len(pieces), 0, SPLIT_CREDIT, 0)

    for f in np.flatnonzero(free_F):
        covered = np.flatnonzero(free_T & (recall_FT[f] >= AREA_RECALL))
        if len(covered) and precision_FT[f, covered].sum() >= AREA_PRECISION:
            free_F[f], free_T[covered] = False, False
            tally += Tally(1, 0, len(covered), 0)
    return tally


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Of two convex quads."""
    common_FT, areas_F, areas_T = _overlaps([a], [b])
    return float(common_FT[0, 0] / max(areas_F[0] + areas_T[0] - common_FT[0, 0], 1e-6))


def heights(quads: Quads) -> np.ndarray:
    """(N,): the length of each quad's shorter end."""
    return np.array([min(np.linalg.norm(q[3] - q[0]), np.linalg.norm(q[2] - q[1])) for q in quads])


def _idle(common_FT: np.ndarray, areas_F: np.ndarray, cares_T: np.ndarray, share: float) -> np.ndarray:
    """(F,): whether more than that share of a found quad lies in truth that is nobody's business."""
    if cares_T.all():
        return np.zeros(len(areas_F), bool)
    inside_F: np.ndarray = common_FT[:, ~cares_T].max(axis=1) / np.maximum(areas_F, 1e-6)
    return inside_F > share


def _cares(cares: Cares, truth: Quads) -> np.ndarray:
    return np.ones(len(truth), bool) if cares is None else np.asarray(cares, bool)


def _overlaps(found: Quads, truth: Quads) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Common areas (F, T) of the hulls of found and true quads, and the areas (F,) and (T,)."""
    hulls_F, hulls_T = ([cv2.convexHull(np.asarray(q, np.float32)) for q in quads] for quads in (found, truth))
    areas_F, areas_T = (np.array([cv2.contourArea(hull) for hull in hulls]) for hulls in (hulls_F, hulls_T))
    common_FT = np.zeros((len(found), len(truth)))
    boxes_F, boxes_T = ([(*h.min(axis=(0, 1)), *h.max(axis=(0, 1))) for h in hulls] for hulls in (hulls_F, hulls_T))
    for f, (left, top, right, bottom) in enumerate(boxes_F):
        for t, box in enumerate(boxes_T):
            if left < box[2] and box[0] < right and top < box[3] and box[1] < bottom and areas_F[f] and areas_T[t]:
                common_FT[f, t] = cv2.intersectConvexConvex(hulls_F[f], hulls_T[t])[0]
    return common_FT, areas_F, areas_T
