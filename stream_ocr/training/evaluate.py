"""How well a recogniser reads a set of word or line crops: a folder or a tar with ``labels.tsv`` (path TAB text)."""

import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stream_ocr.errors import SourceError
from stream_ocr.models import load_recognizer
from stream_ocr.settings import Settings
from stream_ocr.training.reading import letters_and_digits

_BATCH = 32
_LABELS = "labels.tsv"


@dataclass(frozen=True, slots=True)
class Report:
    """Shares of crops read right: ``alphanumeric`` ignores case and everything but ASCII letters and digits."""

    crops: int
    alphanumeric: float
    exact: float
    character_error_rate: float
    milliseconds: float  # a crop

    def line(self) -> str:
        """One line for people."""
        return (
            f"{self.crops} crops: {self.alphanumeric:.1%} right (letters and digits, any case), "
            f"{self.exact:.1%} exact, character error rate {self.character_error_rate:.1%}, "
            f"{self.milliseconds:.1f} ms a crop"
        )


def recognizer(data: Path, settings: Settings) -> Report:
    """Read every crop of a set. Raises SourceError when it is none."""
    reader = load_recognizer(settings)
    samples = list(crops(data))
    if not samples:
        raise SourceError(f"{data} holds no crops that {_LABELS} names.")
    read: list[str] = []
    begun = time.perf_counter()
    for start in range(0, len(samples), _BATCH):
        read += [decoded.text for decoded in reader.read([crop for crop, _ in samples[start : start + _BATCH]])]
    spent_s = time.perf_counter() - begun
    texts = [text for _, text in samples]
    pairs = list(zip(read, texts, strict=True))
    return Report(
        crops=len(samples),
        alphanumeric=float(np.mean([letters_and_digits(a) == letters_and_digits(b) for a, b in pairs])),
        exact=float(np.mean([a == b for a, b in pairs])),
        character_error_rate=sum(distance(a, b) for a, b in pairs) / max(sum(map(len, texts)), 1),
        milliseconds=1000 * spent_s / len(samples),
    )


def crops(data: Path) -> Iterator[tuple[np.ndarray, str]]:
    """The (H, W) uint8 grey crops of a set with their texts. Raises SourceError when there is no ``labels.tsv``."""
    files = _tar(data) if data.is_file() else _folder(data)
    labels = next((content for name, content in files if name == _LABELS), None)
    if labels is None:
        raise SourceError(f"{data} is no set of crops: it has no {_LABELS} (path TAB text).")
    texts = dict(line.split("\t", 1) for line in labels.decode("utf-8").splitlines() if "\t" in line)
    for name, content in _tar(data) if data.is_file() else _folder(data):
        if name in texts:
            crop = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
            if crop is not None:
                yield np.asarray(crop, dtype=np.uint8), texts[name]


def distance(a: str, b: str) -> int:
    """Edits that turn one text into the other (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def _tar(data: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(data) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isfile() else None
                if file is not None:
                    yield Path(member.name).as_posix(), file.read()
    except (OSError, tarfile.TarError) as error:
        raise SourceError(f"{data} cannot be read as a tar: {error}.") from error


def _folder(data: Path) -> Iterator[tuple[str, bytes]]:
    if not data.is_dir():
        raise SourceError(f"{data} is neither a folder nor a tar.")
    for path in sorted(data.rglob("*")):
        if path.is_file():
            yield path.relative_to(data).as_posix(), path.read_bytes()
