import random

import numpy as np
import pytest

from stream_ocr.evaluation.recognition_metrics import Sample
from stream_ocr.models.recognition.input_sizes import HEIGHT, WIDTHS
from stream_ocr.training.data.word_crops import augment, is_validation


def test_word_crops_keep_a_fifth_for_validation() -> None:
    assert 0.17 < np.mean([is_validation(f"set/{i}.jpg") for i in range(5000)]) < 0.23


@pytest.mark.parametrize("shape", [(5, 4), (12, 40), (64, 20), (64, 600)])
def test_word_crops_fit_the_net_after_augmentation(shape: tuple[int, int]) -> None:
    rng = random.Random(0)
    sample = Sample(np.random.default_rng(0).integers(0, 256, shape, np.uint8), "x")
    for _ in range(50):
        image, text = augment(sample, rng)
        assert text == "x"
        assert image.dtype == np.uint8
        assert image.shape[0] == HEIGHT
        assert image.shape[1] in WIDTHS
