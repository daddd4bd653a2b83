"""Lines of text in synthetic clips: appearance, position and visibility over time.

A text counts as visible while it is complete: every letter is inside its window, wiped in, and has at least half of its
opacity. ``VisibleLine`` describes the visible part at any time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stream_ocr.synthetic.thresholds import VISIBILITY

Colour = tuple[int, int, int]
Point = tuple[float, float]
Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""


@dataclass(frozen=True)
class VisibleLine:
    """Visible part of a text in one frame. letters: (letter, x of its centre in pixels)."""

    box: Box  # of the visible part
    letters: tuple[tuple[str, float], ...]
    opacity: float

    @property
    def text(self) -> str:
        """Return the letters that are completely visible."""
        return "".join(letter for letter, _ in self.letters).strip()


@dataclass(frozen=True)
class Text:
    """One line of text. ``text``, ``position`` and ``zoom`` may be functions of the time in seconds."""

    text: str | Callable[[float], str]
    start_s: float
    end_s: float
    position: Point | Callable[[float], Point]  # of the top left corner of the box, or of the middle of its top edge
    anchor: Literal["left", "middle"] = "left"
    height: int = 36  # font size in pixels; capital letters have about 0.7 of it
    colour: Colour = (255, 255, 255)
    outline: Colour | None = (0, 0, 0)
    panel: Colour | None = None  # filled box behind the text
    fade_in_s: float = 0.0
    fade_out_s: float = 0.0
    font: str | None = None  # path of a font file; None: the built-in font of Pillow, ASCII only
    wipe_in_s: float = 0.0  # duration of the wipe that uncovers the text from left to right
    wipe_out_s: float = 0.0  # duration of the wipe that covers the text again, from left to right
    window: Box | None = None  # the text is clipped to it; None: the text must not leave the picture
    zoom: Callable[[float], float] | None = None  # scale factor, about the position

    def opacity(self, time_s: float) -> float:
        """Return the opacity at a time, 0 to 1."""
        if not self.start_s <= time_s < self.end_s:
            return 0.0
        rising = (time_s - self.start_s) / self.fade_in_s if self.fade_in_s else 1.0
        falling = (self.end_s - time_s) / self.fade_out_s if self.fade_out_s else 1.0
        return round(min(rising, falling, 1.0), 6)  # so that 0.5 is exact

    def string(self, time_s: float) -> str:
        """Return the string at a time."""
        return self.text if isinstance(self.text, str) else self.text(time_s)

    def box(self, time_s: float) -> Box:
        """Return the bounding box of the letters and their outline at a time, as measured by the font."""
        height, width = self._bitmap(time_s)[1].shape[:2]
        x, y = self.position if isinstance(self.position, tuple) else self.position(time_s)
        pad = self._pad(time_s)
        return round(x - width / 2 * (self.anchor == "middle")), round(y), width - 2 * pad, height - 2 * pad

    def visible_part(self, time_s: float) -> VisibleLine | None:
        """Return the visible part at a time; None if nothing is visible."""
        opacity, (x, y, width, height) = self.opacity(time_s), self.box(time_s)
        from_x, to_x = (x + round(width * fraction) for fraction in self._uncovered(time_s))
        left, top, right, bottom = max(from_x, x), y, min(to_x, x + width), y + height
        if self.window:
            a, b, c, d = self.window
            left, top, right, bottom = max(left, a), max(top, b), min(right, a + c), min(bottom, b + d)
        if opacity <= 0 or left >= right or top >= bottom:
            return None
        clipped = bottom - top < VISIBILITY.min_height_share * height
        starts = _letter_starts(self.string(time_s), self.height, self.font)
        scale = width / starts[-1]
        letters = tuple(
            (letter, x + (start + end) / 2 * scale)
            for letter, start, end in zip(self.string(time_s), starts[:-1], starts[1:], strict=True)
            if not clipped and x + start * scale >= left - 1 and x + end * scale <= right + 1
        )
        return VisibleLine((left, top, right - left, bottom - top), letters, opacity)

    def is_visible(self, time_s: float) -> bool:
        """Return True if the text is complete; if it is longer than its window, True if any of it is readable."""
        line = self.visible_part(time_s)
        if line is None or line.opacity < VISIBILITY.min_opacity:
            return False
        _, _, width, height = self.box(time_s)
        if self.window and width > self.window[2]:
            return line.box[2] >= height and line.box[3] == height
        return line.box[2:] == (width, height)

    def draw(self, picture: np.ndarray, time_s: float) -> None:
        """Draw the text into an (H, W, 3) uint8 RGB picture.

        Raises ValueError if it leaves the picture and has no window.
        """
        opacity = self.opacity(time_s)
        if not opacity:
            return
        colour, cover = self._bitmap(time_s)
        pad = self._pad(time_s)
        x, y, ink_width, _ = self.box(time_s)
        x, y = x - pad, y - pad
        height, width = cover.shape[:2]
        edge = (0, 0, picture.shape[1], picture.shape[0])
        if self.window is None and (x < 0 or y < 0 or y + height > edge[3] or x + width > edge[2]):
            raise ValueError(
                f"The text {self.string(time_s)!r} leaves the picture at {time_s:g} s; its position is ({x}, {y})."
            )
        a, b, c, d = self.window or edge
        first, last = (x + pad + round(ink_width * fraction) for fraction in self._uncovered(time_s))
        left, top = max(x, a, 0, first - pad), max(y, b, 0)
        right, bottom = min(x + width, a + c, edge[2], last + pad), min(y + height, b + d, edge[3])
        if left >= right or top >= bottom:
            return
        under = picture[top:bottom, left:right]
        part = np.s_[top - y : bottom - y, left - x : right - x]
        under[:] = np.rint(under + (colour[part] - under) * (cover[part] * np.float32(opacity))).astype(np.uint8)

    def _uncovered(self, time_s: float) -> tuple[float, float]:
        """Return the uncovered part of the width as fractions (from, to)."""
        until = (time_s - self.start_s) / self.wipe_in_s if self.wipe_in_s else 1.0
        since = 1 - (self.end_s - time_s) / self.wipe_out_s if self.wipe_out_s else 0.0
        return min(max(since, 0.0), 1.0), min(max(until, 0.0), 1.0)

    def _pad(self, time_s: float) -> int:
        """Return the margin of the panel around the letters in pixels."""
        return round((self.height // 3 if self.panel else 0) * self._scale(time_s))

    def _scale(self, time_s: float) -> float:
        return self.zoom(time_s) if self.zoom else 1.0

    def _bitmap(self, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        colour, cover = _bitmap(self, self.string(time_s))
        if self.zoom is None:
            return colour, cover
        scale = self.zoom(time_s)
        size = max(round(cover.shape[1] * scale), 1), max(round(cover.shape[0] * scale), 1)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        return cv2.resize(colour, size, interpolation=method), cv2.resize(cover, size, interpolation=method)[..., None]


def clock(start: str) -> Callable[[float], str]:
    """Return a text function of a clock that shows ``start`` ("HH:MM:SS") at time 0 and ticks every second."""
    hours, minutes, seconds = (int(part) for part in start.split(":"))

    def at(time_s: float) -> str:
        now = (hours * 60 + minutes) * 60 + seconds + int(time_s)
        return f"{now // 3600 % 24:02}:{now // 60 % 60:02}:{now % 60:02}"

    return at


def linear_path(start_s: float, start: Point, end_s: float, end: Point) -> Callable[[float], Point]:
    """Return a position function that moves linearly from one point to another between two times."""

    def at(time_s: float) -> Point:
        fraction = min(max((time_s - start_s) / (end_s - start_s), 0.0), 1.0)
        return start[0] + fraction * (end[0] - start[0]), start[1] + fraction * (end[1] - start[1])

    return at


@lru_cache(maxsize=64)
def _font(path: str | None, height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.truetype(path, height) if path else ImageFont.load_default(height)


@lru_cache(maxsize=1024)
def _letter_starts(string: str, height: int, font: str | None) -> tuple[float, ...]:
    """Return the x of the start of each letter, and of the end of the string, in pixels."""
    return tuple(_font(font, height).getlength(string[:n]) for n in range(len(string) + 1))


@lru_cache(maxsize=256)
def _bitmap(text: Text, string: str) -> tuple[np.ndarray, np.ndarray]:
    """Return colour (H, W, 3) and opacity (H, W, 1, 0 to 1) of the letters and their panel, float32."""
    if text.font is None and not string.isascii():
        raise ValueError(f"The built-in font has no glyphs for {string!r}; set a font file in Text.font.")
    font = _font(text.font, text.height)
    stroke = max(text.height // 14, 1) if text.outline else 0
    left, top, right, bottom = (round(v) for v in font.getbbox(string, stroke_width=stroke))
    pad = text.height // 3 if text.panel else 0
    ground = (*text.panel, 255) if text.panel else (*(text.outline or text.colour), 0)
    image = Image.new("RGBA", (right - left + 2 * pad, bottom - top + 2 * pad), ground)
    ImageDraw.Draw(image).text(
        (pad - left, pad - top), string, text.colour, font, stroke_width=stroke, stroke_fill=text.outline
    )
    pixels = np.asarray(image, dtype=np.float32)
    return pixels[..., :3], pixels[..., 3:] / 255
