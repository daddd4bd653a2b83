import numpy as np
import pytest

from stream_ocr.core.color import frame_from_bgr, frame_to_rgb
from stream_ocr.core.frame import Frame


@pytest.mark.parametrize(
    ("yuv", "height", "full_range", "rgb"),
    [
        ((81, 90, 240), 360, False, (255, 0, 0)),  # BT.601, limited range
        ((145, 54, 34), 360, False, (0, 255, 0)),
        ((63, 102, 240), 720, False, (255, 0, 0)),  # BT.709
        ((32, 240, 118), 720, False, (0, 0, 255)),
        ((16, 128, 128), 360, False, (0, 0, 0)),
        ((235, 128, 128), 720, False, (255, 255, 255)),
        ((76, 85, 255), 360, True, (254, 0, 0)),
        ((235, 128, 128), 360, True, (235, 235, 235)),
    ],
)
def test_frame_to_rgb_follows_bt601_and_bt709(yuv, height, full_range, rgb) -> None:
    planes = (
        np.full((side, 2 * side), value, np.uint8)
        for side, value in zip((height, height // 2, height // 2), yuv, strict=True)
    )
    image = frame_to_rgb(Frame(*planes, full_range=full_range), (96, 48))
    assert image.shape == (48, 96, 3)
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image.reshape(-1, 3), np.tile(rgb, (48 * 96, 1)), atol=2)


def test_frame_from_bgr_keeps_grey_and_odd_sizes() -> None:
    picture = np.full((5, 7, 3), 128, dtype=np.uint8)
    frame = frame_from_bgr(picture)
    assert frame.size == (7, 5)
    assert frame.y == pytest.approx(np.full((5, 7), 126), abs=1)
