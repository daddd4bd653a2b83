import json
import tarfile
from pathlib import Path

import cv2
import numpy as np

from stream_ocr.core.geometry import rectangle
from stream_ocr.evaluation.datasets import load_labelled_images
from stream_ocr.training.data.detector_sets import (
    Lines,
    build,
    is_kept_aside,
    merged_words,
    people_first,
    teacher_and_words,
)
from stream_ocr.training.data.thresholds import FilmRecipe

WORD, SMALL = rectangle(0, 0, 50, 20), rectangle(0, 60, 40, 8)


def test_detector_sets_keep_whole_runs_of_neighbours_for_validation() -> None:
    aside = [i for i in range(100) if is_kept_aside(i)]
    assert aside == [*range(40, 50), *range(90, 100)]


def test_detector_sets_ignore_what_only_the_teacher_finds() -> None:
    merged = people_first(Lines([WORD], []), Lines([WORD + 1, SMALL], []))
    assert len(merged.quads) == len(merged.ignored) == 1
    np.testing.assert_allclose(merged.ignored[0], SMALL)


def test_detector_sets_merge_words_into_lines() -> None:
    (line,) = merged_words(Lines([WORD, WORD + [60, 0]], []), Lines([], [])).quads
    np.testing.assert_allclose(line, rectangle(0, 0, 110, 20))


def test_detector_sets_add_labelled_words_that_the_teacher_missed() -> None:
    merged = teacher_and_words(Lines([WORD, SMALL], []), Lines([WORD], [rectangle(200, 0, 9, 9)]))
    assert len(merged.quads) == 2
    assert len(merged.ignored) == 1


def test_detector_sets_are_built_from_archives_and_teacher_lists(tmp_path: Path) -> None:
    no_film = FilmRecipe(clips={})
    names = [f"{i:02d}.jpg" for i in range(50)]
    truth = "".join(json.dumps({"image": n, "quads": [WORD.tolist()], "texts": ["a"]}) + "\n" for n in names)
    pictures = tmp_path / "td500_train"
    pictures.mkdir()
    for name in names:
        cv2.imwrite(str(pictures / name), np.zeros((80, 80, 3), np.uint8))
    (pictures / "truth.jsonl").write_text(truth)
    for kind, name in (("detection", "td500_train"), ("unlabelled", "tvnews")):
        (tmp_path / "data" / kind).mkdir(parents=True)
        with tarfile.open(tmp_path / "data" / kind / f"{name}.tar", "w") as tar:
            for path in pictures.iterdir():
                if kind == "detection" or path.suffix == ".jpg":
                    tar.add(path, path.name)
    teacher = tmp_path / "teacher"
    assert build(tmp_path / "out", tmp_path / "data", teacher, no_film) == {
        "train/td500_train": 40,
        "validation/td500_train": 10,
    }

    (teacher / "tvnews").mkdir(parents=True)
    (teacher / "tvnews/truth.part.jsonl").write_text(truth)
    counts = build(tmp_path / "out", tmp_path / "data", teacher, no_film)
    assert counts["train/tvnews"] == 40
    first = load_labelled_images(tmp_path / "out/validation/tvnews.jsonl")[0]
    assert first.image.resolve() == (tmp_path / "out/pictures/tvnews/40.jpg").resolve()
    assert first.image.is_file()
