"""Two lines in one box: detectors take lines of a title that touch for one, and no recogniser can read both at once."""

from collections.abc import Sequence

import numpy as np

from stream_ocr.models.recognition.ctc import Decoded, make_decoded
from stream_ocr.readings.similarity import without_spaces
from stream_ocr.readings.thresholds import TWO_LINES


def split_lines(crop: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the upper and the lower part of a crop, (H, W) uint8, that may hold two lines; None for other shapes."""
    height, width = crop.shape
    if not TWO_LINES.min_aspect <= width / height <= TWO_LINES.max_aspect:
        return None
    first, last = (round(share * height) for share in TWO_LINES.cut_between)
    contrast_H = crop[first : last + 1].std(axis=1)  # least between lines, where there are no strokes
    cut = first + int(contrast_H.argmin())
    return crop[:cut], crop[cut:]


def join_lines(lines: Sequence[Decoded]) -> Decoded | None:
    """Return the reading of several lines as one text; None if a line is too short or too unsure."""
    if any(
        len(without_spaces(line.text)) < TWO_LINES.min_letters or line.confidence < TWO_LINES.min_confidence
        for line in lines
    ):
        return None
    sure = min(line.confidence for line in lines)
    text, confidences = lines[0].text, list(lines[0].char_confidences)
    for line in lines[1:]:
        text, confidences = f"{text} {line.text}", [*confidences, sure, *line.char_confidences]
    return make_decoded(text, confidences)
