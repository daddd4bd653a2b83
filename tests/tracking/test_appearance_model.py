"""The appearance model: learnt noise, and changes that have settled."""

import numpy as np

from stream_ocr.core.geometry import rectangle
from stream_ocr.synthetic.text import Text
from stream_ocr.tracking.appearance_model import AppearanceChange, AppearanceModel
from stream_ocr.tracking.template_matching import match_template

QUAD = rectangle(20, 20, 110, 20)


def frame(text: str, brightness: int = 110) -> np.ndarray:
    image = np.full((60, 200, 3), brightness, np.uint8)
    Text(text, 0.0, 1.0, position=(20, 20), height=22).draw(image, 0.5)
    return image[..., 0].copy()


def show(model: AppearanceModel, luma: np.ndarray, time_s: float) -> AppearanceChange | None:
    return model.update(match_template(luma, QUAD, model.template, 2), time_s)


def test_appearance_model_dates_other_letters_to_their_first_frame() -> None:
    model = AppearanceModel(QUAD, frame("GATE 4"))
    changes = [show(model, frame("GATE 4" if n < 5 else "EXIT 7"), n / 25) for n in range(1, 10)]
    assert [change for change in changes if change] == [AppearanceChange("letters", 5 / 25)]


def test_appearance_model_learns_noise_instead_of_reporting_it() -> None:
    model = AppearanceModel(QUAD, frame("GATE 4"))
    rng = np.random.default_rng(0)
    before = model.tolerance.mean()
    for n in range(1, 50):
        noisy = frame("GATE 4") + rng.normal(0, 12, (60, 200))
        change = show(model, np.clip(noisy, 0, 255).astype(np.uint8), n / 25)
        assert change is None or change.kind == "drift"
    assert model.tolerance.mean() > before
