"""Lines of text laid out flat as an alpha mask, warped by one homography onto a picture, and blended into it."""

import random
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from stream_ocr.core.geometry import rectangle
from stream_ocr.training.data.fonts import load_font
from stream_ocr.training.data.thresholds import COMPOSITING

CAPTION_COLOURS = (
    *((255, 255, 255),) * 2,
    (240, 240, 240),
    (255, 255, 0),
    (250, 230, 60),
    (0, 0, 0),
    (0, 255, 255),
)


@dataclass(frozen=True, slots=True)
class Block:
    """Lines laid out flat. mask: (h, w) uint8 alpha of the ink. quads: (N, 4, 2) in pixels of the mask."""

    mask: np.ndarray
    quads: np.ndarray
    height: float


@dataclass(frozen=True, slots=True)
class Style:
    """Blending of ink and background. plate, opacity: 0 (none) to 1. outline: share of the text height, 0 for none.

    least_contrast: between ink and background, in grey levels. least_contrast_to_unrest: the same, relative to the
    standard deviation of the background.
    """

    plate: float = 0.0
    outline: float = 0.0
    shadow: float = 0.0
    opacity: float = 1.0
    blur: float = 0.0
    captions: bool = False
    least_contrast: float = 45.0
    least_contrast_to_unrest: float = COMPOSITING.texture_gain


