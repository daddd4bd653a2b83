"""Comparison of two crops of one text: whether a difference between their readings can be seen in the pixels.

Both crops are cut into windows about one letter wide. The correlation of a window with the same place of the other crop
does not depend on brightness, contrast or polarity. Boxes of a detector jitter, so each window is searched for in a
small neighbourhood, after one shift and one scale for the whole line.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from stream_ocr.readings.thresholds import COMPARISON

Span = tuple[float, float]
"""Part of a line, as fractions of its length."""


@dataclass(frozen=True, slots=True)
class CropSimilarity:
    """How well the windows of a crop are found in another one.

    centres: (n,) place of each window, as a fraction of the length of the new crop. scores: (n,) correlation, 0 to 1.
    covered: part of the new crop that the other one shows as well. window: length of a window, as a fraction.
    """

    centres: np.ndarray
    scores: np.ndarray
    covered: Span
    window: float

    @property
    def is_same(self) -> bool:
        """True if every letter is the same, and both crops show all of them."""
        return self.covered == (0.0, 1.0) and self._are_same(np.ones(len(self.scores), bool))

    def is_same_at(self, spans: list[Span]) -> bool:
        """Return True if the letters in these parts of the line are certainly the same."""
        return self.shows(spans) and all(self._are_same(self._within(span)) for span in spans)

    def shows(self, spans: list[Span]) -> bool:
        """Return True if both crops show these parts of the line."""
        return all(self._covers(span) for span in spans)

    def has_changed_at(self, spans: list[Span]) -> bool:
        """Return True if one of these parts of the line has changed more than anything else in it."""
        inside = np.any([self._within(span) for span in spans], axis=0)
        near = np.any([self._within((first - self.window, end + self.window)) for first, end in spans], axis=0)
        elsewhere = self.scores[~near].min(initial=1.0)
        return bool(self.scores[inside].min(initial=1.0) < elsewhere - COMPARISON.min_decrease)

    def _within(self, span: Span) -> np.ndarray:
        return (self.centres >= span[0]) & (self.centres <= span[1])

    def _covers(self, span: Span) -> bool:
        return self.covered[0] <= max(span[0], 0.0) and min(span[1], 1.0) <= self.covered[1]

    def _are_same(self, chosen: np.ndarray) -> bool:
        if not chosen.any():
            return False
        usual = float(np.median(1 - self.scores))
        allowed = min(1 - COMPARISON.same_score, COMPARISON.max_outlier * usual + COMPARISON.max_difference)
        return bool((1 - self.scores[chosen]).max() <= allowed)


def compare_crops(old: np.ndarray, new: np.ndarray) -> CropSimilarity | None:
    """Compare two crops, (H, W) uint8 each; return None where there is nothing to compare."""
    old_line, new_line = _normalised(old), _normalised(new)
    if min(old_line.shape[1], new_line.shape[1]) < COMPARISON.window_px + 2 * COMPARISON.edge_px:
        return None
    first = _match_windows(old_line, new_line, 1.0, (old_line.shape[1] - new_line.shape[1]) / 2)
    if first is not None and first.is_same:
        return first
    scale, shift = _align(old_line, new_line)
    return _match_windows(old_line, new_line, scale, shift)


def _normalised(crop: np.ndarray) -> np.ndarray:
    """Return a crop of fixed height, (h, w) float32."""
    width = max(round(crop.shape[1] * COMPARISON.height_px / crop.shape[0]), 1)
    return cv2.resize(crop, (width, COMPARISON.height_px), interpolation=cv2.INTER_AREA).astype(np.float32)


def _edges(line: np.ndarray) -> np.ndarray:
    """Return the strength of the edges of a line, which does not depend on its polarity."""
    return cv2.magnitude(cv2.Sobel(line, cv2.CV_32F, 1, 0), cv2.Sobel(line, cv2.CV_32F, 0, 1))


def _align(old: np.ndarray, new: np.ndarray) -> tuple[float, float]:
    """Return the scale and the shift, in pixels along the line, that take places of ``new`` to places of ``old``."""
    target = _edges(old)
    best = (-1.0, 1.0, 0.0)
    for scale in COMPARISON.scales:
        line = _edges(cv2.resize(new, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        trim = max(COMPARISON.edge_px, (line.shape[0] - target.shape[0]) // 2 + COMPARISON.edge_px)
        part = line[trim:-trim]
        length = min(part.shape[1], target.shape[1]) // 2
        middle = (part.shape[1] - length) // 2
        scores = cv2.matchTemplate(
            target, np.ascontiguousarray(part[:, middle : middle + length]), cv2.TM_CCOEFF_NORMED
        )
        _, score, _, (x, _) = cv2.minMaxLoc(scores)
        if score > best[0]:
            best = score, scale, x - middle
    return best[1], best[2]


def _match_windows(old: np.ndarray, new: np.ndarray, scale: float, shift: float) -> CropSimilarity | None:
    """Return the similarity of the windows of ``new`` that ``old`` shows as well, or None if there is none."""
    height, width = new.shape
    to_old = np.array([[scale, 0, shift], [0, scale, (old.shape[0] - scale * height) / 2]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(old, to_old, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    first, last = max(-shift / scale, 0.0), min((old.shape[1] - shift) / scale, float(width))
    least = max(COMPARISON.min_contrast * float(max(new.std(), warped.std())), COMPARISON.min_std)
    centres, scores = [], []
    for x in range(COMPARISON.edge_px, width - COMPARISON.edge_px - COMPARISON.window_px + 1, COMPARISON.step_px):
        if x - COMPARISON.edge_px < first or x + COMPARISON.window_px + COMPARISON.edge_px > last:
            continue
        window = np.ascontiguousarray(new[COMPARISON.edge_px : -COMPARISON.edge_px, x : x + COMPARISON.window_px])
        around = np.ascontiguousarray(warped[:, x - COMPARISON.edge_px : x + COMPARISON.window_px + COMPARISON.edge_px])
        deviations = float(window.std()), float(around.std())
        if max(deviations) < least:
            continue  # a gap between words
        centres.append((x + COMPARISON.window_px / 2) / width)
        flat = min(deviations) < COMPARISON.min_std  # its correlation with anything is undefined
        scores.append(0.0 if flat else float(np.abs(cv2.matchTemplate(around, window, cv2.TM_CCOEFF_NORMED)).max()))
    if not centres:
        return None
    slack = 2 * COMPARISON.edge_px
    covered = (0.0 if first <= slack else first / width, 1.0 if last >= width - slack else last / width)
    return CropSimilarity(np.array(centres), np.array(scores), covered, COMPARISON.window_px / width)
