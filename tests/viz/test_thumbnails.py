"""Tests of thumbnails."""

import numpy as np
import pytest

from stream_ocr.core.frame import Frame
from stream_ocr.viz.thumbnails import frame_to_bgr

RED = {480: (81, 90, 240), 720: (63, 102, 240)}  # Y, U, V: by BT.601 and by BT.709


@pytest.mark.parametrize("height", RED)
def test_frame_to_bgr_uses_the_colour_matrix_of_the_frame_size(height: int) -> None:
    y, u, v = (np.full((rows, 16 * rows // 9), value, np.uint8) for rows, value in
               zip((height, height // 2, height // 2), RED[height], strict=True))  # fmt: skip
    assert frame_to_bgr(Frame(y, u, v)).mean(axis=(0, 1)) == pytest.approx((0, 0, 255), abs=4)
