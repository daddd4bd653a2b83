import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.tracking.kalman import BoxFilter


def test_box_filter_starts_at_its_quad() -> None:
    quad = rectangle(10, 20, 100, 25)
    assert BoxFilter(quad).quad() == pytest.approx(quad)


def test_box_filter_learns_the_velocity_and_extrapolates() -> None:
    quad = rectangle(10, 20, 100, 25)
    box = BoxFilter(quad)
    for frame in range(1, 26):
        box.predict(0.04)
        box.update_quad(quad + [4 * frame, 0])
    box.predict(0.4)
    assert box.velocity == pytest.approx([100, 0], abs=5)
    assert box.quad() == pytest.approx(quad + [140, 0], abs=4)


def test_box_filter_measures_velocity_in_seconds_at_a_variable_frame_rate() -> None:
    quad = rectangle(10, 20, 100, 25)
    box = BoxFilter(quad)
    time_s = 0.0
    for step in np.tile([0.02, 0.1, 0.05], 10):
        time_s += step
        box.predict(step)
        box.update_quad(quad + [50 * time_s, 0])
    assert box.velocity == pytest.approx([50, 0], abs=5)


def test_box_filter_keeps_the_slant_of_the_quad() -> None:
    quad = rectangle(0, 0, 100, 25) @ np.array([[0.9, 0.4], [-0.4, 0.9]])
    box = BoxFilter(quad)
    box.predict(0.04)
    box.update_quad(quad + 1)
    assert box.quad() == pytest.approx(quad + 1, abs=1)


def test_box_filter_keeps_a_size_that_is_not_measured_again() -> None:
    quad = rectangle(10, 20, 100, 25)
    box = BoxFilter(quad)
    for _ in range(3):
        box.predict(0.2)
        quad = rectangle(10, 20, 100, float(quad[3, 1] - quad[0, 1]) - 2)
        box.update_quad(quad)
    for _ in range(100):
        box.predict(0.04)
        box.update_centre(quad.mean(axis=0))
    assert box.quad() == pytest.approx(quad, abs=3)
