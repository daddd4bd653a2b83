"""Marks on the planes of a frame: outlines with their labels, and a ribbon that says what changed."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stream_ocr.core.frame import Frame
from stream_ocr.events.spans import Span

Colour = tuple[int, int, int]  # Y, U, V

# Orange, sky, green, yellow, blue, vermilion, purple: told apart by the colour-blind, too (Okabe and Ito).
RGB = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
_FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "LiberationSans-Regular.ttf")
_SHIFT = 4  # binary places below the pixel that OpenCV draws with
_LONGEST = 200  # characters of a label; what is longer than any picture is wide need not be drawn
_DARK, _LIGHT, _FAINT = (28, 128, 128), (235, 128, 128), (150, 128, 128)


def outline(frame: Frame, span: Span, time_s: float) -> None:
    """Draw a span with its track, text and confidence into the planes of a frame, in place."""
    colour = _palette()[span.track % len(RGB)]
    corners = np.array(span.polygon_at(time_s))
    thickness = max(2, frame.size[1] // 360)
    for plane, value in zip((frame.y, frame.u, frame.v), colour, strict=True):
        scale = plane.shape[0] / frame.size[1]
        points = np.round(corners * scale * 2**_SHIFT).astype(np.int32)
        cv2.polylines(plane, [points], True, value, max(1, round(thickness * scale)), cv2.LINE_AA, _SHIFT)
    label = _label(f"#{span.track}  {span.text}  {span.confidence:.2f}", max(14, frame.size[1] // 45))
    left, top, bottom = (round(float(side)) for side in (*corners.min(axis=0), corners[:, 1].max()))
    above = top - thickness - label.shape[0]
    left = min(max(left, 0), max(frame.size[0] - label.shape[1], 0))
    top = min(above if above >= 0 else bottom + thickness, max(frame.size[1] - label.shape[0], 0))
    _stick(frame, label, colour, _DARK if colour[0] > 110 else _LIGHT, (left, top))


def ribbon_height(size: tuple[int, int]) -> int:
    """Pixels that the ribbon takes below a picture of that size; even."""
    return max(20, size[1] // 18) // 2 * 2


def with_ribbon(frame: Frame, changes: Sequence[str]) -> tuple[Frame, Frame]:
    """A copy of a frame with a ribbon below it: (all of it, the picture in it as a view to draw into).

    changes: what the ribbon says, the latest first; as many as it has room for.
    """
    height = ribbon_height(frame.size)
    planes = [
        cv2.copyMakeBorder(plane, 0, height // scale, 0, 0, cv2.BORDER_CONSTANT, value=ground)
        for plane, scale, ground in zip((frame.y, frame.u, frame.v), (1, 2, 2), _DARK, strict=True)
    ]
    whole = Frame(planes[0], planes[1], planes[2], frame.full_range)
    left = height // 4
    for number, change in enumerate(changes):
        label = _label(change, height * 3 // 5)
        if left >= frame.size[0]:
            break
        top = frame.size[1] + (height - label.shape[0]) // 2
        _stick(whole, label, _DARK, _FAINT if number else _LIGHT, (left, top))
        left += label.shape[1] + height // 2
    y, u, v = (plane[: plane.shape[0] - height // scale] for plane, scale in zip(planes, (1, 2, 2), strict=True))
    return whole, Frame(y, u, v, frame.full_range)


def font_name() -> str:
    """Which font the labels are written in."""
    font = _font(16)
    return " ".join(filter(None, font.getname())) if isinstance(font, ImageFont.FreeTypeFont) else "of bitmaps"


def _stick(frame: Frame, label: np.ndarray, ground: Colour, ink: Colour, place: tuple[int, int]) -> None:
    """Put a label on a frame, its top left corner there; what is beyond the right or lower edge is cut off."""
    width, height = (side // 2 * 2 for side in frame.size)
    left, top = (max(side, 0) // 2 * 2 for side in place)
    cover = label[: max(height - top, 0), : max(width - left, 0)]
    for plane, under, over, scale in zip((frame.y, frame.u, frame.v), ground, ink, (1, 2, 2), strict=True):
        rows, columns = cover.shape[0] // scale, cover.shape[1] // scale
        share = cover.reshape(rows, scale, columns, scale).mean(axis=(1, 3))
        plane[top // scale :, left // scale :][:rows, :columns] = (under + share * (over - under)).round()


@lru_cache(maxsize=256)
def _label(text: str, height: int) -> np.ndarray:
    """(H, W) float32 cover of ink, 0 to 1, both sides even."""
    font = _font(height)
    text = " ".join(text.split())[:_LONGEST]
    _, top, _, bottom = font.getbbox("Áqg|")  # the same for every text, so that lines do not dance
    left, _, right, _ = font.getbbox(text)
    pad = height // 4
    width, tall = int(right - left) + 2 * pad, int(bottom - top) + pad
    image = Image.new("L", (width + width % 2, tall + tall % 2))
    ImageDraw.Draw(image).text((pad - left, pad // 2 - top), text, fill=255, font=font)
    return np.asarray(image, dtype=np.float32) / 255


@lru_cache(maxsize=8)
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, height)
        except OSError:
            continue
    return ImageFont.load_default(height)


@lru_cache(maxsize=1)
def _palette() -> tuple[Colour, ...]:
    pixels = cv2.cvtColor(np.array([RGB], dtype=np.uint8), cv2.COLOR_RGB2YUV)[0]
    return tuple((int(y), int(u), int(v)) for y, u, v in pixels)
