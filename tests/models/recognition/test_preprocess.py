import numpy as np

from stream_ocr.models.recognition.input_sizes import HEIGHT, WIDTHS, width_for
from stream_ocr.models.recognition.preprocess import (
    PaddingResizer,
    StretchingResizer,
    resize_line,
)


def noise(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def test_retry_inputs_are_none_where_a_retry_does_not_help() -> None:
    assert StretchingResizer().retry_inputs(noise(10, 30, 1)) == []
    assert PaddingResizer(48, (128,)).retry_inputs(noise(32, 95, 1)) == []


def test_retry_inputs_leave_out_what_trimming_would_use_up() -> None:
    trims = [crop.shape for crop, _ in StretchingResizer().retry_inputs(noise(100, 20, 1))]
    assert trims == [(90, 10)], "a tenth of the height on both sides is all of the width"


def test_width_for_and_resize_line_follow_the_aspect() -> None:
    assert width_for(32, 10) == WIDTHS[0]
    assert width_for(64, 200) == 128  # 100 at height 32, times 1.35
    assert width_for(20, 20) == width_for(40, 40)
    assert width_for(10, 10_000) == WIDTHS[-1]
    assert resize_line(np.zeros((64, 200), np.uint8)).shape == (HEIGHT, 128)
    assert resize_line(np.zeros((7, 9), np.uint8), width=80).shape == (HEIGHT, 80)


def test_content_share_leaves_out_the_padding() -> None:
    assert StretchingResizer().content_share(noise(32, 95, 1)) == 1
    resizer = PaddingResizer(48, (128, 256), margin=16)
    assert resizer.content_share(noise(48, 64, 1)) == 64 / 128
    assert resizer.content_share(noise(48, 1000, 1)) == 240 / 256, "squeezed, with the margin"
