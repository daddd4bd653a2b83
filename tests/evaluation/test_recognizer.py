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
from stream_ocr.models.recognition.calibration import text_confidence
from stream_ocr.models.recognition.ctc import Decoded

OWN = Settings.load(overrides=["models=builtin"])


def render_word(text: str) -> bytes:
    font = ImageFont.load_default(40)
    image = Image.new("L", (int(font.getlength(text)) + 16, 56), 30)
    ImageDraw.Draw(image).text((8, 4), text, 230, font)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    for name, text in (("a/1.png", "STATION"), ("a/2.png", "12:45")):
        (tmp_path / name).write_bytes(render_word(text))
    (tmp_path / "labels.tsv").write_text("a/1.png\tStation\na/2.png\t12:45\na/missing.png\tgone\n")
    return tmp_path


def test_load_labelled_crops_reads_the_same_from_a_folder_and_a_tar(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "set.tar"
    with tarfile.open(archive, "w") as tar:
        for name in ("labels.tsv", "a/1.png", "a/2.png"):
            tar.add(folder / name, name)
    from_folder, from_tar = (
        {t: c for c, t in evaluate.load_labelled_crops(folder)},
        {t: c for c, t in evaluate.load_labelled_crops(archive)},
    )
    assert list(from_folder) == list(from_tar) == ["Station", "12:45"]
    assert all(np.array_equal(from_folder[text], from_tar[text]) for text in from_folder)


def test_evaluate_recognizer_reports_alphanumeric_and_exact_accuracy(folder: Path) -> None:
    report = evaluate.evaluate_recognizer(folder, OWN)
    assert report.crops == 2
    assert report.alphanumeric == 1.0
    assert report.exact <= 0.5
    assert 0 < report.character_error_rate < 1
    assert report.as_text().startswith("2 crops: 100.0% right")


def test_load_labelled_crops_raises_source_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="labels"):
        list(evaluate.load_labelled_crops(tmp_path))
    with pytest.raises(SourceError, match="neither"):
        list(evaluate.load_labelled_crops(tmp_path / "missing"))


def case(true: str, read: str, confidence: float = 1.0) -> Case:
    return Case(np.zeros((20, 60), np.uint8), true, Decoded(read, confidence, (confidence,) * len(read)))


def test_make_report_counts_edits_and_confusions() -> None:
    report = evaluate.make_report([case("kitten", "sitting"), case("O2", "02"), case("abc", "ac")], 0.3)
    assert report.character_error_rate == pytest.approx((3 + 1 + 1) / 11)
    assert report.milliseconds == pytest.approx(100)
    assert set(report.confusions) == {("k", "s", 1), ("e", "i", 1), ("∅", "g", 1), ("O", "0", 1), ("b", "∅", 1)}
    assert json.loads(json.dumps(report.to_dict()))["crops"] == 3


def test_calibration_error_is_the_mean_gap_between_confidence_and_accuracy() -> None:
    half_right = [case("a", "a", 0.75), case("a", "b", 0.75)] * 2
    assert evaluate.make_report(half_right, 1).calibration_error == pytest.approx(0.25)
    honest = [case("a", "a", 0.75)] * 3 + [case("a", "b", 0.75)]
    assert evaluate.make_report(honest, 1).calibration_error == pytest.approx(0)
    apart = [case("a", "a", 0.2), case("a", "b", 1.0)]  # do not even out
    assert evaluate.make_report(apart, 1).calibration_error == pytest.approx(0.9)


def test_character_calibration_error_follows_the_alignment() -> None:
    misread = [case("abcd", "abxd", 0.75)]
    assert evaluate.make_report(misread, 1).character_calibration_error == pytest.approx(0)
    assert evaluate.make_report(misread, 1).calibration_error == pytest.approx(text_confidence((0.75,) * 4))


def test_calibration_errors_ignore_the_case_that_many_labels_lack() -> None:
    report = evaluate.make_report([case("İSTANBUL", "İstanbul!", 1.0)], 1)
    assert report.exact == report.calibration_error == 0
    assert report.character_calibration_error == pytest.approx(1 / 9), "the exclamation mark alone is wrong"


def test_contact_sheet_shows_errors_only() -> None:
    right, wrong = case("a", "a"), case("a", "b")
    assert evaluate.make_report([right], 1).contact_sheet().shape[2] == 3
    assert evaluate.make_report([right], 1).contact_sheet().max() == 0
    assert evaluate.make_report([right, wrong], 1).contact_sheet().max() > 0
