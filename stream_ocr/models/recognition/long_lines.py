"""Lines that are too long for one input: where they are cut, whether a space is there, and their reading as a whole."""

from collections.abc import Sequence

import cv2
import numpy as np

from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import Decoded, best_path, make_decoded
from stream_ocr.models.recognition.thresholds import THRESHOLDS


def find_cuts(crop: np.ndarray, max_aspect: float) -> list[int]:
    """Return the columns before which a crop (H, W) is cut into pieces of at most ``max_aspect`` times their height.

    Cuts are where the contrast is lowest, most likely between words. Raise ValueError for a crop that is not grey.
    """
    if crop.ndim != 2:
        raise ValueError(f"a crop has the shape (height, width), but this one has {crop.shape}")
    height, width = crop.shape
    limit = max(2, int(max_aspect * height))
    if width <= limit or height < 2:
        return []
    gap = max(1, round(THRESHOLDS.gap_height_ratio * height))
    contrast_W = np.abs(np.diff(crop.astype(np.float32), axis=0)).mean(axis=0)
    contrast_W += np.abs(np.gradient(crop.astype(np.float32), axis=1)).mean(axis=0)
    contrast_W = cv2.blur(contrast_W[None], (gap, 1), borderType=cv2.BORDER_REPLICATE)[0]
    cuts: list[int] = []
    start = 0
    while width - start > limit:
        first, end = start + limit // 2, min(start + limit, width - 1)  # the last piece has two columns at least
        start = first + int(np.argmin(contrast_W[first:end]))
        cuts.append(start)
    return cuts


def split_at(crop: np.ndarray, cuts: Sequence[int]) -> list[np.ndarray]:
    """Return the pieces of a crop; none of a crop with a side of less than two pixels."""
    return np.split(crop, cuts, axis=1) if min(crop.shape) >= 2 else []


def seam(crop: np.ndarray, cut: int) -> tuple[np.ndarray, float]:
    """Return what is on both sides of a cut, a few letters, and the place of the cut in it as a share of its width."""
    half = round(THRESHOLDS.seam_height_ratio * crop.shape[0])
    left, right = max(0, cut - half), min(crop.shape[1], cut + half)
    return crop[:, left:right], (cut - left) / (right - left)


def has_space(p_TC: np.ndarray, charset: Charset, place: float, tolerance: float) -> bool:
    """Return whether a space is read at a place. place, tolerance: as shares of the steps T."""
    reading, spans_N2 = best_path(p_TC, charset)
    spaces_N = np.array([character == " " for character in reading.text], bool)
    begin_N, end_N = (spans_N2[spaces_N] / len(p_TC)).T
    return bool(((begin_N - tolerance <= place) & (place <= end_N + tolerance)).any())


def join_readings(pieces: Sequence[tuple[Decoded, bool]]) -> Decoded:
    """Join the readings of the pieces of a line, each with whether a space precedes it, and strip the result.

    An inserted space is as sure as the less sure of its neighbours.
    """
    text = ""
    confidences: list[float] = []
    for piece, after_space in pieces:
        begin = len(piece.text) - len(piece.text.lstrip())
        if begin == len(piece.text):
            continue
        if text and not text.endswith(" ") and (after_space or begin):
            text += " "
            confidences.append(min(confidences[-1], piece.char_confidences[begin]))
        text += piece.text[begin:]
        confidences += piece.char_confidences[begin:]
    end = len(text.rstrip())
    return make_decoded(text[:end], confidences[:end])
