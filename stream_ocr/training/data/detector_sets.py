"""Build the detector's training and validation sets of real pictures.

``python -m stream_ocr.training.data.detector_sets OUT --data ../shared/data --teacher FOLDER``. Idempotent: run it
again when the teacher has labelled more. Writes ``OUT/train/NAME.jsonl`` and ``OUT/validation/NAME.jsonl`` (see
``evaluation.datasets``), with paths of pictures relative to them. The data stay outside the repository.

Neighbours in a list often show one scene, so whole runs of pictures are kept aside, not single ones. Truth made by
people comes first; what only the teacher finds there is ignored in training, since people leave small text unlabelled.
"""

import argparse
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from stream_ocr.evaluation.datasets import LabelledImage, load_labelled_images
from stream_ocr.training.data.text_lines import lines_of_words, uncovered
from stream_ocr.training.data.thresholds import FILM, SPLITS, FilmRecipe


@dataclass(frozen=True)
class Lines:
    """True quads of a picture, and its "don't care" regions."""

    quads: list[np.ndarray]
    ignored: list[np.ndarray]


Merge = Callable[[Lines, Lines], Lines]
"""Combines the truth made by people and the teacher's lines into training lines."""


def people_first(truth: Lines, teacher: Lines) -> Lines:
    """Keep the truth; ignore what only the teacher finds."""
    others = uncovered([*teacher.quads, *teacher.ignored], [*truth.quads, *truth.ignored])
    return Lines(truth.quads, [*truth.ignored, *others])


def merged_words(truth: Lines, teacher: Lines) -> Lines:
    """Merge words to lines, then as ``people_first``."""
    return people_first(Lines(lines_of_words(truth.quads), truth.ignored), teacher)


def teacher_and_words(truth: Lines, teacher: Lines) -> Lines:
    """Take the teacher's lines, and labelled words that it misses."""
    missed = lines_of_words(uncovered(truth.quads, [*teacher.quads, *teacher.ignored]))
    return Lines([*teacher.quads, *missed], teacher.ignored)


PEOPLE: dict[str, Merge] = {
    "td500_train": people_first,
    "icdar03_train": merged_words,
    "svt_train_partial": teacher_and_words,
}
TEACHER = ("tvnews", "facades", "posters", "packages", "screens", "cars")
VALIDATED = ("td500_train", "icdar03_train", "tvnews", "facades", "posters", "packages", "screens")
"""Sets of which a part is kept aside; the others are too small or too partly labelled."""


def is_kept_aside(index: int) -> bool:
    """Return True if the picture with that index in its sorted set belongs to validation."""
    return index // SPLITS.pictures_per_run % SPLITS.every_run == SPLITS.every_run - 1


def build(out: Path, data: Path, teacher: Path, film: FilmRecipe = FILM) -> dict[str, int]:
    """Write every set for which there is truth; returns the numbers of pictures by file."""
    counts: dict[str, int] = {}
    for archive in [*data.glob("detection/*.tar"), *data.glob("unlabelled/*.tar")]:
        folder = out / "pictures" / archive.stem
        if not folder.is_dir():
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
    for name, merge in PEOPLE.items():
        folder = out / "pictures" / name
        if folder.is_dir():
            truth, taught = _by_name(folder / "truth.jsonl"), taught_by(teacher, name)
            # What people did not label must not teach that it is none: without the teacher a partial set is left out.
            usable = {n: t for n, t in truth.items() if name != "svt_train_partial" or n in taught}
            merged = {n: merge(t, taught.get(n, Lines([], []))) for n, t in usable.items()}
            counts |= _write(out, name, folder, with_large(merged, out, name), truth)
    for name in TEACHER:
        folder, taught = out / "pictures" / name, with_large(taught_by(teacher, name), out, name)
        if folder.is_dir() and taught:
            counts |= _write(out, name, folder, taught, taught)
    for part in film.clips:
        counts[f"{part}/film"] = _write_film(out, part, data / "clips", film)
    return counts


