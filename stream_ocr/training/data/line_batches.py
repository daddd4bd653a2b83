"""Batches for the recogniser: generated lines, some of them through a video codec, and real crops, by width."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from stream_ocr.evaluation.recognition_metrics import Sample
from stream_ocr.models.recognition.charset import EUROPEAN
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.codec import CodecMosaic
from stream_ocr.training.data.font_library import FontLibrary
from stream_ocr.training.data.languages import EuropeanCorpus
from stream_ocr.training.data.line_images import Lines
from stream_ocr.training.data.real_crops import CropLimits, RealCrop, RealCrops, load_labelled, load_teacher


@dataclass(frozen=True)
class DataRecipe:
    """Paths and shares of the data of a training run. Paths are relative to the working directory."""

    data: Path
    """Folder with ``words``, ``text`` and ``backgrounds``."""
    teacher: Path
    """Folder that ``training.teacher`` has written."""
    fonts: Path
    """List that ``training.font_library`` has written."""
    labelled_sets: tuple[str, ...]
    teacher_sets: tuple[str, ...]
    relabelled_sets: tuple[str, ...]
    """Labelled sets whose labels the teacher has completed, in the folder of the teacher."""
    real_share: float
    codec_share: float
    """Share among the generated lines."""
    line_share: float
    easy_samples: int
    """Distortions and lengths grow over the first samples."""
    batch: int
    batch_width_px: int
    """Batches of wider samples are smaller, so that their pixels stay about as many."""
    min_batch: int


class LineBatches:
    """Batches of one width. Samples wait in their width's queue until it is full, so nothing is padded."""

    def __init__(self, recipe: DataRecipe, real: Sequence[RealCrop], seed: str) -> None:
        self._recipe = recipe
        self._rng = random.Random(seed)
        self._real = RealCrops(real, random.Random(f"real-{seed}"))
        self._lines = make_generator(recipe, seed)
        self._codec = CodecMosaic(random.Random(f"codec-{seed}"))
        self._queues: dict[int, list[Sample]] = {}
        self._ready: list[Sample] = []

    def next(self, samples: int) -> tuple[np.ndarray, list[str]]:
        """Return `images_BHW` uint8 and texts, as hard as after so many samples."""
        ease = min(1.0, samples / max(1, self._recipe.easy_samples))
        while True:
            sample = self._draw(0.25 + 0.75 * ease, round(6 + 42 * ease))
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


def make_generator(recipe: DataRecipe, seed: str) -> Lines:
    """Return the generator of the recipe, with texts in all languages and the fonts of the list."""
    rng = random.Random(f"lines-{seed}")
    text = recipe.data / "text"
    return Lines(
        EuropeanCorpus(text / "words_mjsynth.txt", text, rng),
        Backgrounds(recipe.data / "backgrounds", rng),
        [],
        text / "colormap_iiit5k_gray.txt",
        rng,
        line_share=recipe.line_share,
        charset=EUROPEAN,
        library=FontLibrary.read(recipe.fonts),
    )


def load_real(recipe: DataRecipe, limits: CropLimits | None = None) -> dict[str, list[RealCrop]]:
    """Return the real crops of the recipe by set. Sets that are not there are left out, with a notice."""
    limits = limits or CropLimits()
    crops: dict[str, list[RealCrop]] = {}
    for name in recipe.labelled_sets:
        path = recipe.data / "words" / f"{name}.tar"
        if path.is_file():
            crops[name] = load_labelled(path, EUROPEAN)
    for name in (*recipe.teacher_sets, *recipe.relabelled_sets):
        if (recipe.teacher / name / "crops.tar").is_file():
            part: Literal["all", "training"] = "all" if name in recipe.relabelled_sets else "training"
            crops[f"teacher_{name}"] = load_teacher(recipe.teacher / name, EUROPEAN, limits, part=part)
    for name in (*recipe.labelled_sets, *(f"teacher_{n}" for n in (*recipe.teacher_sets, *recipe.relabelled_sets))):
        if name not in crops:
            print(f"{name} is not here: trained without it")
    return crops
