import numpy as np
import pytest

from stream_ocr.recognition.charset import Charset
from stream_ocr.recognition.ctc import NOTHING, greedy

CHARSET = Charset("abc")


def scores(path: list[int], peaks: list[float]) -> np.ndarray:
    """Rows that give each step's class its probability and share the rest among the others."""
    p_TC = np.empty((len(path), len(CHARSET)))
    for row, winner, peak in zip(p_TC, path, peaks, strict=True):
        row[:] = (1 - peak) / (len(CHARSET) - 1)
        row[winner] = peak
    return p_TC


def test_repeats_collapse_and_blanks_part_doubles() -> None:
    path = [0, 1, 1, 0, 1, 2, 2, 0, 3]
    assert greedy(scores(path, [0.9] * len(path)), CHARSET).text == "aabc"


def test_confidence_of_a_character_is_its_peak_and_of_the_text_the_geometric_mean() -> None:
    decoded = greedy(scores([1, 1, 0, 2], [0.6, 0.9, 0.99, 0.4]), CHARSET)
    assert decoded.text == "ab"
    assert decoded.characters == pytest.approx((0.9, 0.4))
    assert decoded.confidence == pytest.approx((0.9 * 0.4) ** 0.5)


def test_blanks_alone_read_as_nothing() -> None:
    assert greedy(scores([0, 0], [0.9, 0.9]), CHARSET) == NOTHING


def test_one_step_is_enough_for_a_character() -> None:
    assert greedy(scores([3], [0.8]), CHARSET).text == "c"


def test_scores_of_another_charset_are_refused() -> None:
    with pytest.raises(ValueError, match="4 classes"):
        greedy(np.zeros((5, 7)), CHARSET)