def taught_by(teacher: Path, name: str) -> dict[str, Lines]:
    """Return the teacher's lines of a set by the name of the image; empty while there are none."""
    for file in (teacher / name / "truth.jsonl", teacher / name / "truth.part.jsonl"):
        if file.is_file():
            return _by_name(file)
    return {}


def with_large(pictures: dict[str, Lines], out: Path, name: str) -> dict[str, Lines]:
    """Add large text that only ``coarse_teacher`` has found, where it has looked."""
    file = out / "coarse" / f"{name}.jsonl"
    coarse = _by_name(file) if file.is_file() else {}
    added = dict(pictures)
    for image in pictures.keys() & coarse.keys():
        known = [*pictures[image].quads, *pictures[image].ignored]
        quads = uncovered(coarse[image].quads, known)
        ignored = uncovered(coarse[image].ignored, [*known, *quads])
        added[image] = Lines([*pictures[image].quads, *quads], [*pictures[image].ignored, *ignored])
    return added


def _by_name(truth: Path) -> dict[str, Lines]:
    return {picture.image.name: _lines(picture) for picture in load_labelled_images(truth)}


def _lines(picture: LabelledImage) -> Lines:
    pairs = list(zip(picture.quads, picture.cares, strict=True))
    return Lines([q for q, cares in pairs if cares], [q for q, cares in pairs if not cares])


def _write(
    out: Path, name: str, folder: Path, training: dict[str, Lines], validation: dict[str, Lines]
) -> dict[str, int]:
    """Write training (lines to learn from) and validation (the truth as given)."""
    aside = {
        path.name
        for i, path in enumerate(sorted(p for p in folder.iterdir() if p.suffix in (".jpg", ".png")))
        if name in VALIDATED and is_kept_aside(i)
    }
    parts = {
        "train": [(folder / n, lines) for n, lines in sorted(training.items()) if n not in aside],
        "validation": [(folder / n, lines) for n, lines in sorted(validation.items()) if n in aside],
    }
    return {f"{part}/{name}": _write_list(out / part / f"{name}.jsonl", rows) for part, rows in parts.items() if rows}


def _write_list(path: Path, rows: Iterable[tuple[Path, Lines]]) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = [
        {
            "image": os.path.relpath(image, path.parent),
            "quads": [quad.round(1).tolist() for quad in lines.quads],
            "ignored": [quad.round(1).tolist() for quad in lines.ignored],
        }
        for image, lines in rows
    ]
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    temporary.replace(path)
    return len(entries)


def _write_film(out: Path, part: str, clips: Path, film: FilmRecipe) -> int:
    folder, rows = out / "pictures" / f"film_{part}", []
    folder.mkdir(parents=True, exist_ok=True)
    for name, (start_s, end_s) in film.clips[part].items():
        for path in clips.glob(f"{name}.*"):
            if path.suffix != ".json":
                for time_s, picture in stills(path, start_s, end_s, film.interval_s):
                    image = folder / f"{name}-{time_s:06.2f}.jpg"
                    if not image.is_file():
                        cv2.imwrite(str(image), picture, [cv2.IMWRITE_JPEG_QUALITY, film.jpeg_quality])
                    rows.append((image, Lines([], [])))
    return _write_list(out / part / "film.jsonl", rows)


def stills(
    clip: Path, start_s: float, end_s: float, every_s: float = FILM.interval_s
) -> Iterator[tuple[float, np.ndarray]]:
    """Yield times and (H, W, 3) BGR pictures of a clip."""
    with av.open(str(clip)) as container:
        next_s = start_s
        for frame in container.decode(video=0):
            time_s = float(frame.time or 0.0)
            if time_s >= end_s:
                return
            if time_s >= next_s:
                next_s += every_s
                yield time_s, frame.to_ndarray(format="bgr24")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the detector's sets of real pictures.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--teacher", type=Path, required=True, help="folder of SET/truth.jsonl")
    options = parser.parse_args()
    for name, count in sorted(build(options.out, options.data, options.teacher).items()):
        print(f"{name}: {count}")
