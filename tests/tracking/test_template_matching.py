"""Which changes of the pixels count as a change of the letters."""

import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.synthetic.text import Text
from stream_ocr.tracking.template_matching import block_residuals, extract_patch, ink_change, match_template, patch_size
from stream_ocr.tracking.thresholds import APPEARANCE


def frame(text: str, height: int, *, band: int = 0) -> np.ndarray:
    """Luma of a line with an outline. band: columns at the left that are lighter."""
    picture = np.full((3 * height, 12 * height, 3), 110, np.uint8)
    picture[:, :band] = 170
    Text(text, 0.0, 1.0, position=(height, height), height=height).draw(picture, 0.5)
    return picture[..., 0].copy()


def patches(before: np.ndarray, now: np.ndarray, height: int, tilt: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """tilt: heights by which the ends of the box that shows ``now`` are lower and higher."""
    quad = rectangle(height, height, 6 * height, 0.9 * height)
    template = extract_patch(before, quad, patch_size(quad))
    tilted = quad + tilt * height * np.array([[0, 1], [0, -1], [0, -1], [0, 1]])
    return match_template(now, tilted, template, 2).patch, template


@pytest.mark.parametrize("height", [14, 22, 40])
@pytest.mark.parametrize("pair", [("12:08", "12:09"), ("GATE 5", "GATE 6"), ("read", "road"), ("0", "8")])
def test_ink_change_detects_one_other_letter_or_digit(height: int, pair: tuple[str, str]) -> None:
    patch, template = patches(*(frame(text, height) for text in pair), height)
    assert ink_change(patch, template) > APPEARANCE.min_ink_change


@pytest.mark.parametrize("height", [14, 22, 40])
def test_ink_change_ignores_a_slightly_rotated_box(height: int) -> None:
    patch, template = patches(frame("no travel", height), frame("no travel", height), height, tilt=0.02)
    assert block_residuals(patch, template, 14.0).max() > APPEARANCE.changed_residual / 4, "it looks different"
    digit = ink_change(*patches(frame("12:08", height), frame("12:09", height), height))
    assert ink_change(patch, template) < digit / 2


def test_ink_change_ignores_a_moving_background() -> None:
    before, now = (frame("no travel", 36, band=band) for band in (0, 150))
    patch, template = patches(before, now, 36)
    assert block_residuals(patch, template, 14.0).max() > APPEARANCE.changed_residual / 4, "it looks different"
    assert ink_change(patch, template) < APPEARANCE.min_ink_change
