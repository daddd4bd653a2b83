"""Generated images of single words and lines, about 1 ms each on one core.

Text is written into a mask; one perspective warp takes the mask straight to the size that the net sees; colour,
texture and damage are added there. The images resemble what a detector cuts from video: tight, loose and shifted boxes,
upright boxes round slanted words, neighbours at the edge, subtitles over moving images, clocks and score boards, small
and compressed text. (After SynthTIGER, ICDAR 2021.)
"""

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np

from stream_ocr.evaluation.recognition_metrics import Sample
from stream_ocr.models.recognition.charset import DEFAULT, Charset
from stream_ocr.models.recognition.input_sizes import ASPECT, COLUMNS_PER_STEP, HEIGHT, WIDTHS, width_for
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.corpus import Corpus
from stream_ocr.training.data.font_library import FontLibrary
from stream_ocr.training.data.fonts import can_write, is_unicase
from stream_ocr.training.data.glyphs import Pen, Writing
from stream_ocr.training.data.line_effects import damaged, warped
from stream_ocr.training.data.plates import Plates
from stream_ocr.training.data.thresholds import GLYPHS, LINES

_BOX = np.ones((3, 3), np.uint8)

Setting = Literal["scene", "overlay"]
"""Print on a surface before the camera, or graphics laid over the image."""


class _Colours(NamedTuple):
    """The background (H, W), the grey of the ink, and their difference: weak contrast needs an outline."""

    ground: np.ndarray
    ink: float
    contrast: float


