"""Crops of lines that are drawn and compressed."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from stream_ocr.synthetic.text import Text


@pytest.fixture
def draw_crop() -> Callable[..., np.ndarray]:
    """Return a function that draws a crop; see ``_draw_crop``."""
    return _draw_crop


@pytest.fixture
def film() -> Callable[[int], np.ndarray]:
    """Return a function that draws a background from a seed; see ``_film``."""
    return _film


def _draw_crop(
    text: str,
    *,
    height: int = 20,
    colours: tuple[int, int] = (230, 40),
    quality: int = 80,
    shift: tuple[float, float] = (0.0, 0.0),
    larger: float = 0.0,
    behind: np.ndarray | None = None,
) -> np.ndarray:
    """Return the crop of a line, 48 pixels high.

    height: font size. colours: grey level of ink and ground. quality: of its JPEG compression. shift: of the letters,
    in pixels. larger: part of its height by which the box is too large. behind: picture behind the letters.
    """
    ink, ground = colours
    line = Text(text, 0, 1, (height, height), height=height, colour=(ink, ink, ink), outline=None)
    _, _, width, tall = line.box(0)
    picture = np.full((tall + 2 * height, width + 2 * height, 3), ground, np.uint8)
    if behind is not None:
        picture[:] = behind[: picture.shape[0], : picture.shape[1], None]
    line.draw(picture, 0)
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    grey = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    margin = (0.28 + larger) * height
    scale = 48 / (tall + 2 * margin)
    left, top = height - margin + shift[0], height - margin + shift[1]
    to_crop = np.array([[1 / scale, 0, left], [0, 1 / scale, top]], np.float32)
    size = round((width + 2 * margin) * scale), 48
    return cv2.warpAffine(grey, to_crop, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def _film(seed: int) -> np.ndarray:
    """Return a picture of blurred shapes, (200, 800) uint8."""
    noise = np.random.default_rng(seed).integers(0, 255, (25, 100), np.uint8)
    return cv2.resize(noise, (800, 200), interpolation=cv2.INTER_CUBIC) // 2
