import random

import numpy as np

from stream_ocr.evaluation.recognition_metrics import Sample
from stream_ocr.models.recognition.input_sizes import HEIGHT, WIDTHS
from stream_ocr.training.data.codec import CodecMosaic


def test_codec_returns_samples_with_their_texts_and_sizes() -> None:
    rng, mosaic = random.Random(0), CodecMosaic(random.Random(1))
    given: dict[str, Sample] = {}
    back: list[Sample] = []
    for i in range(120):
        image = np.zeros((HEIGHT, rng.choice(WIDTHS)), np.uint8)
        image[:, : image.shape[1] // 2] = 255
        given[str(i)] = Sample(image, str(i))
        back += mosaic.add(given[str(i)])
    back += mosaic.flush()
    assert mosaic.flush() == []
    assert sorted(sample.text for sample in back) == sorted(given)
    for image, text in back:
        assert image.shape == given[text].image.shape
        half = image.shape[1] // 2
        assert image[:, : half - 4].mean() > 180  # the bright half is still where it was
        assert image[:, half + 4 :].mean() < 75
