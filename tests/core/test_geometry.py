import numpy as np
import pytest

from stream_ocr.core.geometry import order_corners, rectangle, relative_centre, side_lengths, to_flat


def box(width: float, height: float, degrees: float) -> np.ndarray:
    """Return the corners of a rectangle centred at (100, 100) and rotated clockwise, from its unrotated top left."""
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return rectangle(-width / 2, -height / 2, width, height) @ matrix + 100


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("degrees", [-69, -45, -20, 0, 1, 30, 45, 69])
def test_order_corners_reads_lines_to_the_right_from_any_first_corner(degrees: float, first: int) -> None:
    line = box(120, 20, degrees)
    np.testing.assert_allclose(order_corners(np.roll(line, first, axis=0)), line)
    np.testing.assert_allclose(order_corners(np.roll(line, first, axis=0)[::-1]), line)


@pytest.mark.parametrize("degrees", [-89, -90, -91, -80, -100])
def test_order_corners_reads_nearly_vertical_lines_upwards(degrees: float) -> None:
    np.testing.assert_allclose(order_corners(box(120, 20, degrees)), box(120, 20, degrees), atol=1e-9)


@pytest.mark.parametrize("degrees", [-40, -10, 0, 10, 40])
@pytest.mark.parametrize(("width", "height"), [(20, 20), (12, 28), (15, 30)])
def test_order_corners_does_not_rotate_single_characters(width: float, height: float, degrees: float) -> None:
    np.testing.assert_allclose(order_corners(box(width, height, degrees)), box(width, height, degrees))


def test_order_corners_is_vectorised() -> None:
    boxes = np.array([box(120, 20, 30), box(10, 30, 0), box(20, 120, 5), box(30, 30, 40)])
    together = order_corners(boxes)
    assert together.shape == (4, 4, 2)
    for quad, corners in zip(together, boxes, strict=True):
        np.testing.assert_array_equal(quad, order_corners(corners))


def test_order_corners_is_clockwise_and_accepts_points() -> None:
    quad = order_corners(box(120, 20, 200))
    along, down = quad[1] - quad[0], quad[3] - quad[0]
    assert along[0] * down[1] - along[1] * down[0] > 0
    assert side_lengths(quad) == pytest.approx((120, 20))
    assert np.isfinite(order_corners(np.full((4, 2), 7.0))).all()


def test_relative_centre_is_a_fraction_of_width_and_height() -> None:
    assert relative_centre(to_flat(rectangle(100, 90, 120, 20)), (640, 400)) == (0.25, 0.25)
