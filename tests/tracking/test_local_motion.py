import cv2
import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.tracking.local_motion import local_shift


def street(offset: tuple[float, float], text: str = "2396 LPD", *, textured: bool = True) -> np.ndarray:
    """Return luma of a sign at (200, 100) in front of a wall, both shifted by an offset (x, y) in pixels."""
    wall = np.full((260, 460), 90, np.uint8)
    if textured:
        wall = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, wall.shape, dtype=np.uint8), (0, 0), 3)
        wall = cv2.normalize(wall, wall, 20, 160, cv2.NORM_MINMAX)
    cv2.putText(wall, text, (200, 112), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA)
    shift = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32)
    return cv2.warpAffine(wall, shift, (400, 220), borderMode=cv2.BORDER_REFLECT)


SIGN = rectangle(200, 100, 76, 14)


@pytest.mark.parametrize("offset", [(-13.0, 2.5), (20.0, -6.0), (3.5, 14.0)])
def test_local_shift_is_that_of_the_surroundings(offset: tuple[float, float]) -> None:
    shift = local_shift(street((0, 0)), street(offset), SIGN)
    assert shift is not None
    np.testing.assert_allclose(shift, offset, atol=0.5)


def test_local_shift_is_unknown_where_the_surroundings_stand_still() -> None:
    assert local_shift(street((0, 0), "THAN"), street((0, 0), "THOSE"), SIGN) is None


def test_local_shift_is_unknown_if_it_is_not_clear() -> None:
    noise = np.random.default_rng(2).integers(0, 255, (220, 400), dtype=np.uint8)
    assert local_shift(street((0, 0)), noise, SIGN) is None


def test_local_shift_is_unknown_in_a_window_that_is_too_small() -> None:
    assert local_shift(street((0, 0))[:12], street((13, 0))[:12], rectangle(200, 2, 76, 8)) is None
