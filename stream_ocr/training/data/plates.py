"""Number plates: a code in groups with marks between them, and round it a border, small print, a band, bolts."""

import random
import re
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from stream_ocr.training.data.glyphs import Pen, Writing
from stream_ocr.training.data.thresholds import PLATES

PATTERNS = (
    *("LL-DDDLL", "LL-DDDLL", "LLDD-LLL", "LLL-DDDD", "LLL-DDDD", "DLLLDDD", "DLD-DDDD", "LL-DDD-LL", "LL-LL-DDD"),
    *("DDD-LLL", "LLL-DDD", "DDDLLL", "DDDDDDD", "DDDD-LLL", "L-LL-DDDD", "LL-LDDDD", "LLDDDDLL", "LLLDLDD", "DDDDDLD"),
)
"""Groups of capitals (L) and digits (D)."""

_PLAIN_FONT = re.compile("sans|mono|gothic|cond|narrow|grotesk|highway|overpass|oswald|barlow|helvet", re.IGNORECASE)


class Plate(NamedTuple):
    """A plate. code: its ink, with the box of the whole plate. marks: ink of all else, uint8, of the same shape."""

    text: str
    code: Writing
    marks: np.ndarray


class Plates:
    """Draws number plates of no particular country."""

    def __init__(self, pen: Pen, rng: random.Random) -> None:
        self._pen, self._rng = pen, rng

    def draw(self) -> Plate | None:
        """Return a plate; None if the font draws nothing.

        Its text has a hyphen where the plate has one, and a space where it has a gap or another mark.
        """
        rng, font = self._rng, self._font()
        pattern = rng.choice(PATTERNS) if rng.random() < 0.8 else "".join(rng.choices("LD", k=rng.randint(5, 8)))
        groups = [self._filled(group) for group in pattern.split("-")]
        written = [self._pen.write(group, font) for group in groups]
        if any(writing is None for writing in written):
            return None
        inks = [writing.mask[:, writing.left : writing.right] for writing in written if writing]
        height = max(writing.bottom for writing in written if writing) - (top := min(w.top for w in written if w))
        gap, hyphen = round(rng.uniform(0.25, 0.6) * height), rng.random() < 0.4
        code, marks = self._joined(inks, gap, (top, height), hyphen=hyphen)
        narrow = rng.uniform(0.55, 1.0)
        code, marks = (
            cv2.resize(each, None, fx=narrow, fy=1.0, interpolation=cv2.INTER_AREA) for each in (code, marks)
        )
        if rng.random() < 0.4:
            code = cv2.dilate(code, np.ones((3, 3), np.uint8))
        return self._framed(("-" if hyphen else " ").join(groups), code, marks, (top, height))

    def _filled(self, group: str) -> str:
        return "".join(self._rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c == "L" else "0123456789") for c in group)

    def _font(self) -> Path:
        font = self._pen.pick_font()
        for _ in range(PLATES.font_tries):
            if _PLAIN_FONT.search(font.stem):
                break
            font = self._pen.pick_font()
        return font

    def _joined(
        self, inks: list[np.ndarray], gap: int, rows: tuple[int, int], *, hyphen: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the groups side by side, and the marks between them: a hyphen, a dot, stickers, arms or nothing."""
        rng, (top, height) = self._rng, rows
        code = inks[0]
        mark_at: list[int] = []
        for ink in inks[1:]:
            mark_at.append(code.shape[1] + gap // 2)
            code = np.hstack([code, np.zeros((code.shape[0], gap), np.uint8), ink])
        marks, middle = np.zeros_like(code), top + height // 2
        kind = "hyphen" if hyphen else rng.choice(("nothing", "dot", "stickers", "arms"))
        for x in mark_at:
            half = max(gap // 2 - 2, 1)
            if kind == "hyphen":
                cv2.line(code, (x - half + 1, middle), (x + half - 1, middle), 255, max(height // 9, 2))
            elif kind == "dot":
                cv2.circle(marks, (x, middle), max(height // 12, 2), 255, -1)
            elif kind == "stickers":
                for y in (middle - height // 4, middle + height // 4):
                    cv2.circle(marks, (x, y), min(half, height // 5), rng.randint(60, 220), rng.choice((-1, 2)))
            elif kind == "arms":
                cv2.ellipse(marks, (x, middle), (half, height // 3), 0, 0, 360, rng.randint(80, 220), -1)
                marks[middle - height // 3 : middle, x - half : x + half] ^= self._speckles(height // 3, 2 * half)
        return code, marks

    def _speckles(self, height: int, width: int) -> np.ndarray:
        """Return coarse noise, as arms look from afar, (height, width) uint8."""
        coarse = np.array([[self._rng.choice((0, 120)) for _ in range(4)] for _ in range(4)], np.uint8)
        return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))

    def _framed(self, text: str, code: np.ndarray, marks: np.ndarray, rows: tuple[int, int]) -> Plate:
        """Return the plate with its border, band, small print and bolts."""
        rng, (top, height) = self._rng, rows
        band = round(rng.uniform(0.4, 0.6) * height) if rng.random() < 0.35 else 0
        before, after, above, below = (
            round(rng.uniform(*span) * height) for span in ((0.12, 0.4),) * 2 + ((0.1, 0.5),) * 2
        )
        pad = height + band
        width = code.shape[1]
        code, marks = (np.pad(each, ((height, height), (pad, pad))) for each in (code, marks))
        left, right, top = pad - before, pad + width + after, top + height
        box = left - band, top - above, right, top + height + below
        if band:
            cv2.rectangle(marks, box[:2], (left, box[3]), rng.randint(60, 230), -1)
        if rng.random() < 0.7:
            cv2.rectangle(marks, box[:2], box[2:], rng.randint(120, 255), rng.randint(1, 3))
        for bottom in (top - 3, box[3] - 2):
            if rng.random() < 0.4:
                self._print_small(marks, (left, right), bottom, height * rng.uniform(0.16, 0.26))
        if rng.random() < 0.3:
            for x in (left + width // 5, right - width // 5):
                cv2.circle(marks, (x, box[1] + 4), 2, 200, -1)
        return Plate(text, Writing(code, *box), marks)

    def _print_small(self, marks: np.ndarray, columns: tuple[int, int], bottom: int, height: float) -> None:
        """Write a name, such as that of a state, centred above ``bottom``."""
        name = "".join(self._rng.choices("AEIORSTNLDCM", k=self._rng.randint(4, 10)))
        written = self._pen.write(name, self._font())
        if written is None:
            return
        ink = written.mask[written.top : written.bottom, written.left : written.right]
        scale = height / ink.shape[0]
        size = max(1, round(scale * ink.shape[1])), max(1, round(height))  # letters of a few pixels may vanish
        ink = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)[:, : columns[1] - columns[0]]
        rows = slice(bottom - ink.shape[0], bottom)
        start = (columns[0] + columns[1] - ink.shape[1]) // 2
        place = marks[rows, start : start + ink.shape[1]]
        np.maximum(place, ink[-place.shape[0] :], out=place)
