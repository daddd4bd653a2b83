import io
import json
import random
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream_ocr.models.recognition.charset import EUROPEAN
from stream_ocr.models.recognition.input_sizes import HEIGHT, WIDTHS
from stream_ocr.training.data.real_crops import (
    CropLimits,
    RealCrop,
    RealCrops,
    load_labelled,
    load_teacher,
    trimmed,
    varied,
)
from stream_ocr.training.data.thresholds import SPLITS

SHARED = Path(__file__).parents[3] / "../shared/data/words"


def write_tar(path: Path, files: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def picture(height: int = 40, width: int = 120) -> bytes:
    image = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def teacher_set(folder: Path, rows: list[dict[str, object]]) -> Path:
    labels = "".join(f"{row['file']}\t{row['text']}\n" for row in rows)
    details = "".join(json.dumps(row) + "\n" for row in rows)
    files = {"labels.tsv": labels.encode(), "crops.jsonl": details.encode()}
    write_tar(folder / "crops.tar", files | {str(row["file"]): picture() for row in rows})
    return folder


def test_real_crops_split_a_set_by_number(tmp_path: Path) -> None:
    first = SPLITS.first_crop["iiit5k_train"]
    names = [f"{i:05d}.jpg" for i in range(first - 2, first + 3)]
    labels = "\n".join(f"{name}\t{name[:5]}" for name in names).encode()
    write_tar(tmp_path / "iiit5k_train.tar", {"labels.tsv": labels} | dict.fromkeys(names, picture()))
    training = {crop.text for crop in load_labelled(tmp_path / "iiit5k_train.tar", EUROPEAN)}
    kept = {crop.text for crop in load_labelled(tmp_path / "iiit5k_train.tar", EUROPEAN, validation=True)}
    assert training == {"01598", "01599"}
    assert kept == {"01600", "01601", "01602"}


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_real_crops_of_training_and_validation_do_not_overlap() -> None:
    for name in SPLITS.first_crop:
        archive = SHARED / f"{name}.tar"
        parts = [load_labelled(archive, EUROPEAN, validation=validation) for validation in (False, True)]
        assert all(len(part) > 300 for part in parts)


def test_real_crops_of_a_teacher_are_split_by_picture_with_limited_repeats(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"file": f"{i}.png", "image": f"{i % 40}.jpg", "text": f"t{i}", "confidence": 0.95, "spaces": []}
        for i in range(80)
    ]
    rows += [
        {"file": f"c{i}.png", "image": "0.jpg", "text": "LIVE", "confidence": 0.95, "spaces": []} for i in range(9)
    ]
    rows += [{"file": "low.png", "image": "1.jpg", "text": "low", "confidence": 0.5, "spaces": []}]
    folder, limits = teacher_set(tmp_path / "posters", rows), CropLimits(max_repeats=3)
    training = load_teacher(folder, EUROPEAN, limits)
    kept = load_teacher(folder, EUROPEAN, limits, part="validation")
    whole = load_teacher(folder, EUROPEAN, limits, part="all")
    assert {crop.text for crop in training}.isdisjoint(crop.text for crop in kept)
    assert len(training) + len(kept) == len(whole) == 83
    assert not any(crop.text == "low" for crop in whole)


def test_real_crops_cut_words_out_of_a_line_at_its_spaces() -> None:
    image = np.zeros((32, 300), np.uint8)
    image[:, :100], image[:, 100:200], image[:, 200:] = 50, 100, 150
    crop = RealCrop(image, "a b c", spaces=(1 / 3, 2 / 3))
    greys = {"a": 50, "b": 100, "c": 150}
    rng, seen = random.Random(0), set()
    for _ in range(200):
        part, text = varied(crop, rng)
        assert set(np.unique(part).tolist()) == {greys[word] for word in text.split(" ")}
        seen.add(text)
    assert {"a", "b", "c", "a b", "a b c"} <= seen


def test_real_crops_trim_the_margin() -> None:
    image = np.zeros((64, 200), np.uint8)  # a line of 40 pixels with 12 round it
    image[12:52, 12:188] = 255
    tight = trimmed(RealCrop(image, "x", margin=0.3), 0.0)
    assert tight.image.shape == (40, 176)
    assert tight.image.min() == 255


def test_real_crops_fit_the_net() -> None:
    crops = RealCrops([RealCrop(np.full((20, 90), 90, np.uint8), "word", 0.5, 0.3)], random.Random(1))
    for _ in range(50):
        image, text = crops.sample()
        assert text == "word"
        assert image.shape[0] == HEIGHT
        assert image.shape[1] in WIDTHS
