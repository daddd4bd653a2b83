"""Letters for synthetic clips: one line of text, how it comes and goes, where it stands, and what can be read of it.

A text is *whole* while every letter of it stands in its window, wiped in and at half its opacity at least. That is
when it counts as shown. ``Line`` tells what is to be seen of it at other times, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]
Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""


@dataclass(frozen=True)
class Line:
    """What is to be seen of a text in one frame. letters: each with the middle of its width, in pixels."""

    box: Box  # of the part that can be seen
    letters: tuple[tuple[str, float], ...]
    opacity: float

    @property
    def text(self) -> str:
        """The letters that can be seen whole."""
        return "".join(letter for letter, _ in self.letters).strip()


@dataclass(frozen=True)
class Text:
    """One line of text. ``text``, ``at`` and ``zoom`` may be functions of the time in seconds."""

    text: str | Callable[[float], str]
    start_s: float
    end_s: float
    at: Point | Callable[[float], Point]  # of the top left corner of its box, or of the middle of the top edge
    anchor: Literal["left", "middle"] = "left"
    height: int = 36  # font size in pixels; capital letters are about 0.7 of it
    colour: Colour = (255, 255, 255)
    outline: Colour | None = (0, 0, 0)
    panel: Colour | None = None  # filled box behind the text
    fade_in_s: float = 0.0
    fade_out_s: float = 0.0
    font: str | None = None  # path of a font file; Pillow's own font, ASCII only, when None
    wipe_in_s: float = 0.0  # time in which it is uncovered from left to right
    wipe_out_s: float = 0.0  # time in which it is covered again, from left to right
    window: Box | None = None  # what lies outside of it is cut off; None: the text never leaves the picture
    zoom: Callable[[float], float] | None = None  # factor of its size, about the point ``at``

    def opacity(self, time_s: float) -> float:
        """0 to 1 at a time."""
        if not self.start_s <= time_s < self.end_s:
            return 0.0
        rising = (time_s - self.start_s) / self.fade_in_s if self.fade_in_s else 1.0
        falling = (self.end_s - time_s) / self.fade_out_s if self.fade_out_s else 1.0
        return round(min(rising, falling, 1.0), 6)  # so that one half is one half

    def string(self, time_s: float) -> str:
        """What it says at a time."""
        return self.text if isinstance(self.text, str) else self.text(time_s)

    def box(self, time_s: float) -> Box:
        """The letters with their outline at a time, as the font measures them."""
        height, width = self._bitmap(time_s)[1].shape[:2]
        x, y = self.at if isinstance(self.at, tuple) else self.at(time_s)
        pad = self._pad(time_s)
        return round(x - width / 2 * (self.anchor == "middle")), round(y), width - 2 * pad, height - 2 * pad

    def seen(self, time_s: float) -> Line | None:
        """What can be seen of it at a time; None when there is nothing."""
        opacity, (x, y, width, height) = self.opacity(time_s), self.box(time_s)
        from_x, to_x = (x + round(width * share) for share in self._uncovered(time_s))
        left, top, right, bottom = max(from_x, x), y, min(to_x, x + width), y + height
        if self.window:
            a, b, c, d = self.window
            left, top, right, bottom = max(left, a), max(top, b), min(right, a + c), min(bottom, b + d)
        if opacity <= 0 or left >= right or top >= bottom:
            return None
        cut = bottom - top < 0.9 * height  # letters without their heads or feet are none
        places = _places(self.string(time_s), self.height, self.font)
        scale = width / places[-1]
        letters = tuple(
            (letter, x + (start + end) / 2 * scale)
            for letter, start, end in zip(self.string(time_s), places[:-1], places[1:], strict=True)
            if not cut and x + start * scale >= left - 1 and x + end * scale <= right + 1
        )
        return Line((left, top, right - left, bottom - top), letters, opacity)

    def shown(self, time_s: float) -> bool:
        """Whether it is whole; of a text that is longer than its window, whether any of it can be read."""
        line = self.seen(time_s)
        if line is None or line.opacity < 0.5:
            return False
        _, _, width, height = self.box(time_s)
        if self.window and width > self.window[2]:
            return line.box[2] >= height and line.box[3] == height
        return line.box[2:] == (width, height)

    def draw(self, picture: np.ndarray, time_s: float) -> None:
        """Draw it into an (H, W, 3) uint8 RGB picture. Raises ValueError when it leaves the picture unasked."""
        opacity = self.opacity(time_s)
        if not opacity:
            return
        colour, cover = self._bitmap(time_s)
        pad = self._pad(time_s)
        x, y, ink, _ = self.box(time_s)
        x, y = x - pad, y - pad
        height, width = cover.shape[:2]
        edge = (0, 0, picture.shape[1], picture.shape[0])
        if self.window is None and (x < 0 or y < 0 or y + height > edge[3] or x + width > edge[2]):
            raise ValueError(
                f"The text {self.string(time_s)!r} leaves the picture at {time_s:g} s; its place is ({x}, {y})."
            )
        a, b, c, d = self.window or edge
        first, last = (x + pad + round(ink * share) for share in self._uncovered(time_s))
        left, top = max(x, a, 0, first - pad), max(y, b, 0)
        right, bottom = min(x + width, a + c, edge[2], last + pad), min(y + height, b + d, edge[3])
        if left >= right or top >= bottom:
            return
        under = picture[top:bottom, left:right]
        part = np.s_[top - y : bottom - y, left - x : right - x]
        under[:] = np.rint(under + (colour[part] - under) * (cover[part] * np.float32(opacity))).astype(np.uint8)

    def _uncovered(self, time_s: float) -> tuple[float, float]:
        """From and to which share of its width it is wiped in."""
        until = (time_s - self.start_s) / self.wipe_in_s if self.wipe_in_s else 1.0
        since = 1 - (self.end_s - time_s) / self.wipe_out_s if self.wipe_out_s else 0.0
        return min(max(since, 0.0), 1.0), min(max(until, 0.0), 1.0)

    def _pad(self, time_s: float) -> int:
        """Pixels of panel round the ink."""
        return round((self.height // 3 if self.panel else 0) * self._scale(time_s))

    def _scale(self, time_s: float) -> float:
        return self.zoom(time_s) if self.zoom else 1.0

    def _bitmap(self, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        colour, cover = _bitmap(self, self.string(time_s))
        if self.zoom is None:
            return colour, cover
        scale = self.zoom(time_s)
        size = max(round(cover.shape[1] * scale), 1), max(round(cover.shape[0] * scale), 1)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        return cv2.resize(colour, size, interpolation=way), cv2.resize(cover, size, interpolation=way)[..., None]


def clock(start: str) -> Callable[[float], str]:
    """A text that reads ``start`` ("HH:MM:SS") at time 0 and ticks with each second."""
    hours, minutes, seconds = (int(part) for part in start.split(":"))

    def at(time_s: float) -> str:
        now = (hours * 60 + minutes) * 60 + seconds + int(time_s)
        return f"{now // 3600 % 24:02}:{now // 60 % 60:02}:{now % 60:02}"

    return at


def line(start_s: float, start: Point, end_s: float, end: Point) -> Callable[[float], Point]:
    """A path that goes straight from one point to another between two times."""

    def at(time_s: float) -> Point:
        share = min(max((time_s - start_s) / (end_s - start_s), 0.0), 1.0)
        return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])

    return at


@lru_cache(maxsize=64)
def _font(path: str | None, height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.truetype(path, height) if path else ImageFont.load_default(height)


@lru_cache(maxsize=1024)
def _places(string: str, height: int, font: str | None) -> tuple[float, ...]:
    """Where each letter begins, and last where the string ends, in pixels."""
    return tuple(_font(font, height).getlength(string[:n]) for n in range(len(string) + 1))


@lru_cache(maxsize=256)
def _bitmap(text: Text, string: str) -> tuple[np.ndarray, np.ndarray]:
    """Colour (H, W, 3) and opacity (H, W, 1), float32, the latter 0 to 1; as large as the ink and its panel."""
    if text.font is None and not string.isascii():
        raise ValueError(f"The built-in font has no letters for {string!r}; name a font file in Text.font.")
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
