"""Pixels of a text, and those above and below it."""

import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.tracking.pixel_copy import differs_around

HEIGHT = 30
at_edges_and_between = pytest.mark.parametrize("y", [0, 40, 90])  # of a frame of 120 rows


def differs_after_change(y: int, above: int, below: int) -> bool:
    """Return the answer for a text at y after rows up to so many pixels above and below it have changed."""
    luma = np.full((120, 300), 60, np.uint8)
    other = luma.copy()
    other[max(y - above, 0) : y + HEIGHT + below] = 200
    return differs_around(rectangle(50, y, 200, HEIGHT - 1), luma, other)


@at_edges_and_between
@pytest.mark.parametrize(("above", "below"), [(0, 0), (10, 0), (0, 10)])
def test_differs_around_ignores_the_text_and_its_ascenders(y: int, above: int, below: int) -> None:
    assert not differs_after_change(y, above, below)


@at_edges_and_between
def test_differs_around_sees_a_background_that_moves(y: int) -> None:
    assert differs_after_change(y, above=120, below=120)
