from itertools import pairwise

import numpy as np
import pytest

from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded
from stream_ocr.models.recognition.input_sizes import HEIGHT, WIDTHS, width_for
from stream_ocr.models.recognition.preprocess import (
    PaddingResizer,
    StretchingResizer,
    join_readings,
    resize_line,
    split_line,
)


def noise(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def test_split_line_cuts_into_pieces_below_the_limit() -> None:
    line = noise(20, 913, seed=2)
    pieces = list(split_line(line, 6.0))
    np.testing.assert_array_equal(np.hstack([piece for piece, _ in pieces]), line)
    assert all(piece.shape[1] <= 120 for piece, _ in pieces)
    assert all(first.shape[1] >= 60 for (first, _), _ in pairwise(pieces))
    assert not any(after_space for _, after_space in pieces)  # noise has no gaps


def test_join_readings_keeps_a_confidence_for_each_character() -> None:
    joined = join_readings(
        [(Decoded(" ab", 0.6, (0.5, 0.9, 0.4)), False), (NO_TEXT, True), (Decoded("c ", 0.7, (0.8, 0.7)), True)]
    )
    assert joined.text == "ab c"
    assert joined.char_confidences == (0.9, 0.4, 0.4, 0.8)
    assert joined.confidence == pytest.approx((0.9 * 0.4 * 0.4 * 0.8) ** 0.25)
    assert join_readings([]) == NO_TEXT
    assert join_readings([(Decoded("  ", 0.5, (0.5, 0.5)), False)]) == NO_TEXT


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
