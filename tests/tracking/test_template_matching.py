"""What of a text's look is a change of its letters."""

import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.synthetic.text import Text
from stream_ocr.tracking.appearance_model import _CHANGED, _REWRITTEN
from stream_ocr.tracking.template_matching import find, look_at, residuals, rewritten, view_size


def frame(text: str, height: int, *, band: int = 0) -> np.ndarray:
    """Luma of a line with an outline. band: columns at the left that are lighter."""
    picture = np.full((3 * height, 12 * height, 3), 110, np.uint8)
    picture[:, :band] = 170
    Text(text, 0.0, 1.0, at=(height, height), height=height).draw(picture, 0.5)
    return picture[..., 0].copy()


def views(before: np.ndarray, now: np.ndarray, height: int, tilt: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """tilt: heights by which the ends of the box that shows ``now`` are lower and higher."""
    quad = rectangle(height, height, 6 * height, 0.9 * height)
    template = look_at(before, quad, view_size(quad))
    tilted = quad + tilt * height * np.array([[0, 1], [0, -1], [0, -1], [0, 1]])
    return find(now, tilted, template, 2).view, template


@pytest.mark.parametrize("height", [14, 22, 40])
@pytest.mark.parametrize("pair", [("12:08", "12:09"), ("GATE 5", "GATE 6"), ("read", "road"), ("0", "8")])
def test_another_letter_or_digit_is_written_anew(height: int, pair: tuple[str, str]) -> None:
    view, template = views(*(frame(text, height) for text in pair), height)
    assert rewritten(view, template) > _REWRITTEN


@pytest.mark.parametrize("height", [14, 22, 40])
def test_a_box_that_is_turned_a_little_shows_the_same_letters(height: int) -> None:
    view, template = views(frame("no travel", height), frame("no travel", height), height, tilt=0.02)
    assert residuals(view, template, 14.0).max() > _CHANGED / 4, "it looks different"
    digit = rewritten(*views(frame("12:08", height), frame("12:09", height), height))
    assert rewritten(view, template) < digit / 2


def test_what_moves_behind_a_text_is_no_letter() -> None:
    before, now = (frame("no travel", 36, band=band) for band in (0, 150))
    view, template = views(before, now, 36)
    assert residuals(view, template, 14.0).max() > _CHANGED / 4, "it looks different"
    assert rewritten(view, template) < _REWRITTEN
