from itertools import pairwise

import numpy as np
import pytest

from stream_ocr.models.recognition.calibration import calibrate, joint_probability, text_confidence


def test_calibrate_raises_the_odds_to_the_inverse_temperature() -> None:
    assert calibrate((0.9, 0.5, 0.2), 1.0) == pytest.approx((0.9, 0.5, 0.2))
    assert calibrate((0.9, 0.5, 0.2), 2.0) == pytest.approx((0.75, 0.5, 1 / 3))  # odds 9, 1, 1/4
    assert calibrate((), 2.0) == ()


def test_calibrate_keeps_the_order_and_the_range() -> None:
    p = np.linspace(0, 1, 101)
    for temperature in (0.5, 1.2, 3.0):
        q = calibrate(p, temperature)
        assert all(0 <= a <= b <= 1 for a, b in pairwise(q))


def test_joint_probability_is_the_product_of_the_characters() -> None:
    assert joint_probability((0.9, 0.8)) == pytest.approx(0.72)
    assert joint_probability(()) == 0


def test_text_confidence_is_that_of_fewer_independent_characters() -> None:
    assert text_confidence((0.9,)) == pytest.approx(0.9)
    assert text_confidence((0.9,) * 8) == pytest.approx(0.9**4), "eight characters err like four independent ones"
    assert text_confidence((1.0, 0.0)) == text_confidence(()) == 0
