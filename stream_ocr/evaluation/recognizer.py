"""How well a recogniser reads a set of word or line crops: a folder or a tar with ``labels.tsv`` (path TAB text)."""

import tarfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SourceError
from stream_ocr.evaluation.recognition_metrics import letters_and_digits
from stream_ocr.models.presets import resolve
from stream_ocr.models.recognition.calibration import calibrated, certainty
from stream_ocr.models.recognition.ctc import Decoded
from stream_ocr.models.zoo import load_recognizer

_BATCH = 32
_LABELS = "labels.tsv"
_WORST = 48
_COLUMNS, _CELL = 4, (320, 84)
_BINS = 15
_NOTHING = "∅"


class Case(NamedTuple):
    """A crop, what it says, and what was read."""

    crop: np.ndarray
    text: str
    read: Decoded


@dataclass(frozen=True)
class Report:
    """Shares of crops read right: ``alphanumeric`` ignores case and everything but ASCII letters and digits.

    calibration_error: how far the confidence of a text is from the share of such texts that are exactly right, in the
    mean (expected calibration error, 15 bins); character_calibration_error: the same of characters. confusions: (true,
    read, times), the most frequent first.
    """

    crops: int
    alphanumeric: float
    exact: float
    character_error_rate: float
    calibration_error: float
    character_calibration_error: float
    milliseconds: float  # a crop
    confusions: tuple[tuple[str, str, int], ...] = ()
    cases: tuple[Case, ...] = ()

    def lines(self) -> str:
        """For people."""
        confused = "  ".join(f"{true}→{read} {times}" for true, read, times in self.confusions[:12])
        return (
            f"{self.crops} crops: {self.alphanumeric:.1%} right (letters and digits, any case), "
            f"{self.exact:.1%} exact, character error rate {self.character_error_rate:.1%}, "
            f"calibration error {self.calibration_error:.1%} of texts, {self.character_calibration_error:.1%} of "
            f"characters, {self.milliseconds:.1f} ms a crop"
        ) + (f"\nconfused most: {confused}" if confused else "")

    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "crops": self.crops,
            "alphanumeric": self.alphanumeric,
            "exact": self.exact,
            "character_error_rate": self.character_error_rate,
            "calibration_error": self.calibration_error,
            "character_calibration_error": self.character_calibration_error,
            "ms_a_crop": self.milliseconds,
            "confusions": [list(confusion) for confusion in self.confusions],
        }

    def sheet(self) -> np.ndarray:
        """The surest mistakes, (H, W, 3) blue first: each crop above what it says and what was read."""
        wrong = [case for case in self.cases if letters_and_digits(case.read.text) != letters_and_digits(case.text)]
        cells = [
            _cell(case) for case in sorted(wrong, key=lambda case: -certainty(case.read.char_confidences))[:_WORST]
        ]
        cells += [np.zeros((_CELL[1], _CELL[0], 3), np.uint8)] * (-len(cells) % _COLUMNS or _COLUMNS * (not cells))
        return np.vstack([np.hstack(cells[i : i + _COLUMNS]) for i in range(0, len(cells), _COLUMNS)])


def recognizer(data: Path, settings: Settings) -> Report:
    """Read every crop of a set. Raises SourceError when it is none."""
    reader, temperature = load_recognizer(settings), resolve(settings).recognition.temperature or 1.0
    samples = list(crops(data))
    if not samples:
        raise SourceError(f"{data} holds no crops that {_LABELS} names.")
    reader.read([crop for crop, _ in samples[:_BATCH]])  # the first calls of a network are slow
    read: list[Decoded] = []
    begun = time.perf_counter()
    for start in range(0, len(samples), _BATCH):
        read += reader.read([crop for crop, _ in samples[start : start + _BATCH]])
    spent_s = time.perf_counter() - begun
    honest = [look._replace(char_confidences=calibrated(look.char_confidences, temperature)) for look in read]
    return report([Case(crop, text, look) for (crop, text), look in zip(samples, honest, strict=True)], spent_s)


