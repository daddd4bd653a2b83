"""The validation sets of the recogniser: crops whose source pictures training never sees, one figure per set."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from torch import nn

from stream_ocr.evaluation.recognition_metrics import Sample, accuracy, exact, letters_and_digits
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.font_library import FontLibrary
from stream_ocr.training.data.languages import sentences
from stream_ocr.training.data.line_batches import DataRecipe
from stream_ocr.training.data.real_crops import CropLimits, RealCrop, load_labelled, load_teacher, trimmed
from stream_ocr.training.data.subtitle_lines import render
from stream_ocr.training.data.thresholds import SPLITS
from stream_ocr.training.thresholds import VALIDATION

SUBTITLE_LINES = {"subtitles_western": ("en", "de", "fr"), "subtitles_cs": ("cs",)}
SUBTITLE_COUNT = {"subtitles_western": VALIDATION.western_lines, "subtitles_cs": VALIDATION.czech_lines}
SUBTITLE_FONTS = (
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "LiberationSans-Regular.ttf",
    "LiberationSans-Bold.ttf",
    "LiberationSerif-Regular.ttf",
    "Roboto-Regular.ttf",
    "OpenSans-Semibold.ttf",
    "Lato-Bold.ttf",
)
TEACHER_STILLS = ("posters", "packages", "screens")


class ValidationSet(NamedTuple):
    """Samples, and what of a text counts."""

    samples: list[Sample]
    key: Callable[[str], str]


def load_sets(recipe: DataRecipe, charset: Charset) -> dict[str, ValidationSet]:
    """Return the sets whose data is there, without texts that the charset does not cover."""
    words = recipe.data / "words"
    sets: dict[str, list[Sample]] = {}
    for name in ("svt_train", "icdar03_train", "icdar15_train", "iiit5k_train", "plates_us_eu_br", "chars74k"):
        if (words / f"{name}.tar").is_file():
            crops = load_labelled(words / f"{name}.tar", charset, validation=True)
            sets[name] = _samples(crops[:: VALIDATION.chars74k_every] if name == "chars74k" else crops)
    if (words / "plates_argentina.tar").is_file() and "plates_us_eu_br" in sets:
        sets["plates"] = sets.pop("plates_us_eu_br") + _samples(load_labelled(words / "plates_argentina.tar", charset))
    stills: list[Sample] = []
    for name in TEACHER_STILLS:
        if recipe.teacher and (recipe.teacher / name / "crops.tar").is_file():
            crops = load_teacher(recipe.teacher / name, charset, CropLimits(), part="validation")
            stills += [trimmed(crop) for crop in crops]
    if stills:
        sets["teacher_stills"] = stills
    if recipe.teacher and (recipe.teacher / "clips" / "crops.tar").is_file():
        limits = replace(CropLimits(), max_repeats=VALIDATION.clip_repeats)
        sets["teacher_clips"] = [
            trimmed(crop) for crop in load_teacher(recipe.teacher / "clips", charset, limits, part="all")
        ]
    found = {
        name: ValidationSet(samples, without_round_letters if name == "plates" else letters_and_digits)
        for name, samples in sets.items()
    }
    if recipe.fonts and recipe.fonts.is_file():
        lines = subtitles(recipe.data, FontLibrary.read(recipe.fonts), charset)
        found |= {name: ValidationSet(samples, exact) for name, samples in lines.items()}
    return found


def subtitles(data: Path, library: FontLibrary, charset: Charset) -> dict[str, list[Sample]]:
    """Return generated subtitle lines through H.264; sentences that the generator does not use, always the same."""
    rng = random.Random("subtitles")
    fonts = sorted(path for path in library.text_fonts if path.name in SUBTITLE_FONTS)
    backgrounds = Backgrounds(data / "backgrounds", rng, procedural=VALIDATION.procedural_share)
    sets: dict[str, list[Sample]] = {}
    for name, languages in SUBTITLE_LINES.items():
        texts = []
        for language in languages:
            path = data / "text" / f"captions_{language}.txt"
            kept = sentences(path)[-SPLITS.caption_sentences :] if path.is_file() else []
            texts += [_line(text) for text in kept[: SUBTITLE_COUNT[name] // len(languages)]]
        covered = [text for text in texts if charset.covers(text)]
        if fonts and covered:
            sets[name] = render(covered, fonts, backgrounds, rng)
    return sets


def without_round_letters(text: str) -> str:
    """Return letters and digits with O as 0: the labels of plates use either for the other."""
    return letters_and_digits(text).replace("o", "0")


def figures(net: nn.Module, charset: Charset, sets: Mapping[str, ValidationSet]) -> dict[str, float]:
    """Return the share of each set that is read right, and their ``mean``, which decides."""
    shares = {name: accuracy(net, charset, part.samples, part.key) for name, part in sets.items()}
    return shares | {"mean": sum(shares.values()) / max(1, len(shares))}


def _samples(crops: Sequence[RealCrop]) -> list[Sample]:
    return [Sample(crop.image, crop.text) for crop in crops]


def _line(sentence: str) -> str:
    """Return the first words of a sentence, as many as a subtitle line holds."""
    words, line = sentence.split(), ""
    for word in words:
        if len(line) + len(word) + 1 > VALIDATION.max_line_characters:
            break
        line = f"{line} {word}".strip()
    return line or sentence[: VALIDATION.max_line_characters]
