"""A checked list of the fonts of this machine: which characters each has, and that its letters can be read.

``python -m stream_ocr.training.data.font_library LIST.json`` scans the font folders, also of TeX Live, and writes it.
Unlike ``fonts.find_fonts`` it accepts fonts with only a part of the charset, since texts are chosen by coverage, and
fonts of digits only (seven-segment displays). Each font has to be read by PP-OCRv6, so that fonts of pictures stay out.
"""

import argparse
import hashlib
import json
import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein

from stream_ocr.config.settings import Settings
from stream_ocr.models import presets
from stream_ocr.models.recognition.charset import EUROPEAN
from stream_ocr.models.recognition.recognizer import Recognizer
from stream_ocr.models.zoo import load_recognizer
from stream_ocr.training.data.fonts import BUILT_IN, FOLDERS, is_unicase, load_font
from stream_ocr.training.data.thresholds import FONTS

TEX_FOLDERS = (Path("/usr/share/texlive/texmf-dist/fonts"), Path("/usr/share/texmf/fonts"))
DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PROBES = ("Hamburg", "fixed view", "NEWS PORT", "quick Lady")
ACCENT_PROBE = "Žlutý šóà"
"""Read alike, accents aside, unless a font has letters of another script in place of accented ones."""
DIGIT_PROBES = ("2579", "10:48", "36")
_NOT_TEXT = (
    "symbol",
    "dingbat",
    "music",
    "emoji",
    "icon",
    "math",
    "braille",
    "keyboard",
    "cjk",
    "lastresort",
    "DSEGWeather",
)


@dataclass(frozen=True)
class FontLimits:
    """Which fonts are listed."""

    max_per_family: int = 6
    max_per_folder: int = 100
    """Collections of one designer fill a folder with hundreds of fonts of one kind."""
    min_similarity: float = 0.5
    """Mean similarity (1 - normalised edit distance) of the probe texts to what PP-OCRv6 reads of them."""
    min_distinct_letters: int = 45
    """Minimum number of the 52 letters; fonts of capitals only have 26."""


class FontEntry(NamedTuple):
    """A listed font. ``missing``: characters of ``EUROPEAN`` that it cannot draw."""

    path: Path
    kind: Literal["text", "digits"]
    missing: frozenset[str]
    unicase: bool

    def can_write(self, text: str) -> bool:
        """Return whether the font has every character of a text."""
        return self.missing.isdisjoint(text)