def report(cases: Sequence[Case], spent_s: float) -> Report:
    """The figures of what was read in so many seconds."""
    pairs = [(case.text, case.read.text) for case in cases]
    exact = np.array([true == read for true, read in pairs])
    return Report(
        crops=len(cases),
        alphanumeric=float(np.mean([letters_and_digits(true) == letters_and_digits(read) for true, read in pairs])),
        exact=float(exact.mean()),
        character_error_rate=sum(Levenshtein.distance(*pair) for pair in pairs)
        / max(sum(len(true) for true, _ in pairs), 1),
        calibration_error=calibration_error(np.array([certainty(case.read.char_confidences) for case in cases]), exact),
        character_calibration_error=calibration_error(
            np.array([p for case in cases for p in case.read.char_confidences]),
            np.array([right for pair in pairs for right in _right(*pair)], bool),
        ),
        milliseconds=1000 * spent_s / len(cases),
        confusions=confusions(pairs),
        cases=tuple(cases),
    )


def calibration_error(confidence_N: np.ndarray, right_N: np.ndarray) -> float:
    """Expected calibration error: |confidence - share right|, weighted over 15 bins of equal width."""
    bins_N = np.minimum((confidence_N * _BINS).astype(int), _BINS - 1)
    gaps = [abs(float((confidence_N - right_N)[bins_N == b].sum())) for b in range(_BINS)]
    return sum(gaps) / max(1, len(confidence_N))


def _right(true: str, read: str) -> Iterator[bool]:
    """Of each character that was read, whether it is there."""
    for part in Levenshtein.opcodes(true, read):
        yield from [part.tag == "equal"] * (part.dest_end - part.dest_start)


def confusions(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str, int], ...]:
    """(true, read, times) of characters that were taken for others, left out or made up (∅)."""
    counts: Counter[tuple[str, str]] = Counter()
    for true, read in pairs:
        for edit in Levenshtein.editops(true, read):
            lost, made = true[edit.src_pos : edit.src_pos + 1], read[edit.dest_pos : edit.dest_pos + 1]
            counts["" if edit.tag == "insert" else lost, "" if edit.tag == "delete" else made] += 1
    return tuple((true or _NOTHING, read or _NOTHING, times) for (true, read), times in counts.most_common())


def crops(data: Path) -> Iterator[tuple[np.ndarray, str]]:
    """The (H, W) uint8 grey crops of a set with their texts. Raises SourceError when there is no ``labels.tsv``."""
    files = tar_files(data) if data.is_file() else _folder(data)
    labels = next((content for name, content in files if name == _LABELS), None)
    if labels is None:
        raise SourceError(f"{data} is no set of crops: it has no {_LABELS} (path TAB text).")
    texts = dict(line.split("\t", 1) for line in labels.decode("utf-8").splitlines() if "\t" in line)
    for name, content in tar_files(data) if data.is_file() else _folder(data):
        if name in texts:
            crop = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
            if crop is not None:
                yield np.asarray(crop, dtype=np.uint8), texts[name]


def _cell(case: Case) -> np.ndarray:
    width, height = _CELL
    scale = min((width - 8) / case.crop.shape[1], 48 / case.crop.shape[0])
    size = max(1, round(case.crop.shape[1] * scale)), max(1, round(case.crop.shape[0] * scale))
    cell = Image.new("RGB", (width, height))
    cell.paste(Image.fromarray(case.crop).resize(size), (4, 2))
    draw, font = ImageDraw.Draw(cell), ImageFont.load_default(14)
    told = f"{case.text}  |  {case.read.text}  {certainty(case.read.char_confidences):.2f}"
    draw.text((4, 58), told.encode("ascii", "replace").decode(), (230, 230, 230), font)
    return np.asarray(cell)[..., ::-1]


def tar_files(data: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file of a tar. Raises SourceError."""
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
