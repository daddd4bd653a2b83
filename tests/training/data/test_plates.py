"""Number plates for the training of the recogniser."""

import random
import re
from pathlib import Path

import numpy as np

from stream_ocr.training.data.fonts import BUILT_IN
from stream_ocr.training.data.glyphs import Pen, Writing
from stream_ocr.training.data.plates import Plates


def test_plates_hold_the_code_inside_the_box_and_other_ink_beside_it() -> None:
    rng = random.Random(0)
    plates = Plates(Pen([BUILT_IN], rng), rng)
    marked = 0
    for _ in range(200):
        plate = plates.draw()
        assert plate is not None
        assert re.fullmatch(r"[A-Z0-9]+([ -][A-Z0-9]+)*", plate.text)
        mask, left, top, right, bottom = plate.code
        assert mask.shape == plate.marks.shape
        assert mask.dtype == plate.marks.dtype == np.uint8
        inside = mask[top:bottom, left:right]
        assert inside.any()
        assert inside.sum(dtype=int) == mask.sum(dtype=int)
        marked += plate.marks.any()
    assert marked > 150


class _ThinPen(Pen):
    """Writes names in a font so narrow that nothing is left of them in small print."""

    def write(self, text: str, font: Path) -> Writing | None:
        thin = np.full((400, 2), 255, np.uint8)
        return Writing(thin, 0, 0, 2, 400) if text.isalpha() and len(text) > 3 else super().write(text, font)


def test_plates_survive_small_print_that_vanishes() -> None:
    rng = random.Random(0)
    plates = Plates(_ThinPen([BUILT_IN], rng), rng)
    assert all(plates.draw() for _ in range(100))
