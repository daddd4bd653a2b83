"""Text as a mask of ink: glyphs are drawn once per font, then pasted side by side."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw

from stream_ocr.training.data.fonts import load_font
from stream_ocr.training.data.thresholds import GLYPHS


class Writing(NamedTuple):
    """Ink 0..255 of shape (88, W), and the box round it in pixels."""

    mask: np.ndarray
    left: int
    top: int
    right: int
    bottom: int


class Pen:
    """Writes with the fonts given: families come up equally often, however many fonts they have."""

    def __init__(self, fonts: Sequence[Path], rng: random.Random) -> None:
        families: dict[str, list[Path]] = {}
        for font in fonts:
            families.setdefault(font.stem.lower()[:6], []).append(font)
        self._families = list(families.values())
        self._rng = rng
        self._glyphs: dict[tuple[Path, str], tuple[np.ndarray, float]] = {}

    def pick_font(self) -> Path:
        return self._rng.choice(self._rng.choice(self._families))

    def write(self, text: str, font: Path) -> Writing | None:
        """Return the text with varied letter and word spacing and weight; None if nothing is drawn."""
        rng = self._rng
        tracking = rng.gauss(0, 0.8) if rng.random() < 0.75 else rng.uniform(-1.5, 8)
        space = rng.uniform(0.65, 1.5) if rng.random() < 0.85 else rng.uniform(1.5, 3.5)
        x, placed = 0.0, []
        for character in text:
            glyph, advance = self._glyph(font, character)
            placed.append((max(0, int(x)), glyph))
            x += max(advance, 0.2 * GLYPHS.em_px) * space if character == " " else advance + tracking
        mask = np.zeros((GLYPHS.mask_height_px, max(left + glyph.shape[1] for left, glyph in placed)), np.uint8)
        for left, glyph in placed:
            part = mask[:, left : left + glyph.shape[1]]
            np.maximum(part, glyph, out=part)
        u = rng.random()
        if u < 0.12:
            mask = cv2.dilate(mask, np.ones((3, 3), np.uint8))
        elif u < 0.15:
            mask = cv2.erode(mask, np.ones((2, 2), np.uint8))
        columns, rows = (np.flatnonzero(mask.max(axis=axis) > GLYPHS.ink_level) for axis in (0, 1))
        if not len(columns):
            return None
        return Writing(mask, int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)

    def _glyph(self, font: Path, character: str) -> tuple[np.ndarray, float]:
        key = (font, character)
        if key not in self._glyphs:
            face = load_font(font, GLYPHS.em_px)
            advance = face.getlength(character)
            picture = Image.new("L", (max(1, int(advance)) + 2 * GLYPHS.margin_px + 4, GLYPHS.mask_height_px))
            origin = (GLYPHS.margin_px, GLYPHS.baseline_px)
            ImageDraw.Draw(picture).text(origin, character, fill=255, font=face, anchor="ls")
            if len(self._glyphs) >= GLYPHS.max_cached:
                self._glyphs.clear()
            self._glyphs[key] = np.asarray(picture), advance
        return self._glyphs[key]
