from itertools import pairwise

import numpy as np
import pytest

from stream_ocr.models.recognition.calibration import calibrated, certainty


def test_a_temperature_takes_the_odds_to_a_power() -> None:
    assert calibrated((0.9, 0.5, 0.2), 1.0) == pytest.approx((0.9, 0.5, 0.2))
    assert calibrated((0.9, 0.5, 0.2), 2.0) == pytest.approx((0.75, 0.5, 1 / 3))  # odds 9, 1, 1/4
    assert calibrated((), 2.0) == ()


def test_the_order_stays_and_nothing_leaves_the_range() -> None:
    p = np.linspace(0, 1, 101)
    for temperature in (0.5, 1.2, 3.0):
        q = calibrated(p, temperature)
        assert all(0 <= a <= b <= 1 for a, b in pairwise(q))


def test_a_text_is_as_likely_right_as_all_of_its_characters() -> None:
    assert certainty((0.9, 0.8)) == pytest.approx(0.72)
    assert certainty(()) == 0