class FontLibrary:
    """The fonts of a list, by kind and family."""

    def __init__(self, entries: Sequence[FontEntry]) -> None:
        self.entries = {entry.path: entry for entry in entries if entry.path.is_file() or entry.path == BUILT_IN}

    @classmethod
    def read(cls, path: Path) -> "FontLibrary":
        """Read a list that ``main`` has written; fonts that have been uninstalled since are left out."""
        rows = json.loads(path.read_text(encoding="utf-8"))
        return cls([FontEntry(Path(row[0]), row[1], frozenset(row[2]), row[3]) for row in rows])

    @cached_property
    def text_fonts(self) -> list[Path]:
        """Return the fonts with letters."""
        return [entry.path for entry in self.entries.values() if entry.kind == "text"]

    @cached_property
    def digit_fonts(self) -> list[Path]:
        """Return the fonts with digits only: of other scripts, and seven-segment displays, which fill half of it."""
        fonts = [entry.path for entry in self.entries.values() if entry.kind == "digits"]
        displays = [path for path in fonts if path.name.startswith("DSEG")]
        return fonts + displays * ((len(fonts) - len(displays)) // max(1, len(displays)))


def scan(limits: FontLimits) -> Iterator[FontEntry]:
    """Yield every usable font, at most ``max_per_family`` of a family, each drawing once."""
    reader = load_recognizer(presets.with_model_defaults(Settings(models="ppocr", device="cpu", threads=1)))
    seen: set[str] = set()
    count: dict[str, int] = {}
    for path in font_files():
        family = path.stem.split("-")[0].lower().rstrip("0123456789bi")[:12]
        folder = str(path.parent)
        if count.get(family, 0) >= limits.max_per_family or count.get(folder, 0) >= limits.max_per_folder:
            continue
        entry = _entry(path, limits, reader, seen)
        if entry is not None:
            count[family] = count.get(family, 0) + 1
            count[folder] = count.get(folder, 0) + 1
            yield entry


def font_files() -> Iterator[Path]:
    """Yield font files in an order that mixes the styles of a family."""
    for folder in (*FOLDERS, *TEX_FOLDERS):
        paths = sorted(folder.rglob("*.[to]tf"), key=lambda p: hashlib.sha256(p.name.encode()).digest())
        for path in paths:
            if not any(word.lower() in path.name.lower() for word in _NOT_TEXT) and os.access(path, os.R_OK):
                yield path


def _entry(path: Path, limits: FontLimits, reader: Recognizer, seen: set[str]) -> FontEntry | None:
    try:
        font = load_font(path, FONTS.check_px)
        if _drawing(font, "7") == _drawing(font, "\uffff"):
            return None
        nothing = _drawing(font, "\uffff")
        drawings = {c: _drawing(font, c) for c in EUROPEAN.characters if c != " "}
        has_blank_space = not any(_drawing(font, " ")[1])
    except (OSError, ValueError):
        return None
    missing = {c for c, drawing in drawings.items() if drawing == nothing or not any(drawing[1])}
    if missing & set(DIGITS) or not has_blank_space:
        return None
    is_digits = "dseg7" in path.name.lower() or bool(missing & set(LETTERS))
    if not is_digits and len({drawings[c] for c in LETTERS}) < 26:
        return None
    letters = "" if is_digits else LETTERS
    digest = hashlib.sha256(repr([drawings[c] for c in DIGITS + letters]).encode()).hexdigest()
    if digest in seen:
        return None
    seen.add(digest)
    distinct = len({drawings[c] for c in LETTERS})
    unicase = not is_digits and (distinct < limits.min_distinct_letters or is_unicase(path))
    if _similarity(reader, path, DIGIT_PROBES if is_digits else PROBES) < limits.min_similarity:
        return None
    if is_digits:
        missing |= set(LETTERS)
    elif missing.isdisjoint(ACCENT_PROBE) and _similarity(reader, path, [ACCENT_PROBE]) < limits.min_similarity:
        missing |= {c for c in drawings if not c.isascii()}
    return FontEntry(path, "digits" if is_digits else "text", frozenset(missing), unicase)


def _drawing(font: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character, mode="L")
    return mask.size, bytes(mask)


def _similarity(reader: Recognizer, path: Path, probes: Sequence[str]) -> float:
    font = load_font(path, FONTS.probe_px)
    crops = []
    for text in probes:
        left, top, right, bottom = font.getbbox(text)
        picture = Image.new("L", (int(right - left) + 24, int(bottom - top) + 20), 235)
        ImageDraw.Draw(picture).text((12 - left, 10 - top), text, fill=20, font=font)
        crops.append(np.asarray(picture))
    read = [reading.text for reading in reader.read(crops)]
    pairs = [(_folded(a), _folded(b)) for a, b in zip(probes, read, strict=True)]
    return float(np.mean([Levenshtein.normalized_similarity(a, b) for a, b in pairs]))


def _folded(text: str) -> str:
    """Return small letters without accents and spaces."""
    plain = unicodedata.normalize("NFD", text.lower())
    return "".join(c for c in plain if not c.isspace() and not unicodedata.combining(c))


def main(out: Path, limits: FontLimits) -> None:
    """Scan the fonts and write the list."""
    entries = list(scan(limits))
    rows = [[str(e.path), e.kind, "".join(sorted(e.missing)), e.unicase] for e in entries]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(rows, ensure_ascii=False, indent=0), encoding="utf-8")
    texts = sum(e.kind == "text" for e in entries)
    print(f"{texts} fonts with letters, {len(entries) - texts} with digits only, in {out}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="List the fonts that the generator may use.")
    parser.add_argument("out", type=Path)
    main(parser.parse_args().out, FontLimits())
