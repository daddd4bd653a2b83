import numpy as np
import pytest

from stream_ocr.core.geometry import order_corners, rectangle, side_lengths


def box(width: float, height: float, degrees: float) -> np.ndarray:
    """Corners of a rectangle about (100, 100), from the top left before it was turned clockwise."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return rectangle(-width / 2, -height / 2, width, height) @ matrix + 100


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("degrees", [-69, -45, -20, 0, 1, 30, 45, 69])
def test_a_line_is_read_to_the_right_whatever_corner_came_first(degrees: float, first: int) -> None:
    line = box(120, 20, degrees)
    np.testing.assert_allclose(order_corners(np.roll(line, first, axis=0)), line)
    np.testing.assert_allclose(order_corners(np.roll(line, first, axis=0)[::-1]), line)


@pytest.mark.parametrize("degrees", [-89, -90, -91, -80, -100])
def test_a_tall_line_is_read_upwards_on_both_sides_of_the_vertical(degrees: float) -> None:
    np.testing.assert_allclose(order_corners(box(120, 20, degrees)), box(120, 20, degrees), atol=1e-9)


@pytest.mark.parametrize("degrees", [-40, -10, 0, 10, 40])
@pytest.mark.parametrize(("width", "height"), [(20, 20), (12, 28), (15, 30)])
def test_a_single_character_is_not_turned(width: float, height: float, degrees: float) -> None:
    np.testing.assert_allclose(order_corners(box(width, height, degrees)), box(width, height, degrees))


def test_many_boxes_at_once_are_ordered_as_one_by_one() -> None:
    boxes = np.array([box(120, 20, 30), box(10, 30, 0), box(20, 120, 5), box(30, 30, 40)])
    together = order_corners(boxes)
    assert together.shape == (4, 4, 2)
    for quad, corners in zip(together, boxes, strict=True):
        np.testing.assert_array_equal(quad, order_corners(corners))


def test_corners_are_clockwise_and_a_point_is_harmless() -> None:
    quad = order_corners(box(120, 20, 200))
    along, down = quad[1] - quad[0], quad[3] - quad[0]
    assert along[0] * down[1] - along[1] * down[0] > 0
    assert side_lengths(quad) == pytest.approx((120, 20))
    assert np.isfinite(order_corners(np.full((4, 2), 7.0))).all()
