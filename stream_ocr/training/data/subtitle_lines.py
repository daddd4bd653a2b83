"""Subtitle lines through H.264, for validation: rendered on photographs, encoded at CRF 28, decoded and cut."""

import random
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from stream_ocr.evaluation.recognition_metrics import Sample
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.degradation import encoded
from stream_ocr.training.data.fonts import load_font
from stream_ocr.training.data.thresholds import SUBTITLES


def render(texts: Sequence[str], fonts: Sequence[Path], backgrounds: Backgrounds, rng: random.Random) -> list[Sample]:
    """Return one grey crop per text: white with a black outline, or on a dark box, 24 to 44 pixels per em."""
    samples: list[Sample] = []
    count = SUBTITLES.lines_per_frame
    for start in range(0, len(texts), count):
        samples += _frame(texts[start : start + count], rng.choice(fonts), backgrounds, rng)
    return samples


def _frame(texts: Sequence[str], font_path: Path, backgrounds: Backgrounds, rng: random.Random) -> list[Sample]:
    width, height = SUBTITLES.frame_px
    picture = Image.fromarray(backgrounds.patch(height, width))
    draw = ImageDraw.Draw(picture)
    size = rng.randint(*SUBTITLES.em_px)
    font, boxed = load_font(font_path, size), rng.random() < 0.3
    boxes = []
    for row, text in enumerate(texts):
        left, top, right, bottom = font.getbbox(text)
        x, y = max(4.0, (width - right) / 2), 10 + row * (height - 20) / SUBTITLES.lines_per_frame
        box = (x + left, y + top, x + right, y + bottom)
        if boxed:
            draw.rectangle((box[0] - 8, box[1] - 6, box[2] + 8, box[3] + 6), fill=(16, 16, 16))
        stroke = 0 if boxed else max(1, size // 16)
        draw.text((x, y), text, font=font, fill=(240, 240, 240), stroke_width=stroke, stroke_fill=(10, 10, 10))
        boxes.append(box)
    decoded = cv2.cvtColor(encoded(np.asarray(picture), SUBTITLES.crf, rng), cv2.COLOR_RGB2GRAY)
    return [Sample(_cut(decoded, box, rng), text) for box, text in zip(boxes, texts, strict=True)]


def _cut(picture: np.ndarray, box: tuple[float, float, float, float], rng: random.Random) -> np.ndarray:
    left, top, right, bottom = box
    room = [rng.uniform(*SUBTITLES.margin) * (bottom - top) for _ in range(4)]
    rows = slice(max(0, round(top - room[0])), round(bottom + room[1]))
    columns = slice(max(0, round(left - room[2])), round(right + room[3]))
    return picture[rows, columns].copy()
