"""Pictures with their true lines or words: folders as ICDAR hands them out, and lists in JSON."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from stream_ocr.core.geometry import rectangle
from stream_ocr.errors import SourceError
from stream_ocr.events import DECODE_ERRORS

DO_NOT_CARE = "###"
_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_CORNERS, _BOX = (
    re.compile(rf"\s*({_NUMBER.pattern}(?:\s*[,\s]\s*{_NUMBER.pattern}){{{count - 1}}})(?:\s*[,\s]\s*(.*))?$")
    for count in (8, 4)
)

Corners = list[tuple[float, float]]


class Labelled(NamedTuple):
    """A picture, its (K, 2) polygons, mostly quads, and which of them are to be found."""

    image: Path
    quads: list[np.ndarray]
    cares: list[bool]


class Truth(msgspec.Struct, frozen=True):
    """One picture in JSON, as ``stream-ocr detect --json`` writes it; what else is there is passed over.

    image: relative to the file. texts: one a quad, ``###`` where it need not be found. ignored: further such places.
    """

    image: str
    quads: list[Corners]
    texts: list[str] = []
    ignored: list[Corners] = []


def labelled(data: Path) -> list[Labelled]:
    """The pictures of a set. Raises SourceError for what is none.

    data: a folder that holds ``gt_NAME.txt`` and ``NAME.jpg`` (or another picture), anywhere in it; or a JSON file, a
    list or one object a line (`Truth`).
    """
    found = list(_icdar(data) if data.is_dir() else _json(data))
    if not found:
        raise SourceError(f"{data} holds no pictures with truth; it needs gt_NAME.txt beside NAME.jpg, or JSON.")
    return found


def _json(path: Path) -> Iterator[Labelled]:
    try:
        content = path.read_bytes().strip()
        listed = content.startswith(b"[")
        truths = (
            msgspec.json.decode(content, type=list[Truth])
            if listed
            else [msgspec.json.decode(line, type=Truth) for line in content.splitlines() if line.strip()]
        )
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
    except DECODE_ERRORS as error:
        raise SourceError(f"{path} is no list of pictures with their quads ({error}).") from error
    for truth in truths:
        if truth.texts and len(truth.texts) != len(truth.quads):
            raise SourceError(f"{path}: {truth.image} has {len(truth.quads)} quads, but {len(truth.texts)} texts.")
        cares = [text != DO_NOT_CARE for text in truth.texts] or [True] * len(truth.quads)
        quads = [np.array(corners, float).reshape(-1, 2) for corners in (*truth.quads, *truth.ignored)]
        yield Labelled(path.parent / truth.image, quads, cares + [False] * len(truth.ignored))


def _icdar(folder: Path) -> Iterator[Labelled]:
    pictures: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in _PICTURES:
            pictures.setdefault(path.stem, []).append(path)
    for path in sorted(folder.rglob("gt_*.txt")):
        name = path.stem.removeprefix("gt_")
        candidates = pictures.get(name, [])
        beside = [picture for picture in candidates if picture.parent == path.parent] or candidates
        if len(beside) != 1:
            raise SourceError(f"{path} belongs to {len(beside)} pictures named {name} in {folder}; it needs one.")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        pairs = [_line(path, line) for line in lines if line.strip()]
        yield Labelled(beside[0], [quad for quad, _ in pairs], [text != DO_NOT_CARE for _, text in pairs])


def _line(path: Path, line: str) -> tuple[np.ndarray, str]:
    """Eight numbers (corners) or four (left, top, right, bottom), and a text, with commas or spaces between."""
    if match := _CORNERS.match(line):
        return np.array([float(n) for n in _NUMBER.findall(match[1])]).reshape(4, 2), match[2] or ""
    if match := _BOX.match(line):
        left, top, right, bottom = (float(n) for n in _NUMBER.findall(match[1]))
        return rectangle(left, top, right - left, bottom - top), (match[2] or "").strip('"')
    raise SourceError(f"{path}: {line!r} does not begin with the numbers of a box.")
