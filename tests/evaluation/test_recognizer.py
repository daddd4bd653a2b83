import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SourceError
from stream_ocr.evaluation import recognizer as evaluate
from stream_ocr.evaluation.recognizer import Case
from stream_ocr.models.recognition.ctc import Decoded

OWN = Settings.load(overrides=["models=builtin"])


def word(text: str) -> bytes:
    font = ImageFont.load_default(40)
    picture = Image.new("L", (int(font.getlength(text)) + 16, 56), 30)
    ImageDraw.Draw(picture).text((8, 4), text, 230, font)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    for name, text in (("a/1.png", "STATION"), ("a/2.png", "12:45")):
        (tmp_path / name).write_bytes(word(text))
    (tmp_path / "labels.tsv").write_text("a/1.png\tStation\na/2.png\t12:45\na/missing.png\tgone\n")
    return tmp_path


def test_crops_of_a_folder_and_of_a_tar_are_the_same(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "set.tar"
    with tarfile.open(archive, "w") as tar:
        for name in ("labels.tsv", "a/1.png", "a/2.png"):
            tar.add(folder / name, name)
    from_folder, from_tar = (
        {t: c for c, t in evaluate.crops(folder)},
        {t: c for c, t in evaluate.crops(archive)},
    )
    assert list(from_folder) == list(from_tar) == ["Station", "12:45"]
    assert all(np.array_equal(from_folder[text], from_tar[text]) for text in from_folder)


def test_case_counts_only_where_exactness_is_asked_for(folder: Path) -> None:
    report = evaluate.recognizer(folder, OWN)
    assert report.crops == 2
    assert report.alphanumeric == 1.0
    assert report.exact <= 0.5
    assert 0 < report.character_error_rate < 1
    assert report.lines().startswith("2 crops: 100.0% right")


def test_what_is_no_set_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="labels"):
        list(evaluate.crops(tmp_path))
    with pytest.raises(SourceError, match="neither"):
        list(evaluate.crops(tmp_path / "missing"))


def case(true: str, read: str, confidence: float = 1.0) -> Case:
    return Case(np.zeros((20, 60), np.uint8), true, Decoded(read, confidence, (confidence,) * len(read)))


def test_edits_are_counted_and_told_apart() -> None:
    report = evaluate.report([case("kitten", "sitting"), case("O2", "02"), case("abc", "ac")], 0.3)
    assert report.character_error_rate == pytest.approx((3 + 1 + 1) / 11)
    assert report.milliseconds == pytest.approx(100)
    assert set(report.confusions) == {("k", "s", 1), ("e", "i", 1), ("∅", "g", 1), ("O", "0", 1), ("b", "∅", 1)}
    assert json.loads(json.dumps(report.values()))["crops"] == 3


def test_calibration_error_is_the_mean_gap_between_confidence_and_truth() -> None:
    half_right = [case("a", "a", 0.75), case("a", "b", 0.75)] * 2
    assert evaluate.report(half_right, 1).calibration_error == pytest.approx(0.25)
    honest = [case("a", "a", 0.75)] * 3 + [case("a", "b", 0.75)]
    assert evaluate.report(honest, 1).calibration_error == pytest.approx(0)
    apart = [case("a", "a", 0.2), case("a", "b", 1.0)]  # do not even out
    assert evaluate.report(apart, 1).calibration_error == pytest.approx(0.9)


def test_characters_are_right_where_they_stand_in_the_text() -> None:
    misread = [case("abcd", "abxd", 0.75)]
    assert evaluate.report(misread, 1).character_calibration_error == pytest.approx(0)
    assert evaluate.report(misread, 1).calibration_error == pytest.approx(0.75**4)


def test_the_surest_mistakes_are_shown() -> None:
    right, wrong = case("a", "a"), case("a", "b")
    assert evaluate.report([right], 1).sheet().shape[2] == 3
    assert evaluate.report([right], 1).sheet().max() == 0
    assert evaluate.report([right, wrong], 1).sheet().max() > 0
