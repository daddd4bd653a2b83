"""The Latin fonts of this machine, checked glyph by glyph.

Fonts are not shipped: `configs/train/fonts.txt` names Debian's packages. A machine without any still trains,
with the one font that Pillow carries.
"""

import hashlib
import os
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageFont

from stream_ocr.training.data.thresholds import FONTS

Font = ImageFont.FreeTypeFont

FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts")
BUILT_IN = Path("built-in")
"""Stands for the font inside Pillow, in place of a file."""

ASCII = "".join(map(chr, range(0x21, 0x7F)))
LATIN1 = "".join(chr(c) for c in range(0xC0, 0x100) if c not in (0xD7, 0xF7))
_NOT_LATIN = (
    "symbol",
    "dingbat",
    "music",
    "emoji",
    "icon",
    "math",
    "braille",
    "d050000l",
    "keyboard",
    "cjk",
    "lastresort",
)


@cache
def find_fonts() -> list[Path]:
    """Return every usable font file, at most eight of a family, in a stable order; else ``[BUILT_IN]``.

    Refused: fonts that lack a printable ASCII character or a Latin-1 letter, that draw many characters alike
    (symbols, bar codes), and fonts whose letters another font has already shown.
    """
    seen: set[str] = set()
    families: dict[str, list[Path]] = {}
    for path in _font_files():
        members = families.setdefault(_family(path), [])
        if len(members) == FONTS.max_per_family or (shapes := _shapes(path)) is None or shapes in seen:
            continue
        seen.add(shapes)
        members.append(path)
    return [path for members in families.values() for path in members] or [BUILT_IN]


@lru_cache(maxsize=64)  # FreeType holds all of a CJK font, 20 MB, for each size
def load_font(path: Path, size: int) -> Font:
    """Return the font at ``size`` pixels per em. Raise OSError for a file that FreeType cannot read."""
    if path != BUILT_IN:
        return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise OSError("Pillow was built without FreeType, so it has no font that scales; install a Pillow wheel")
    return font


def can_write(text: str, path: Path) -> bool:
    """Return False if the font lacks a letter: Pillow's has ASCII only, those of ``find_fonts`` all of Latin-1."""
    return path != BUILT_IN or text.isascii()


@cache
def is_unicase(path: Path) -> bool:
    """Return True if small letters are drawn as capitals: such fonts must not teach the difference."""
    font = load_font(path, 2 * FONTS.check_px)
    return bool(font.getmask("h").size[1] < FONTS.unicase_ratio * font.getmask("x").size[1])


def _font_files() -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted(folder.rglob("*.[to]tf")):
            if not any(word in path.name.lower() for word in _NOT_LATIN) and os.access(path, os.R_OK):
                yield path


def _family(path: Path) -> str:
    return path.stem.split("-")[0].lower().rstrip("0123456789bi")[:12]


def _drawing(font: Font, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character, mode="L")
    return mask.size, bytes(mask)


def _shapes(path: Path) -> str | None:
    """Return a digest of how the font draws its letters, or None if it is not a complete Latin font."""
    try:
        font = load_font(path, FONTS.check_px)
        missing = _drawing(font, "\uffff")
        drawings = [_drawing(font, c) for c in ASCII + LATIN1]
    except (OSError, ValueError):
        return None
    if any(drawing == missing or not any(drawing[1]) for drawing in drawings):
        return None
    if len(set(drawings[: len(ASCII)])) < FONTS.min_distinct_glyphs:
        return None
    return hashlib.sha256(repr(drawings[: len(ASCII)]).encode()).hexdigest()