@dataclass(slots=True)
class Canvas:
    """An unfinished image, and which of its cells have text."""

    picture: np.ndarray
    quads: list[np.ndarray] = field(default_factory=list)
    taken: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        height, width = self.picture.shape[:2]
        self.taken = np.zeros((height // COMPOSITING.cell_px, width // COMPOSITING.cell_px), np.uint8)

    @property
    def size(self) -> tuple[int, int]:
        return self.picture.shape[1], self.picture.shape[0]

    def take(self, corners: np.ndarray) -> bool:
        """Reserve a quad; False, and nothing done, where it would leave the picture or touch another."""
        cells = np.round(corners / COMPOSITING.cell_px).astype(np.int32)
        if (cells < 0).any() or (cells > (self.taken.shape[1], self.taken.shape[0])).any():
            return False
        wanted = cv2.fillConvexPoly(np.zeros_like(self.taken), cells, 1)
        if (self.taken & cv2.dilate(wanted, np.ones((3, 3), np.uint8))).any():
            return False
        self.taken |= wanted
        return True


def ink(text: str, font: Path, height: float, spread: float, stretch: float) -> np.ndarray:
    """Return the alpha mask (h, w) uint8 of a line, cut to its ink; height: of tall letters, in pixels.

    spread: space between letters in text heights. stretch: of the width.
    """
    size = max(8, round(height * 1.3))
    face = load_font(font, size if size < 24 else size // 4 * 4 if size < 120 else size // 16 * 16)
    if spread:
        steps = np.cumsum([0.0] + [face.getlength(c) + spread * height for c in text])
        image = Image.new("L", (int(steps[-1]) + 8, int(size * 2)))
        draw = ImageDraw.Draw(image)
        for character, x in zip(text, steps, strict=False):
            draw.text((4 + x, 4), character, font=face, fill=255)
    else:
        box = face.getbbox(text)
        image = Image.new("L", (int(box[2]) + 8, int(box[3]) + 8))
        ImageDraw.Draw(image).text((4, 4), text, font=face, fill=255)
    mask = np.asarray(image)
    x, y, w, h = cv2.boundingRect((mask > COMPOSITING.ink_level).view(np.uint8))
    if not w or not h:
        return np.full((max(2, int(height)), 2), 255, np.uint8)
    mask = mask[y : y + h, x : x + w]
    return mask if stretch == 1 else cv2.resize(mask, (max(2, int(w * stretch)), h), interpolation=cv2.INTER_LINEAR)


def column(text: str, font: Path, size: float, gap: float, pad: int) -> Block:
    """Lay out a text from top to bottom, one character below the other; gap: between them, in text heights."""
    inks = [ink(character, font, size, 0.0, 1.0) for character in text]
    width, step = max(i.shape[1] for i in inks), int(size * (1 + gap))
    tops = [pad + n * step + (step - i.shape[0]) // 2 for n, i in enumerate(inks)]
    mask = np.zeros((tops[-1] + inks[-1].shape[0] + step + pad, width + 2 * pad), np.uint8)
    for top, i in zip(tops, inks, strict=True):
        left = pad + (width - i.shape[1]) // 2
        here = mask[max(top, 0) : top + i.shape[0], left : left + i.shape[1]]
        np.maximum(here, i[-here.shape[0] :], out=here)
    bottom = tops[-1] + inks[-1].shape[0]
    line = rectangle(pad - 1, max(tops[0], 0) - 1, width + 2, bottom - max(tops[0], 0) + 2)
    return Block(mask[: bottom + pad], line[None].astype(np.float32), size)


def paint(canvas: Canvas, block: Block, corners: np.ndarray, style: Style, rng: random.Random) -> None:
    """Blend plate, outline, shadow and ink of a block into the picture, and note its quads."""
    h, w = block.mask.shape
    to_picture = cv2.getPerspectiveTransform(rectangle(0, 0, w, h).astype(np.float32), corners.astype(np.float32))
    scale = np.sqrt(cv2.contourArea(corners.astype(np.float32)) / (w * h))
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 6, 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 6, canvas.size)
    to_part = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]]) @ to_picture
    part = canvas.picture[top:bottom, left:right]
    warp = partial(cv2.warpPerspective, M=to_part, dsize=(int(right - left), int(bottom - top)))
    alpha = warp(block.mask, flags=cv2.INTER_AREA if scale < 0.6 else cv2.INTER_LINEAR).astype(np.float32) / 255
    if style.blur:
        alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), style.blur))

    ground, unrest = part.mean(axis=(0, 1)), float(part[::3, ::3].std(axis=(0, 1)).mean())
    if style.plate:
        plate = np.full((h, w), 255, np.uint8)
        if rng.random() < 0.3:
            cv2.rectangle(plate, (2, 2), (w - 3, h - 3), rng.randint(60, 200), rng.randint(1, 3))
        colour = any_colour(rng)
        blend(part, warp(plate).astype(np.float32) * (style.plate / 255), colour)
        ground, unrest = ground + style.plate * (colour - ground), unrest * (1 - style.plate)
    colour = ink_colour(ground, unrest, style, rng)
    stroke = max(1, round(block.height * scale * style.outline))
    if style.shadow:
        shifted = np.roll(alpha, (rng.randint(1, stroke + 2), rng.randint(-stroke - 1, stroke + 2)), (0, 1))
        shade = cv2.GaussianBlur(shifted, (0, 0), rng.uniform(0.5, 2.5)) * style.shadow
        blend(part, shade, np.full(3, 0.0 if colour.mean() > 90 else 230.0))
    if style.outline:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * stroke + 1, 2 * stroke + 1))
        blend(part, cv2.dilate(alpha, disc) * style.opacity, np.full(3, 0.0 if colour.mean() > 110 else 255.0))
    blend(part, alpha * style.opacity, colour)
    canvas.quads.extend(cv2.perspectiveTransform(block.quads, to_picture))


def ink_colour(ground: np.ndarray, unrest: float, style: Style, rng: random.Random) -> np.ndarray:
    """Return a colour that contrasts with the background, given the opacity and the texture."""
    least = max(style.least_contrast, 0 if style.outline else style.least_contrast_to_unrest * unrest)
    for _ in range(COMPOSITING.colour_tries):
        captioned = style.captions and rng.random() < 0.8
        colour = np.array(rng.choice(CAPTION_COLOURS), float) if captioned else any_colour(rng)
        if abs(float((colour - ground).mean())) * style.opacity > least or (style.outline and captioned):
            return colour
    return np.full(3, 255.0 if ground.mean() < 128 else 0.0)


def any_colour(rng: random.Random) -> np.ndarray:
    """Return any colour, or in half of the cases black, white or grey."""
    if rng.random() < 0.6:
        return np.array([rng.uniform(0, 255) for _ in range(3)])
    return np.full(3, float(rng.choice((0, 10, 30, 225, 245, 255, rng.randint(0, 255)))))


def blend(part: np.ndarray, alpha: np.ndarray, colour: np.ndarray) -> None:
    """Move ``part`` (h, w, 3) towards ``colour`` by ``alpha`` (h, w), in place."""
    part += alpha[..., None] * (colour.astype(np.float32) - part)
