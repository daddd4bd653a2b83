"""The appearance model: learning in seconds, and changes that have settled."""

import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.synthetic.text import Text
from stream_ocr.tracking.appearance_model import AppearanceChange, AppearanceModel
from stream_ocr.tracking.template_matching import match_template

QUAD = rectangle(20, 20, 110, 20)


def frame(text: str, brightness: int = 110) -> np.ndarray:
    image = np.full((60, 200, 3), brightness, np.uint8)
    Text(text, 0.0, 1.0, position=(20, 20), height=22).draw(image, 0.5)
    return image[..., 0].copy()


def show(model: AppearanceModel, luma: np.ndarray, time_s: float, frame_s: float) -> AppearanceChange | None:
    return model.update(match_template(luma, QUAD, model.template, 2), time_s, frame_s)


def test_appearance_model_dates_other_letters_to_their_first_frame() -> None:
    model = AppearanceModel(QUAD, frame("GATE 4"))
    changes = [show(model, frame("GATE 4" if n < 5 else "EXIT 7"), n / 25, 1 / 25) for n in range(1, 10)]
    assert [change for change in changes if change] == [AppearanceChange("letters", 5 / 25)]


@pytest.mark.parametrize("fps", [12.5, 50.0])
def test_appearance_model_learns_per_second_not_per_frame(fps: float) -> None:
    faint = frame("GATE 4")
    faint[...] = 110 + 0.99 * (faint.astype(float) - 110)
    templates = []
    for rate in (25.0, fps):
        model = AppearanceModel(QUAD, frame("GATE 4"))
        for n in range(round(rate)):
            show(model, faint, n / rate, 1 / rate)
        templates.append(model.template)
    np.testing.assert_allclose(templates[1], templates[0], atol=0.02)
