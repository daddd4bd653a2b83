import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.tracking.association import assign, join_words, line_affinity, line_coverage

LINE = rectangle(100, 100, 200, 20)


def rotate(quad: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return quad @ rotation.T


@pytest.mark.parametrize("degrees", [0, 40])
def test_join_words_returns_the_line_in_one_box(degrees: float) -> None:
    words = [rotate(rectangle(x, 101, width, 18), degrees) for x, width in ((170, 130), (101, 60))]
    joined = join_words(words, rotate(LINE, degrees))
    assert joined is not None
    np.testing.assert_allclose(joined, rotate(rectangle(101, 101, 199, 18), degrees), atol=1e-6)


def test_join_words_leaves_columns_and_parts_apart() -> None:
    assert join_words([rectangle(100, 100, 60, 20), rectangle(200, 100, 100, 20)], LINE) is None
    assert join_words([rectangle(100, 100, 30, 20), rectangle(135, 100, 40, 20)], LINE) is None


def test_line_affinity_of_a_line_with_itself_is_one() -> None:
    assert line_affinity(LINE, LINE) == pytest.approx(1)


def test_line_affinity_accepts_a_shift_by_half_a_height() -> None:
    assert line_affinity(LINE, LINE + [0, 10]) > 0.25


def test_line_affinity_of_the_next_line_is_zero() -> None:
    assert line_affinity(LINE, LINE + [0, 26]) == 0


def test_line_affinity_of_a_word_beside_is_zero() -> None:
    assert line_affinity(LINE, LINE + [205, 0]) == 0


def test_line_affinity_is_invariant_to_rotation() -> None:
    other = LINE + [12, 3]
    assert line_affinity(rotate(LINE, 40), rotate(other, 40)) == pytest.approx(line_affinity(LINE, other))


def test_line_coverage_of_a_word_of_the_line_is_one() -> None:
    word = rectangle(120, 101, 50, 18)
    assert line_coverage(word, LINE) == pytest.approx(1)
    assert line_coverage(word + [0, 30], LINE) == 0


def test_assign_maximises_the_sum_of_affinities() -> None:
    first, second = LINE, LINE + [0, 14]
    assert sorted(assign([first, second], [LINE + [0, 7], LINE + [0, 20]], min_affinity=0.1)) == [(0, 0), (1, 1)]


def test_assign_leaves_out_pairs_below_min_affinity() -> None:
    assert assign([], [LINE], min_affinity=0.3) == []
    assert assign([LINE], [LINE + [0, 300]], min_affinity=0.3) == []
