import numpy as np
import pytest

from stream_ocr.training.data import discs
from stream_ocr.training.data.discs import KINDS, add_discs


def test_discs_stay_within_the_range_of_colours() -> None:
    changed = 0
    for seed in range(30):
        picture = np.full((240, 320, 3), 128, np.float32)
        add_discs(picture, np.random.default_rng(seed))
        changed += bool((np.abs(picture - 128) > 3).any())
        assert picture.min() > -1
        assert picture.max() < 256
    assert changed > 25


@pytest.mark.parametrize("kind", KINDS)
def test_discs_of_each_kind_stay_within_their_square(kind: discs.Kind) -> None:
    for seed in range(8):
        colour, alpha = np.zeros((95, 95, 3), np.float32), np.zeros((95, 95), np.float32)
        kind(colour, alpha, 20.0, np.random.default_rng(seed))
        assert 0.01 < alpha.mean() < 0.6
        assert alpha.max() <= 1.001
        assert alpha[[0, -1]].max() < 0.02
        assert not colour[alpha == 0].any(), "colours are multiplied by alpha"


def test_discs_depend_on_the_random_state_only() -> None:
    one, two = (np.zeros((64, 64, 3), np.float32) for _ in range(2))
    for picture in (one, two):
        add_discs(picture, np.random.default_rng(7))
    np.testing.assert_array_equal(one, two)
