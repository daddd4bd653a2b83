import numpy as np
import pytest

from stream_ocr.geometry import rectangle
from stream_ocr.training.matching import iou, match


def test_iou_of_known_overlaps() -> None:
    a = rectangle(0, 0, 10, 10)
    assert iou(a, a) == pytest.approx(1)
    assert iou(a, a + np.array([5, 0])) == pytest.approx(1 / 3, abs=1e-4)
    assert iou(a, a + np.array([20, 0])) == 0
    assert iou(a, np.zeros((4, 2))) == 0


def test_each_quad_is_paired_once_best_first() -> None:
    truth = [rectangle(0, 0, 100, 20), rectangle(0, 40, 100, 20)]
    found = [truth[0] + [10, 0], truth[0] + [2, 0], rectangle(300, 300, 50, 20)]
    assert match(found, truth) == (1, 3, 2)
    assert match([], truth) == (0, 0, 2)
    assert match(found, []) == (0, 3, 0)


def test_low_truth_and_what_finds_it_do_not_count() -> None:
    truth = [rectangle(0, 0, 100, 20), rectangle(0, 40, 100, 5)]
    assert match(truth, truth, lowest_px=7) == (1, 1, 1)
