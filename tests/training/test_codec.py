import random

import numpy as np

from stream_ocr.recognition.widths import HEIGHT, WIDTHS
from stream_ocr.training.codec import CodecMosaic
from stream_ocr.training.lines import Sample


def test_samples_come_back_with_their_texts_and_sizes() -> None:
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
