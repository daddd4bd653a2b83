"""The backward search for the first frame that shows a text."""

import cv2
import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.tracking.appearance_model import AppearanceModel
from stream_ocr.tracking.frame_history import FirstAppearance, FrameHistory


def word(x: int | None) -> np.ndarray:
    """Return luma that shows a word at x, or nothing."""
    image = np.full((120, 400), 40, np.uint8)
    if x is not None:
        cv2.putText(image, "PLATE", (x, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 230, 3)
    return image


def first_appearance(*places: int | None) -> FirstAppearance:
    """Return the first appearance of a word that stands at a place in each frame, 25 frames per second."""
    history = FrameHistory()
    for n, x in enumerate(places):
        history.add(n / 25, word(x))
    assert places[-1] is not None
    quad = rectangle(places[-1] - 3, 40, 122, 36)
    model = AppearanceModel(quad, word(places[-1]))
    return history.find_first_appearance(quad, model.template, model.tolerance)


def test_find_first_appearance_returns_start_place_and_velocity() -> None:
    first = first_appearance(None, 60, 66, 72)
    assert first.time_s == 1 / 25
    assert first.quad[0, 0] == pytest.approx(57, abs=0.5)
    assert first.velocity == pytest.approx([150, 0], abs=5)


def test_find_first_appearance_returns_no_velocity_of_a_text_that_only_the_last_frame_shows() -> None:
    first = first_appearance(None, 300, 60)
    assert (first.time_s, first.velocity) == (2 / 25, None)
