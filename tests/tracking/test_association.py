import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.tracking.association import affinity, assign, covered

LINE = rectangle(100, 100, 200, 20)


def turned(quad: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return quad @ rotation.T


def test_a_line_continues_itself_best() -> None:
    assert affinity(LINE, LINE) == pytest.approx(1)


def test_a_shift_by_half_a_line_is_the_same_line_though_the_areas_hardly_overlap() -> None:
    assert affinity(LINE, LINE + [0, 10]) > 0.25


def test_the_next_line_is_another() -> None:
    assert affinity(LINE, LINE + [0, 26]) == 0


def test_a_word_beside_is_another() -> None:
    assert affinity(LINE, LINE + [205, 0]) == 0


def test_affinity_does_not_depend_on_the_direction_of_the_line() -> None:
    other = LINE + [12, 3]
    assert affinity(turned(LINE, 40), turned(other, 40)) == pytest.approx(affinity(LINE, other))


def test_a_word_of_a_line_is_covered_by_it() -> None:
    word = rectangle(120, 101, 50, 18)
    assert covered(word, LINE) == pytest.approx(1)
    assert covered(word + [0, 30], LINE) == 0


def test_pairs_are_chosen_together_not_one_by_one() -> None:
    first, second = LINE, LINE + [0, 14]
    assert sorted(assign([first, second], [LINE + [0, 7], LINE + [0, 20]], least=0.1)) == [(0, 0), (1, 1)]


def test_nothing_is_paired_with_nothing() -> None:
    assert assign([], [LINE], least=0.3) == []
    assert assign([LINE], [LINE + [0, 300]], least=0.3) == []
