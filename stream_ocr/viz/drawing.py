"""Drawing on the planes of a frame: outlines with labels, and a ribbon that lists changes."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stream_ocr.core.frame import Frame
from stream_ocr.events.spans import Span
from stream_ocr.viz.thresholds import DRAWING

YuvColor = tuple[int, int, int]  # Y, U, V

# Orange, sky, green, yellow, blue, vermilion, purple: distinguishable for the colour-blind (Okabe and Ito).
PALETTE_RGB = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
_FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "LiberationSans-Regular.ttf")
_SHIFT = 4  # fractional bits of coordinates for OpenCV
_DARK, _LIGHT, _FAINT = (28, 128, 128), (235, 128, 128), (150, 128, 128)  # YUV


def draw_span(frame: Frame, span: Span, time_s: float) -> None:
    """Draw the outline of a span with its track, text and confidence into a frame, in place."""
    colour = _palette()[span.track % len(PALETTE_RGB)]
    corners = np.array(span.polygon_at(time_s))
    thickness = _relative_to_height(frame, DRAWING.outline_px)
    for plane, value in zip((frame.y, frame.u, frame.v), colour, strict=True):
        scale = plane.shape[0] / frame.size[1]
        points = np.round(corners * scale * 2**_SHIFT).astype(np.int32)
        cv2.polylines(plane, [points], True, value, max(1, round(thickness * scale)), cv2.LINE_AA, _SHIFT)
    label = _label(f"#{span.track}  {span.text}  {span.confidence:.2f}", _relative_to_height(frame, DRAWING.label_px))
    left, top, bottom = (round(float(side)) for side in (*corners.min(axis=0), corners[:, 1].max()))
    above = top - thickness - label.shape[0]
    left = min(max(left, 0), max(frame.size[0] - label.shape[1], 0))
    top = min(above if above >= 0 else bottom + thickness, max(frame.size[1] - label.shape[0], 0))
    _paste(frame, label, colour, _DARK if colour[0] > DRAWING.dark_text_luma else _LIGHT, (left, top))


def ribbon_height(size: tuple[int, int]) -> int:
    """Return the height of the ribbon for a frame of ``size`` (width, height), in pixels; even."""
    least, divisor = DRAWING.ribbon_px
    return max(least, size[1] // divisor) // 2 * 2


def add_ribbon(frame: Frame, changes: Sequence[str]) -> tuple[Frame, Frame]:
    """Return a copy of a frame with a ribbon below it, and a view of the frame in that copy to draw into.

    changes: the lines in the ribbon, latest first, as many as fit.
    """
    height = ribbon_height(frame.size)
    planes = [
        cv2.copyMakeBorder(plane, 0, height // scale, 0, 0, cv2.BORDER_CONSTANT, value=ground)
        for plane, scale, ground in zip((frame.y, frame.u, frame.v), (1, 2, 2), _DARK, strict=True)
    ]
    canvas = Frame(planes[0], planes[1], planes[2], frame.full_range)
    left = height // 4
    for number, change in enumerate(changes):
        label = _label(change, int(height * DRAWING.ribbon_text_height))
        if left >= frame.size[0]:
            break
        top = frame.size[1] + (height - label.shape[0]) // 2
        _paste(canvas, label, _DARK, _FAINT if number else _LIGHT, (left, top))
        left += label.shape[1] + height // 2
    y, u, v = (plane[: plane.shape[0] - height // scale] for plane, scale in zip(planes, (1, 2, 2), strict=True))
    return canvas, Frame(y, u, v, frame.full_range)


def font_name() -> str:
    """Return the name of the font of the labels."""
    font = _font(16)
    return " ".join(filter(None, font.getname())) if isinstance(font, ImageFont.FreeTypeFont) else "bitmap font"


def _relative_to_height(frame: Frame, least_and_divisor: tuple[int, int]) -> int:
    least, divisor = least_and_divisor
    return max(least, frame.size[1] // divisor)


def _paste(frame: Frame, label: np.ndarray, ground: YuvColor, ink: YuvColor, corner: tuple[int, int]) -> None:
    """Blend a label into a frame with its top left corner at ``corner``; clip it at the right and lower edge."""
    width, height = (side // 2 * 2 for side in frame.size)
    left, top = (max(side, 0) // 2 * 2 for side in corner)
    alpha = label[: max(height - top, 0), : max(width - left, 0)]
    for plane, under, over, scale in zip((frame.y, frame.u, frame.v), ground, ink, (1, 2, 2), strict=True):
        rows, columns = alpha.shape[0] // scale, alpha.shape[1] // scale
        share = alpha.reshape(rows, scale, columns, scale).mean(axis=(1, 3))
        plane[top // scale :, left // scale :][:rows, :columns] = (under + share * (over - under)).round()


@lru_cache(maxsize=256)
def _label(text: str, height: int) -> np.ndarray:
    """Render a text as (H, W) float32 opacity from 0 to 1, both sides even."""
    font = _font(height)
    text = " ".join(text.split())[: DRAWING.max_label_chars]
    _, top, _, bottom = font.getbbox("Áqg|")  # the same for every text, so that baselines do not jump
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
def _palette() -> tuple[YuvColor, ...]:
    pixels = cv2.cvtColor(np.array([PALETTE_RGB], dtype=np.uint8), cv2.COLOR_RGB2YUV)[0]
    return tuple((int(y), int(u), int(v)) for y, u, v in pixels)
