import random

import numpy as np

from stream_ocr.training.data.line_effects import damaged, warped


def test_line_effects_cut_a_quad_and_keep_strokes_when_shrinking() -> None:
    mask = np.zeros((88, 200), np.uint8)
    mask[30:60, 50:53] = 255
    quad = np.array([[40, 20], [120, 20], [120, 70], [40, 70]], float)
    seen = warped(mask, quad, 10, 16)
    assert seen.shape == (10, 16)
    assert seen.dtype == np.float32
    assert seen[5].argmax() == 2
    assert seen.max() > 0.3


def test_line_effects_only_round_easy_images_and_keep_the_shape_of_hard_ones() -> None:
    grain = np.random.default_rng(0).standard_normal(1 << 16, np.float32)
    picture = np.linspace(-20, 300, 32 * 80, dtype=np.float32).reshape(32, 80)
    assert np.array_equal(damaged(picture, 0.0, random.Random(0), grain), np.clip(picture, 0, 255).astype(np.uint8))
    for seed in range(40):
        image = damaged(picture, 1.0, random.Random(seed), grain)
        assert image.shape == (32, 80)
        assert image.dtype == np.uint8
