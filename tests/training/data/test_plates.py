"""Number plates for the training of the recogniser."""

import random
import re

import numpy as np

from stream_ocr.training.data.fonts import BUILT_IN
from stream_ocr.training.data.glyphs import Pen
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
