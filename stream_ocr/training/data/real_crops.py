"""Real crops for training: labelled sets split by source image, and confident readings of the teacher.

The crops of `icdar15_train` and `iiit5k_train` are numbered in the order of their source pictures, so that a range of
numbers at the end holds other pictures than the rest. Sets whose pictures are not known are kept whole, either for
training or for validation.
"""

import hashlib
import json
import random
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np

from stream_ocr.evaluation.recognition_metrics import Sample
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.input_sizes import HEIGHT
from stream_ocr.training.data.languages import normalised
from stream_ocr.training.data.thresholds import SPLITS
from stream_ocr.training.data.word_crops import augment

_KEPT_HEIGHT_PX = 2 * HEIGHT
_DETAILS, _LABELS = "crops.jsonl", "labels.tsv"


@dataclass(frozen=True)
class CropLimits:
    """Which of the teacher's crops are used, and how often."""

    min_confidence: float = 0.88
    """Calibrated mean confidence of the characters."""
    confidence_exponent: float = 4.0
    """Crops are drawn in proportion to their confidence to this power."""
    max_repeats: int = 12
    """Maximum number of crops of one text within a set: clocks and channel names recur in every frame."""
    min_confidence_of_sets: dict[str, float] = field(default_factory=lambda: {"tvnews": 0.94, "facades": 0.97})
    """For sets with letters that the teacher does not know: Vietnamese, Cyrillic."""


class RealCrop(NamedTuple):
    """A grey crop of at most 64 pixels height, its text, its weight, and the teacher's details where it has any.

    margin: room round the line, in line heights. spaces: places of the spaces, as shares of the width.
    """

    image: np.ndarray
    text: str
    weight: float = 1.0
    margin: float = 0.0
    spaces: tuple[float, ...] = ()


class RealCrops:
    """Draws augmented samples from crops, each in proportion to its weight."""

    def __init__(self, crops: Sequence[RealCrop], rng: random.Random) -> None:
        self._crops, self._rng = list(crops), rng
        self._totals = np.cumsum([crop.weight for crop in crops]).tolist()

    def __len__(self) -> int:
        return len(self._crops)

    def sample(self) -> Sample:
        """Return an augmented crop of an input width; of lines with known spaces sometimes only a few words."""
        (crop,) = self._rng.choices(self._crops, cum_weights=self._totals)
        return augment(varied(crop, self._rng), self._rng)


def varied(crop: RealCrop, rng: random.Random) -> Sample:
    """Return some words of a line, or all, with less room round it than the crop has."""
    image, text = crop.image, crop.text
    height, width = image.shape
    start, end = 0, width
    words = text.split(" ")
    if crop.spaces and len(words) == len(crop.spaces) + 1 and rng.random() < 0.5:
        first = rng.randrange(len(words))
        last = min(len(words), first + rng.choice((1, 1, 2, 3)))
        start = 0 if first == 0 else round(crop.spaces[first - 1] * width)
        end = width if last == len(words) else round(crop.spaces[last - 1] * width)
        text = " ".join(words[first:last])
    if crop.margin:
        room = crop.margin / (1 + 2 * crop.margin) * height
        top, bottom = (round(room * rng.uniform(0.2, 1)) for _ in range(2))
        start += round(room * rng.uniform(0.2, 1)) if start == 0 else 0
        end -= round(room * rng.uniform(0.2, 1)) if end == width else 0
        image = image[top : height - bottom]
    image = image[:, start:end]
    return Sample(image, text) if min(image.shape) >= 4 else Sample(crop.image, crop.text)


def trimmed(crop: RealCrop, margin: float = 0.06) -> Sample:
    """Return the crop with so much room round its line, in line heights, as the detector leaves."""
    spare = max(0, round((crop.margin - margin) / (1 + 2 * crop.margin) * crop.image.shape[0]))
    height, width = crop.image.shape
    return Sample(crop.image[spare : height - spare, spare : width - spare], crop.text)


def load_labelled(archive: Path, charset: Charset, *, validation: bool = False) -> list[RealCrop]:
    """Return the crops of a tar with ``labels.tsv`` that belong to training, or to validation.

    A set that is not split belongs to whatever it is loaded for.
    """
    first = SPLITS.first_crop.get(archive.stem)
    crops = []
    for name, image, text in read_archive(archive):
        if first is not None and (int(Path(name).stem) >= first) != validation:
            continue
        if text and charset.covers(text):
            crops.append(RealCrop(image, text))
    return crops


def is_validation_picture(name: str) -> bool:
    """Return whether a picture that the teacher has read belongs to validation; its name alone decides."""
    return hashlib.sha256(name.encode()).digest()[0] < 256 * SPLITS.teacher_share


def load_teacher(
    folder: Path, charset: Charset, limits: CropLimits, *, part: Literal["training", "validation", "all"] = "training"
) -> list[RealCrop]:
    """Return the crops of a set that ``training.teacher`` has written and that are sure enough."""
    with tarfile.open(folder / "crops.tar") as tar:
        file = tar.extractfile(_DETAILS)
        assert file is not None
        details = {row["file"]: row for row in map(json.loads, file.read().decode("utf-8").splitlines())}
    least = limits.min_confidence_of_sets.get(folder.name, limits.min_confidence)
    count: dict[str, int] = {}
    crops = []
    for name, image, text in read_archive(folder / "crops.tar"):
        row = details[name]
        kept_aside = is_validation_picture(row["image"])
        if part != "all" and kept_aside != (part == "validation"):
            continue
        if row["confidence"] < least or not charset.covers(text):
            continue
        count[text] = count.get(text, 0) + 1
        if count[text] <= limits.max_repeats:
            weight = row["confidence"] ** limits.confidence_exponent
            crops.append(RealCrop(image, text, weight, row.get("margin", 0.3), tuple(row["spaces"])))
    return crops


def read_archive(archive: Path) -> Iterator[tuple[str, np.ndarray, str]]:
    """Yield name, grey picture and normalised text of every readable crop of a tar."""
    with tarfile.open(archive) as tar:
        members = {Path(member.name).as_posix(): member for member in tar.getmembers() if member.isfile()}
        labels = tar.extractfile(members[_LABELS])
        assert labels is not None
        for line in labels.read().decode("utf-8").splitlines():
            name, _, text = line.partition("\t")
            file = tar.extractfile(members[name]) if name in members else None
            image = None if file is None else cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_GRAYSCALE)
            if image is not None and min(image.shape) >= 4:
                yield name, _at_most(np.asarray(image), _KEPT_HEIGHT_PX), normalised(text)


def _at_most(image: np.ndarray, height: int) -> np.ndarray:
    if image.shape[0] <= height:
        return image
    width = max(4, round(image.shape[1] * height / image.shape[0]))
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))
