from itertools import groupby, product

import numpy as np
import pytest

from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import NO_TEXT, alignment_peaks, beam_search, best_path, greedy, log_likelihoods

CHARSET = Charset("abc")


def scores(path: list[int], peaks: list[float]) -> np.ndarray:
    """Rows that give each step's class its probability and share the rest among the others."""
    p_TC = np.empty((len(path), len(CHARSET)))
    for row, winner, peak in zip(p_TC, path, peaks, strict=True):
        row[:] = (1 - peak) / (len(CHARSET) - 1)
        row[winner] = peak
    return p_TC


def test_greedy_collapses_repeats_and_splits_doubles_at_blanks() -> None:
    path = [0, 1, 1, 0, 1, 2, 2, 0, 3]
    assert greedy(scores(path, [0.9] * len(path)), CHARSET).text == "aabc"


def test_greedy_confidence_is_the_peak_of_a_character_and_the_geometric_mean_of_a_text() -> None:
    decoded = greedy(scores([1, 1, 0, 2], [0.6, 0.9, 0.99, 0.4]), CHARSET)
    assert decoded.text == "ab"
    assert decoded.char_confidences == pytest.approx((0.9, 0.4))
    assert decoded.confidence == pytest.approx((0.9 * 0.4) ** 0.5)


def test_greedy_reads_blanks_as_no_text() -> None:
    assert greedy(scores([0, 0], [0.9, 0.9]), CHARSET) == NO_TEXT


def test_greedy_reads_a_character_of_one_step() -> None:
    assert greedy(scores([3], [0.8]), CHARSET).text == "c"


def test_greedy_rejects_scores_of_another_charset() -> None:
    with pytest.raises(ValueError, match="4 classes"):
        greedy(np.zeros((5, 7)), CHARSET)


def test_best_path_returns_the_steps_of_each_character() -> None:
    decoded, spans = best_path(scores([0, 1, 1, 0, 1, 2], [0.9] * 6), CHARSET)
    assert decoded.text == "aab"
    assert spans.tolist() == [[1, 3], [4, 5], [5, 6]]


# Compared with a sum over all alignments.


def noise(steps: int, seed: int) -> np.ndarray:
    p_TC = np.random.default_rng(seed).random((steps, len(CHARSET))) ** 3 + 1e-3
    return p_TC / p_TC.sum(axis=1, keepdims=True)


def all_texts(p_TC: np.ndarray) -> dict[str, float]:
    """Every text with its probability, summed over all paths."""
    texts: dict[str, float] = {}
    for path in product(range(p_TC.shape[1]), repeat=len(p_TC)):
        text = CHARSET.decode(i for i, _ in groupby(path))
        texts[text] = texts.get(text, 0.0) + float(np.prod(p_TC[np.arange(len(path)), path]))
    return texts


@pytest.mark.parametrize("seed", range(8))
def test_beam_search_with_a_wide_beam_finds_the_most_probable_text(seed: int) -> None:
    p_TC = noise(5, seed)
    texts = all_texts(p_TC)
    assert beam_search(p_TC, CHARSET, width=500).text == max(texts, key=lambda text: texts[text])


def test_beam_search_can_beat_the_best_path() -> None:
    p_TC = np.array([[0.4, 0.3, 0.3, 0], [0.4, 0.3, 0.3, 0]])  # every path of two blanks: 0.16; "a": 0.33
    assert greedy(p_TC, CHARSET) == NO_TEXT
    read = beam_search(p_TC, CHARSET, width=8)
    assert read.text in ("a", "b")
    assert read.char_confidences == pytest.approx((0.3,))


@pytest.mark.parametrize("seed", range(4))
def test_log_likelihoods_sum_over_all_paths(seed: int) -> None:
    p_TC = noise(5, seed)
    texts = all_texts(p_TC)
    expected = ["", "a", "ab", "aa", "bb", "abc", "cab", "abcab"]
    codes = np.zeros((len(expected), 6), int)
    for row, text in zip(codes, expected, strict=True):
        row[: len(text)] = CHARSET.encode(text)
    found = np.exp(log_likelihoods(p_TC, codes, np.array([len(text) for text in expected])))
    assert found == pytest.approx([texts[text] for text in expected], rel=1e-6)


def test_log_likelihoods_of_long_lines_do_not_underflow() -> None:
    p_TC = scores([1, 0, 2, 0] * 200, [0.99] * 800)
    (log_p,) = log_likelihoods(p_TC, np.array([[1, 2] * 200]), np.array([400]))
    assert log_p == pytest.approx(800 * np.log(0.99), abs=4)  # the best path has nearly all of it
    (log_p,) = log_likelihoods(p_TC, np.array([[2, 3] * 200]), np.array([400]))
    assert -6000 < log_p < -1000


def test_alignment_peaks_of_a_text_that_is_not_the_best_one() -> None:
    p_TC = scores([0, 1, 0, 2, 2, 0], [0.9, 0.7, 0.9, 0.6, 0.8, 0.9])
    assert alignment_peaks(p_TC, CHARSET.encode("ab")) == pytest.approx([0.7, 0.8])
    assert alignment_peaks(p_TC, CHARSET.encode("cb")) == pytest.approx([0.1, 0.8])
    assert alignment_peaks(p_TC[:2], CHARSET.encode("aba")) == [0, 0, 0]


def test_beam_search_reads_only_allowed_text() -> None:
    p_TC = scores([1, 0, 2, 0, 3], [0.9] * 5)
    assert beam_search(p_TC, CHARSET, width=16).text == "abc"
    assert len(beam_search(p_TC, CHARSET, width=16, allows=two_letters).text) == 2
    assert beam_search(p_TC, CHARSET, width=16, allows=allow_nothing) == NO_TEXT


def two_letters(text: str, whole: bool) -> bool:  # noqa: FBT001
    return len(text) == 2 if whole else len(text) <= 2


def allow_nothing(text: str, whole: bool) -> bool:  # noqa: FBT001
    return not (text or whole)
