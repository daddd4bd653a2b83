"""Evaluate a recogniser on labelled word or line crops: a folder or tar with ``labels.tsv`` (path TAB text)."""

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
from stream_ocr.evaluation.thresholds import THRESHOLDS
from stream_ocr.models.presets import with_model_defaults
from stream_ocr.models.recognition.calibration import calibrate, text_confidence
from stream_ocr.models.recognition.ctc import Decoded
from stream_ocr.readings.second_reader import Crop, load_readers

_BATCH_SIZE = 32  # crops; changes no reading
_LABELS = "labels.tsv"
_NO_CHARACTER = "∅"
_CONFUSIONS_SHOWN = 12  # pairs of characters, the most frequent first

# Layout of the contact sheet: cells (width, height) in pixels.
_WORST_CASES, _COLUMNS, _CELL, _CROP_PX = 48, 4, (320, 84), 48


class Case(NamedTuple):
    """A grey crop (H, W), its true text, and its calibrated reading."""

    crop: np.ndarray
    text: str
    reading: Decoded


@dataclass(frozen=True)
class RecognizerReport:
    """Accuracy and calibration over all crops.

    alphanumeric, exact: shares of crops read correctly, by ASCII letters and digits without case, and exactly.
    character_error_rate: edit distance per true character. calibration_error: expected calibration error of texts, 15
    bins, where a text is right as for ``alphanumeric``, because the labels of many sets have one case only;
    character_calibration_error: that of characters, in any case. milliseconds: per crop. confusions: (true, read,
    count), the most frequent first.
    """

    crops: int
    alphanumeric: float
    exact: float
    character_error_rate: float
    calibration_error: float
    character_calibration_error: float
    milliseconds: float
    confusions: tuple[tuple[str, str, int], ...] = ()
    cases: tuple[Case, ...] = ()

    def as_text(self) -> str:
        """Return the results as lines of text."""
        confused = "  ".join(f"{true}→{read} {count}" for true, read, count in self.confusions[:_CONFUSIONS_SHOWN])
        return (
            f"{self.crops} crops: {self.alphanumeric:.1%} right (letters and digits, any case), "
            f"{self.exact:.1%} exact, character error rate {self.character_error_rate:.1%}, "
            f"calibration error {self.calibration_error:.1%} of texts, {self.character_calibration_error:.1%} of "
            f"characters, {self.milliseconds:.1f} ms per crop"
        ) + (f"\nmost confused: {confused}" if confused else "")

    def to_dict(self) -> dict[str, Any]:
        """Return the results for JSON."""
        return {
            "crops": self.crops,
            "alphanumeric": self.alphanumeric,
            "exact": self.exact,
            "character_error_rate": self.character_error_rate,
            "calibration_error": self.calibration_error,
            "character_calibration_error": self.character_calibration_error,
            "ms_per_crop": self.milliseconds,
            "confusions": [list(confusion) for confusion in self.confusions],
        }

    def contact_sheet(self) -> np.ndarray:
        """Return the most confident errors, (H, W, 3) BGR: each crop above its true text and its reading."""
        wrong = [case for case in self.cases if letters_and_digits(case.reading.text) != letters_and_digits(case.text)]
        cells = [
            _cell(case)
            for case in sorted(wrong, key=lambda case: -text_confidence(case.reading.char_confidences))[:_WORST_CASES]
        ]
        cells += [np.zeros((_CELL[1], _CELL[0], 3), np.uint8)] * (-len(cells) % _COLUMNS or _COLUMNS * (not cells))
        return np.vstack([np.hstack(cells[i : i + _COLUMNS]) for i in range(0, len(cells), _COLUMNS)])


def evaluate_recognizer(data: Path, settings: Settings) -> RecognizerReport:
    """Read every crop of a data set as a run would (see ``load_labelled_crops``). Raise SourceError without crops."""
    settings = with_model_defaults(settings)
    readers, temperature = load_readers(settings), settings.recognition.temperature or 1.0
    samples = list(load_labelled_crops(data))
    if not samples:
        raise SourceError(f"{data} holds no crops that {_LABELS} names.")
    readers.read_once([Crop(crop, 0.0) for crop, _ in samples[:_BATCH_SIZE]])  # warm-up: the first calls are slow
    readings: list[Decoded] = []
    started = time.perf_counter()
    for start in range(0, len(samples), _BATCH_SIZE):
        readings += readers.read_once([Crop(crop, 0.0) for crop, _ in samples[start : start + _BATCH_SIZE]])
    spent_s = time.perf_counter() - started
    readings = [r._replace(char_confidences=calibrate(r.char_confidences, temperature)) for r in readings]
    cases = [Case(crop, text, reading) for (crop, text), reading in zip(samples, readings, strict=True)]
    return make_report(cases, spent_s)


