"""Resting place of a text that moves and stands still by turns."""

import numpy as np
import pytest

from stream_ocr.core.geometry import from_flat, rectangle
from stream_ocr.tracking.rest import RestingPlace


def test_resting_place_is_that_at_which_a_text_last_stood_still() -> None:
    resting, latest = RestingPlace(), []
    for n in range(40):
        x = 10.0 * min(n, 10) + 10.0 * max(n - 25, 0)  # flies, rests from frame 10 to 25, flies on
        resting.update(rectangle(x, 50, 200, 30), n / 25)
        latest.append(resting.latest)
    assert latest[10] is None
    rest = latest[-1]
    assert rest is not None
    assert (rest.since_s, rest.until_s) == (pytest.approx(0.4), pytest.approx(1.0))
    np.testing.assert_allclose(from_flat(rest.quad), rectangle(100, 50, 200, 30))


def test_resting_place_is_none_for_a_text_that_scrolls() -> None:
    resting = RestingPlace()
    for n in range(50):
        resting.update(rectangle(0, 200 - 2.0 * n, 200, 30), n / 25)
    assert resting.latest is None
