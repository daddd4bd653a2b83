"""Batches for the recogniser: generated lines, some of them through a video codec, and real crops, by width."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from stream_ocr.errors import SettingsError
from stream_ocr.evaluation.recognition_metrics import Sample
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.codec import CodecMosaic
from stream_ocr.training.data.font_library import FontLibrary
from stream_ocr.training.data.fonts import find_fonts
from stream_ocr.training.data.languages import EuropeanCorpus
from stream_ocr.training.data.line_images import Lines
from stream_ocr.training.data.real_crops import CropLimits, RealCrop, RealCrops, load_labelled, load_teacher
from stream_ocr.training.data.thresholds import LINES


@dataclass(frozen=True)
class DataRecipe:
    """Paths and shares of the data of a training run. Paths are relative to the working directory."""

    data: Path
    """Folder with ``words``, ``text`` and ``backgrounds``. What it lacks is left out or generated."""
    batch: int
    """Samples in a batch at the width ``batch_width_px``."""
    batch_width_px: int
    """Batches of wider samples are smaller, so that their pixels stay about as many."""
    min_batch: int
    line_share: float
    """Share of the generated samples with several words."""
    easy_samples: int
    """Distortions and lengths grow over the first samples."""
    plate_share: float = 0.0
    """Share of the generated samples that are number plates."""
    real_share: float = 0.0
    """Share of real crops, once distortions are at their full strength."""
    codec_share: float = 0.0
    """Share of the generated samples that a video codec damages, likewise."""
    fonts: Path | None = None
    """List that ``training.data.font_library`` has written; None: the Latin fonts of this machine, unchecked."""
    labelled_sets: tuple[str, ...] = ()
    teacher: Path | None = None
    """Folder that ``training.teacher`` has written."""
    teacher_sets: tuple[str, ...] = ()
    relabelled_sets: tuple[str, ...] = ()
    """Labelled sets whose labels the teacher has completed, in its folder."""


class LineBatches:
    """Batches of one width. Samples wait in their width's queue until it is full, so nothing is padded."""

    def __init__(self, recipe: DataRecipe, charset: Charset, real: Sequence[RealCrop], seed: str) -> None:
        self._recipe = recipe
        self._rng = random.Random(seed)
        self._real = RealCrops(real, random.Random(f"real-{seed}"))
        self._lines = make_generator(recipe, charset, seed)
        self._codec = CodecMosaic(random.Random(f"codec-{seed}"))
        self._queues: dict[int, list[Sample]] = {}
        self._ready: list[Sample] = []

    def next(self, samples: int) -> tuple[np.ndarray, list[str]]:
        """Return ``images_BHW`` uint8 and texts; samples: number of samples seen so far, from which they get harder."""
        ease = min(1.0, samples / max(1, self._recipe.easy_samples))
        while True:
            sample = self._draw(*_difficulty(ease))
            width = sample.image.shape[1]
            queue = self._queues.setdefault(width, [])
            queue.append(sample)
            if len(queue) == self._batch_of(width):
                del self._queues[width]
                return np.stack([s.image for s in queue]), [s.text for s in queue]

    def _draw(self, hardness: float, max_characters: int) -> Sample:
        while True:
            if self._ready:
                return self._ready.pop()
            if len(self._real) and self._rng.random() < self._recipe.real_share * hardness:
                return self._real.sample()
            sample = self._lines.sample(hardness, max_characters)
            if self._rng.random() >= self._recipe.codec_share * hardness:
                return sample
            self._ready += self._codec.add(sample)

    def _batch_of(self, width: int) -> int:
        recipe = self._recipe
        return max(recipe.min_batch, min(recipe.batch, round(recipe.batch * recipe.batch_width_px / width)))


def _difficulty(ease: float) -> tuple[float, int]:
    """Return the hardness and the longest text, in characters, when the share ``ease`` of the easy samples is over."""
    first, last = LINES.min_max_characters, LINES.max_characters
    return LINES.min_hardness + (1 - LINES.min_hardness) * ease, round(first + (last - first) * ease)


def make_generator(recipe: DataRecipe, charset: Charset, seed: str) -> Lines:
    """Return the generator of the recipe, with texts in all languages that the charset covers.

    Raise SettingsError if the list of fonts is missing.
    """
    if recipe.fonts and not recipe.fonts.is_file():
        raise SettingsError(
            f"{recipe.fonts} is missing; write it with python -m stream_ocr.training.data.font_library {recipe.fonts}, "
            "or set fonts to null"
        )
    rng = random.Random(f"lines-{seed}")
    text = recipe.data / "text"
    return Lines(
        EuropeanCorpus(text / "words_mjsynth.txt", text, rng),
        Backgrounds(recipe.data / "backgrounds", rng),
        [] if recipe.fonts else find_fonts(),
        text / "colormap_iiit5k_gray.txt",
        rng,
        line_share=recipe.line_share,
        plate_share=recipe.plate_share,
        charset=charset,
        library=FontLibrary.read(recipe.fonts) if recipe.fonts else None,
    )


def load_real(recipe: DataRecipe, charset: Charset, limits: CropLimits | None = None) -> dict[str, list[RealCrop]]:
    """Return the real crops of the recipe by set, without the sets that are missing."""
    limits = limits or CropLimits()
    crops: dict[str, list[RealCrop]] = {}
    for name in recipe.labelled_sets:
        path = recipe.data / "words" / f"{name}.tar"
        if path.is_file():
            crops[name] = load_labelled(path, charset)
    for name in (*recipe.teacher_sets, *recipe.relabelled_sets):
        folder = recipe.teacher / name if recipe.teacher else None
        if folder and (folder / "crops.tar").is_file():
            part: Literal["all", "training"] = "all" if name in recipe.relabelled_sets else "training"
            crops[f"teacher_{name}"] = load_teacher(folder, charset, limits, part=part)
    return crops


def missing_data(recipe: DataRecipe, crops: Collection[str]) -> list[str]:
    """Return what the recipe names and the machine lacks. crops: names of the sets that ``load_real`` returned."""
    text = recipe.data / "text"
    paths = (text / "words_mjsynth.txt", text / "colormap_iiit5k_gray.txt", recipe.data / "backgrounds")
    teacher = (f"teacher_{name}" for name in (*recipe.teacher_sets, *recipe.relabelled_sets))
    missing = [str(path) for path in paths if not path.exists()]
    return missing + [name for name in (*recipe.labelled_sets, *teacher) if name not in crops]