def make_report(cases: Sequence[Case], spent_s: float) -> RecognizerReport:
    """Return the metrics of readings that took ``spent_s`` seconds together."""
    pairs = [(case.text, case.reading.text) for case in cases]
    alphanumeric = np.array([letters_and_digits(true) == letters_and_digits(read) for true, read in pairs])
    return RecognizerReport(
        crops=len(cases),
        alphanumeric=float(alphanumeric.mean()),
        exact=float(np.mean([true == read for true, read in pairs])),
        character_error_rate=sum(Levenshtein.distance(*pair) for pair in pairs)
        / max(sum(len(true) for true, _ in pairs), 1),
        calibration_error=calibration_error(
            np.array([text_confidence(case.reading.char_confidences) for case in cases]), alphanumeric
        ),
        character_calibration_error=calibration_error(
            np.array([p for case in cases for p in case.reading.char_confidences]),
            np.array([correct for pair in pairs for correct in _correct_characters(*pair)], bool),
        ),
        milliseconds=1000 * spent_s / len(cases),
        confusions=confusions(pairs),
        cases=tuple(cases),
    )


def calibration_error(confidence_N: np.ndarray, correct_N: np.ndarray) -> float:
    """Return the expected calibration error: |confidence - accuracy|, weighted over bins of equal width."""
    bins = THRESHOLDS.calibration_bins
    bins_N = np.minimum((confidence_N * bins).astype(int), bins - 1)
    gaps = [abs(float((confidence_N - correct_N)[bins_N == b].sum())) for b in range(bins)]
    return sum(gaps) / max(1, len(confidence_N))


def _in_lower_case(text: str) -> str:
    """Return a text in lower case, as many characters as before."""
    return "".join(character.lower()[0] for character in text)


def _correct_characters(true: str, read: str) -> Iterator[bool]:
    """Yield for each character of a reading whether the alignment with the true text keeps it, in any case."""
    for part in Levenshtein.opcodes(*map(_in_lower_case, (true, read))):
        yield from [part.tag == "equal"] * (part.dest_end - part.dest_start)


def confusions(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str, int], ...]:
    """Return (true, read, count) of substituted, missed and inserted characters; ∅ stands for none."""
    counts: Counter[tuple[str, str]] = Counter()
    for true, read in pairs:
        for edit in Levenshtein.editops(true, read):
            true_char, read_char = true[edit.src_pos : edit.src_pos + 1], read[edit.dest_pos : edit.dest_pos + 1]
            counts["" if edit.tag == "insert" else true_char, "" if edit.tag == "delete" else read_char] += 1
    return tuple((true or _NO_CHARACTER, read or _NO_CHARACTER, count) for (true, read), count in counts.most_common())


def load_labelled_crops(data: Path) -> Iterator[tuple[np.ndarray, str]]:
    """Yield the grey crops (H, W) uint8 of a data set with their texts. Raise SourceError without ``labels.tsv``."""
    files = tar_files(data) if data.is_file() else _folder(data)
    labels = next((content for name, content in files if name == _LABELS), None)
    if labels is None:
        raise SourceError(f"{data} is not a set of crops: it has no {_LABELS} (path TAB text).")
    texts = dict(line.split("\t", 1) for line in labels.decode("utf-8").splitlines() if "\t" in line)
    for name, content in tar_files(data) if data.is_file() else _folder(data):
        if name in texts:
            crop = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
            if crop is not None:
                yield np.asarray(crop, dtype=np.uint8), texts[name]


def _cell(case: Case) -> np.ndarray:
    width, height = _CELL
    scale = min((width - 8) / case.crop.shape[1], _CROP_PX / case.crop.shape[0])
    size = max(1, round(case.crop.shape[1] * scale)), max(1, round(case.crop.shape[0] * scale))
    cell = Image.new("RGB", (width, height))
    cell.paste(Image.fromarray(case.crop).resize(size), (4, 2))
    draw, font = ImageDraw.Draw(cell), ImageFont.load_default(14)
    caption = f"{case.text}  |  {case.reading.text}  {text_confidence(case.reading.char_confidences):.2f}"
    draw.text((4, 58), caption.encode("ascii", "replace").decode(), (230, 230, 230), font)
    return np.asarray(cell)[..., ::-1]


def tar_files(data: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file in a tar. Raise SourceError when it cannot be read."""
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
