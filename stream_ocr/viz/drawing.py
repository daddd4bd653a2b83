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
_Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels

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


def draw_spans(frame: Frame, spans: Sequence[Span], time_s: float) -> None:
    """Draw the outlines of spans with their tracks, texts and confidences into a frame, in place."""
    outline = _relative_to_height(frame, DRAWING.outline_px)
    height = _relative_to_height(frame, DRAWING.label_px)
    corners = [np.array(span.polygon_at(time_s)) for span in spans]
    boxes = [_bounds(quad, outline) for quad in corners]
    placed: list[_Box] = []
    for number, (span, quad) in enumerate(zip(spans, corners, strict=True)):
        colour = _palette()[span.track % len(PALETTE_RGB)]
        for plane, value in zip((frame.y, frame.u, frame.v), colour, strict=True):
            scale = plane.shape[0] / frame.size[1]
            points = np.round(quad * scale * 2**_SHIFT).astype(np.int32)
            cv2.polylines(plane, [points], True, value, max(1, round(outline * scale)), cv2.LINE_AA, _SHIFT)
        label = _label(f"#{span.track}  {span.text}  {span.confidence:.2f}", height)
        left, top = _place(boxes[number], label.shape, frame.size, [*boxes[:number], *boxes[number + 1 :], *placed])
        placed.append((left, top, left + label.shape[1], top + label.shape[0]))
        _paste(frame, label, colour, _DARK if colour[0] > DRAWING.dark_text_luma else _LIGHT, (left, top))


def _bounds(corners: np.ndarray, margin: int) -> _Box:
    left, top = np.floor(corners.min(axis=0)).astype(int) - margin
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + margin
    return int(left), int(top), int(right), int(bottom)


def _place(box: _Box, shape: tuple[int, ...], size: tuple[int, int], taken: Sequence[_Box]) -> tuple[int, int]:
    """Return (left, top) of a label: the first free place above its text, below, right, left, or else over it."""
    height, width = shape
    left = min(max(box[0], 0), max(size[0] - width, 0))
    over = min(max((box[1] + box[3] - height) // 2, 0), max(size[1] - height, 0))
    places = ((left, box[1] - height), (left, box[3] + 1), (box[2] + 1, over), (box[0] - width, over))
    for x, y in places:
        fits = x >= 0 and y >= 0 and (x + width <= size[0] or x == left) and y + height <= size[1]
        if fits and not any(x < b[2] and b[0] < x + width and y < b[3] and b[1] < y + height for b in taken):
            return x, y
    return left, over


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