class Lines:
    """Draws samples without end.

    `greys` is a file of `ink-mean deviation ground-mean deviation` rows, or None for pairs at random.
    `line_share` of the samples hold several words, `plate_share` are number plates.
    """

    def __init__(
        self,
        corpus: Corpus,
        backgrounds: Backgrounds,
        fonts: Sequence[Path],
        greys: Path | None,
        rng: random.Random,
        *,
        line_share: float = 0.35,
        plate_share: float = 0.0,
        charset: Charset = DEFAULT,
        library: FontLibrary | None = None,
    ) -> None:
        """Set the sources. library: checked fonts, used instead of ``fonts``."""
        self._corpus, self._backgrounds, self._rng = corpus, backgrounds, rng
        self._library = library
        self._pen = Pen(library.text_fonts if library else fonts, rng)
        self._greys = np.loadtxt(greys, usecols=(0, 1, 2, 3)).tolist() if greys is not None and greys.is_file() else []
        self._line_share, self._plate_share, self._charset = line_share, plate_share, charset
        self._plates = Plates(self._pen, rng)
        self._grain = np.random.default_rng(rng.getrandbits(64)).standard_normal(1 << 20, np.float32)
        self._neighbour: Writing | None = None

    def sample(self, hardness: float = 1.0, max_characters: int = LINES.max_characters) -> Sample:
        """Return one image of at most ``max_characters``; ``hardness``, 0 to 1, scales every distortion."""
        while True:
            if self._rng.random() < self._plate_share * hardness:
                plate = self._plates.draw()
                softened = LINES.plate_hardness * hardness
                image = plate and self._photograph(plate.code, plate.text, softened, plate.marks)
                if plate is not None and image is not None:
                    return Sample(image, plate.text)
            text = self._text(max_characters)
            font = self._font(text)
            text = text.upper() if self._is_unicase(font) and "ß" not in text else text
            possible = self._charset.covers(text) and self._can_write(text, font)
            writing = self._pen.write(text, font) if possible else None
            if writing is None:
                continue
            image = self._photograph(writing, text, hardness)
            self._neighbour = writing
            if image is not None:
                return Sample(image, text)

    def _font(self, text: str) -> Path:
        """Return a font for a text: figures are at times written as on seven-segment displays."""
        if self._library and self._library.digit_fonts and self._rng.random() < LINES.digit_font_share:
            font = self._rng.choice(self._library.digit_fonts)
            if self._can_write(text, font):
                return font
        return self._pen.pick_font()

    def _can_write(self, text: str, font: Path) -> bool:
        return self._library.entries[font].can_write(text) if self._library else can_write(text, font)

    def _is_unicase(self, font: Path) -> bool:
        return self._library.entries[font].unicase if self._library else is_unicase(font)

    def _text(self, max_characters: int) -> str:
        if self._rng.random() < self._line_share and max_characters >= LINES.min_line_room:
            return self._corpus.line(min(LINES.max_line_characters, max_characters))
        return self._corpus.word(min(LINES.max_word_characters, max_characters))

    def _photograph(
        self, writing: Writing, text: str, hardness: float, marks: np.ndarray | None = None
    ) -> np.ndarray | None:
        """Return the text as a camera and a detector yield it; None if it is illegible or fits no input width.

        marks: ink of what is no text, of the shape of the mask.
        """
        rng = self._rng
        is_figure = sum(c.isdigit() for c in text) > len(text) / 2
        overlaid = marks is None and rng.random() < (0.65 if " " in text else 0.5 if is_figure else 0.25)
        setting: Setting = "overlay" if overlaid else "scene"
        quad, width = self._viewpoint(writing, text, hardness * (0.35 if overlaid else 1.0))
        steps_needed = len(text) + sum(a == b for a, b in pairwise(text))
        if width is None or width < COLUMNS_PER_STEP * LINES.columns_per_step * steps_needed:
            return None
        is_small = rng.random() < 0.42 * hardness
        height = round(math.exp(rng.uniform(math.log(8), math.log(30)))) if is_small else HEIGHT
        columns = max(8, round(width * height / HEIGHT))
        is_bent = marks is None and not overlaid and rng.random() < 0.15 * hardness
        mask = self._bent(writing, hardness) if is_bent else writing.mask
        ink = warped(mask, quad, height, columns)
        colours = self._colours(setting, height, columns, hardness)
        if marks is not None:
            shade = warped(marks, quad, height, columns)
            colours = colours._replace(ground=colours.ground + (colours.ink - colours.ground) * shade)
        colours = colours._replace(ground=self._with_neighbours(colours, hardness))
        painted = self._painted(colours, ink, setting, hardness)
        if painted.std() < LINES.min_deviation:
            return None
        image = damaged(painted, hardness, rng, self._grain)
        if height == HEIGHT:
            return image
        enlarge = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
        return cv2.resize(image, (width, HEIGHT), interpolation=enlarge)

    # Geometry

    def _viewpoint(self, writing: Writing, text: str, hardness: float) -> tuple[np.ndarray, int | None]:
        """Return the quad of the mask that the image shows, and the input width (None: too long for any)."""
        rng = self._rng
        left, top, right, bottom = map(float, writing[1:])
        tall, em = bottom - top, GLYPHS.em_px
        if tall < 0.45 * em and rng.random() < 0.8:  # dashes, dots, 'no' and 'sea': a box as high as its line
            top, bottom = top - rng.uniform(0, 0.3) * em, bottom + rng.uniform(0, 0.15) * em
            tall = bottom - top
        loose = rng.random() < 0.2 * max(0.3, hardness)
        sides, ends = ((-0.05, 0.45), (-0.05, 0.7)) if loose else ((-0.05, 0.18), (-0.04, 0.22))
        left, right = left - rng.uniform(*ends) * tall, right + rng.uniform(*ends) * tall
        top, bottom = top - rng.uniform(*sides) * tall, bottom + rng.uniform(*sides) * tall
        wide, tall = right - left, bottom - top
        centre = np.array([(left + right) / 2, (top + bottom) / 2], np.float32)

        if len(text) <= 14 and rng.random() < 0.4 * hardness:  # the upright box round a slanted word
            steep = rng.random() < 0.15
            angle = math.radians(rng.uniform(-42, 42) if steep else max(-28.0, min(28.0, rng.gauss(0, 10))))
            cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
            wide, tall = wide * cos + tall * sin, wide * sin + tall * cos
        else:
            limit = 0.35 * tall / wide
            angle = max(-limit, min(limit, math.radians(rng.gauss(0, 3.5)) * hardness))
        corners = np.array([[-wide, -tall], [wide, -tall], [wide, tall], [-wide, tall]], np.float32) / 2
        jitter = (0.1 if rng.random() < 0.85 else 0.2) * hardness * tall
        corners += np.array([[rng.uniform(-jitter, jitter) for _ in range(2)] for _ in range(4)], np.float32)
        slant = rng.gauss(0, 0.12) * hardness * tall
        corners[:2, 0] += slant
        corners[2:, 0] -= slant
        cos, sin = math.cos(angle), math.sin(angle)
        quad = corners @ np.array([[cos, sin], [-sin, cos]], np.float32) + centre

        stretch = math.exp(rng.gauss(-0.05, 0.10) if " " in text else rng.gauss(-0.08, 0.2))
        seen_width = HEIGHT * stretch * wide / tall
        fits = ASPECT * seen_width < LINES.max_squeeze * WIDTHS[-1]
        return quad, width_for(HEIGHT, round(seen_width)) if fits else None

    def _bent(self, writing: Writing, hardness: float) -> np.ndarray:
        """Return the mask with its baseline bent to an arc."""
        height, width = writing.mask.shape
        x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
        depth = self._rng.uniform(-0.25, 0.25) * (writing.bottom - writing.top) * hardness
        arc = depth * np.sin(np.pi * (x - writing.left) / max(1, writing.right - writing.left))
        map_x = np.ascontiguousarray(np.broadcast_to(x, (height, width)))
        map_y = (y[:, None] + arc).astype(np.float32)
        return np.asarray(cv2.remap(writing.mask, map_x, map_y, cv2.INTER_LINEAR))

    # Colours

    def _colours(self, setting: Setting, height: int, width: int, hardness: float) -> _Colours:
        if setting == "overlay":
            return self._overlay_colours(height, width)
        return self._scene_colours(height, width, hardness)

    def _overlay_colours(self, height: int, width: int) -> _Colours:
        """Return bright or dark letters on the image itself, or on a box that may be translucent."""
        rng = self._rng
        ground = self._grey_patch(height, width)
        u = rng.random()
        ink = rng.uniform(205, 255) if u < 0.6 else rng.uniform(0, 50) if u < 0.8 else rng.uniform(90, 255)
        if rng.random() < 0.5:
            level = rng.uniform(0, max(10, ink - 110)) if ink > 110 else rng.uniform(150, 255)
            ground += (level - ground) * rng.uniform(0.5, 1.0)
        return _Colours(ground, ink, abs(ink - float(ground.mean())) - float(ground.std()))

    def _scene_colours(self, height: int, width: int, hardness: float) -> _Colours:
        """Return a pair of greys as in photographs, with the texture of a photograph."""
        rng = self._rng
        ink, level, deviation = self._grey_pair()
        texture = self._grey_patch(height, width)
        texture = (texture - texture.mean()) / (texture.std() + 4)
        ground = level + texture * min(deviation * rng.uniform(0, 1) * hardness, 0.5 * abs(ink - level))
        if rng.random() < 0.25 * hardness:
            ground = ground + np.linspace(-1, 1, width, dtype=np.float32) * rng.uniform(-30, 30)
        return _Colours(ground, ink, abs(ink - level))

    def _grey_pair(self) -> tuple[float, float, float]:
        """Return ink, background, and the deviation of the background."""
        rng = self._rng
        while True:
            if self._greys:
                a, a_deviation, b, b_deviation = rng.choice(self._greys)
            else:
                a, a_deviation, b, b_deviation = (rng.uniform(*span) for span in ((0, 255), (5, 40)) * 2)
            if abs(a - b) > LINES.min_contrast:
                return (a, b, b_deviation) if rng.random() < 0.5 else (b, a, a_deviation)

    def _grey_patch(self, height: int, width: int) -> np.ndarray:
        return cv2.cvtColor(self._backgrounds.patch(height, width), cv2.COLOR_RGB2GRAY).astype(np.float32)

    # Paint and damage

    def _with_neighbours(self, colours: _Colours, hardness: float) -> np.ndarray:
        """Return the background with parts of other text at its edge: the line above or the word before."""
        rng, ground, other = self._rng, colours.ground, self._neighbour
        if other is None or rng.random() > 0.25 * hardness:
            return ground
        height, width = ground.shape
        ink = other.mask[other.top : other.bottom, other.left : other.right]
        ink = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA)
        seen = np.zeros((height, width), np.float32)
        if rng.random() < 0.55:
            rows = max(1, round(height * rng.uniform(0.05, 0.2)))
            shown, hidden = slice(-rows, None), slice(None, rows)
            if rng.random() < 0.5:
                shown, hidden = hidden, shown
            seen[shown] = ink[hidden]
        else:
            columns = min(width, max(1, round(height * rng.uniform(0.1, 0.3))))
            shown, hidden = slice(-columns, None), slice(None, columns)
            if rng.random() < 0.5:
                shown, hidden = hidden, shown
            seen[:, shown] = ink[:, hidden]
        grey = colours.ink + (0 if rng.random() < 0.7 else rng.uniform(-60, 60))
        return ground + (grey - ground) * (seen / 255)

    def _painted(self, colours: _Colours, ink: np.ndarray, setting: Setting, hardness: float) -> np.ndarray:
        """Return background and ink together, with outline, shadow, hollow letters, uneven ink and fades."""
        rng, (ground, grey, contrast) = self._rng, colours
        overlaid, is_large = setting == "overlay", ground.shape[0] > LINES.large_px
        must_outline = overlaid and contrast < LINES.outlined_below
        outline, shadow = (0.25, 0.5) if overlaid else (0.08 * hardness, 0.17 * hardness)
        edge = rng.uniform(0, 255) if not overlaid else rng.uniform(0, 60) if grey > 128 else rng.uniform(190, 255)
        u = rng.random()
        if must_outline or u < outline:
            border = cv2.dilate(ink, _BOX, iterations=2 if is_large and rng.random() < 0.3 else 1)
            ground = ground + (edge - ground) * border
        elif u < shadow:
            offset = rng.choice(((1, 1), (1, 2), (2, 1), (1, -1), (2, 2)))
            depth, strength = rng.choice((1, 1, 1, 2, 3)) if is_large else 1, rng.uniform(0.4, 1)
            for step in range(depth, 0, -1):  # more than one step: letters with sides
                shifted = np.roll(ink, (step * offset[0], step * offset[1]), (0, 1))
                ground = ground + (edge - ground) * shifted * strength
        elif is_large and contrast > LINES.styled_above and rng.random() < 0.05 * hardness:
            ink = cv2.dilate(ink, _BOX) - cv2.erode(ink, np.ones((2, 2), np.uint8))
        surface: float | np.ndarray = grey
        if not overlaid and rng.random() < 0.35 * hardness:
            texture = self._grey_patch(*ground.shape)
            surface = grey + (texture - texture.mean()) * rng.uniform(0, min(0.6, contrast / 120))
        elif rng.random() < 0.12 * hardness:  # a gradient from the top of the letters to their foot
            slope = np.linspace(-0.5, 0.5, ground.shape[0], dtype=np.float32)[:, None]
            surface = grey + slope * rng.uniform(-0.7, 0.7) * contrast
        opacity = rng.uniform(0.45, 1) if contrast > LINES.styled_above and rng.random() < 0.15 * hardness else 1.0
        return ground + (surface - ground) * (ink * opacity)
