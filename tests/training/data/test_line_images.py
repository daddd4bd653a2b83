import random

import numpy as np
import pytest

from stream_ocr.models.recognition.charset import DEFAULT
from stream_ocr.models.recognition.input_sizes import COLUMNS_PER_STEP, HEIGHT, WIDTHS
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.corpus import Corpus
from stream_ocr.training.data.fonts import BUILT_IN
from stream_ocr.training.data.line_images import Lines


def make_lines(seed: int = 0, line_share: float = 0.35, plate_share: float = 0.0) -> Lines:
    rng = random.Random(seed)
    corpus, backgrounds = Corpus(None, rng), Backgrounds(None, rng)
    return Lines(corpus, backgrounds, [BUILT_IN], None, rng, line_share=line_share, plate_share=plate_share)


@pytest.mark.parametrize("hardness", [0.0, 1.0])
def test_line_images_fit_the_net_and_its_charset(hardness: float) -> None:
    lines = make_lines()
    for _ in range(300):
        image, text = lines.sample(hardness)
        assert image.dtype == np.uint8
        assert image.shape[0] == HEIGHT
        assert image.shape[1] in WIDTHS
        assert text
        assert DEFAULT.covers(text)
        assert len(text) < image.shape[1] / COLUMNS_PER_STEP  # CTC needs a step a character
        assert image.std() > 1


def test_line_images_contain_the_share_of_lines() -> None:
    lines = make_lines(line_share=0.4)
    share = np.mean([" " in lines.sample(0.5).text for _ in range(500)])
    assert 0.28 < share < 0.5
    words = make_lines(line_share=0.0)
    assert not any(" " in words.sample().text for _ in range(100))


def test_line_images_contain_the_share_of_plates() -> None:
    lines = make_lines(line_share=0.0, plate_share=0.5)
    texts = [lines.sample().text for _ in range(300)]
    assert 0.4 < np.mean([text.replace("-", "").replace(" ", "").isupper() for text in texts]) < 0.9


def test_line_images_begin_easy() -> None:
    lines = make_lines()
    assert max(len(lines.sample(0.25, max_characters=6).text) for _ in range(200)) <= 6


def test_line_images_depend_on_the_seed_only() -> None:
    first, second = make_lines(7), make_lines(7)
    for _ in range(20):
        a, b = first.sample(), second.sample()
        assert a.text == b.text
        assert (a.image == b.image).all()
