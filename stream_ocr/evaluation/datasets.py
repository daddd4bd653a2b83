"""Labelled images for evaluating detectors: folders in ICDAR's format, and JSON."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from stream_ocr.core.geometry import rectangle
from stream_ocr.errors import SourceError
from stream_ocr.events import DECODE_ERRORS
from stream_ocr.sources import suffixes

DONT_CARE = "###"
"""ICDAR's text of a quad that need not be found."""

_IMAGE_SUFFIXES = suffixes.IMAGES | {".gif"}  # some data sets have still images as GIF

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_CORNERS, _BOX = (
    re.compile(rf"\s*({_NUMBER.pattern}(?:\s*[,\s]\s*{_NUMBER.pattern}){{{count - 1}}})(?:\s*[,\s]\s*(.*))?$")
    for count in (8, 4)
)

Corners = list[tuple[float, float]]


class LabelledImage(NamedTuple):
    """An image, its true polygons (K, 2), mostly quads, and which of them must be found (True)."""

    image: Path
    quads: list[np.ndarray]
    cares: list[bool]


class ImageTruth(msgspec.Struct, frozen=True):
    """One image in JSON, as ``stream-ocr detect --json`` writes it; other keys are ignored.

    image: path relative to the file. texts: one per quad, ``###`` where it need not be found. ignored: more such quads.
    """

    image: str
    quads: list[Corners]
    texts: list[str] = []
    ignored: list[Corners] = []


def load_labelled_images(data: Path) -> list[LabelledImage]:
    """Return the images of a data set. Raise SourceError when it is none, or is incomplete.

    data: a folder with ``gt_NAME.txt`` and ``NAME.jpg`` (or another image), at any depth; or a JSON file, a
    list or one object a line (``ImageTruth``).
    """
    images = list(_read_icdar(data) if data.is_dir() else _read_json(data))
    if not images:
        raise SourceError(f"{data} holds no labelled images; it needs gt_NAME.txt beside NAME.jpg, or JSON.")
    return images


def _read_json(path: Path) -> Iterator[LabelledImage]:
    try:
        content = path.read_bytes().strip()
        is_list = content.startswith(b"[")
        truths = (
            msgspec.json.decode(content, type=list[ImageTruth])
            if is_list
            else [msgspec.json.decode(line, type=ImageTruth) for line in content.splitlines() if line.strip()]
        )
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
    except DECODE_ERRORS as error:
        raise SourceError(f"{path} is not a list of images with their quads ({error}).") from error
    for truth in truths:
        if truth.texts and len(truth.texts) != len(truth.quads):
            raise SourceError(f"{path}: {truth.image} has {len(truth.quads)} quads, but {len(truth.texts)} texts.")
        cares = [text != DONT_CARE for text in truth.texts] or [True] * len(truth.quads)
        quads = [np.array(corners, float).reshape(-1, 2) for corners in (*truth.quads, *truth.ignored)]
        yield LabelledImage(path.parent / truth.image, quads, cares + [False] * len(truth.ignored))


def _read_icdar(folder: Path) -> Iterator[LabelledImage]:
    images: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _IMAGE_SUFFIXES:
            images.setdefault(path.stem, []).append(path)
    for path in sorted(folder.rglob("gt_*.txt")):
        name = path.stem.removeprefix("gt_")
        candidates = images.get(name, [])
        chosen = [image for image in candidates if image.parent == path.parent] or candidates
        if len(chosen) != 1:
            raise SourceError(f"{path} belongs to {len(chosen)} images named {name} in {folder}; it needs exactly one.")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        pairs = [_parse_line(path, line) for line in lines if line.strip()]
        yield LabelledImage(chosen[0], [quad for quad, _ in pairs], [text != DONT_CARE for _, text in pairs])


def _parse_line(path: Path, line: str) -> tuple[np.ndarray, str]:
    """Parse eight numbers (corners) or four (left, top, right, bottom) and a text, separated by commas or spaces."""
    if match := _CORNERS.match(line):
        return np.array([float(n) for n in _NUMBER.findall(match[1])]).reshape(4, 2), match[2] or ""
    if match := _BOX.match(line):
        left, top, right, bottom = (float(n) for n in _NUMBER.findall(match[1]))
        return rectangle(left, top, right - left, bottom - top), (match[2] or "").strip('"')
    raise SourceError(f"{path}: {line!r} does not begin with the four or eight numbers of a box.")
