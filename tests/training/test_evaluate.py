import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from stream_ocr.errors import SourceError
from stream_ocr.settings import Settings
from stream_ocr.training import evaluate

OWN = Settings.load(overrides=["models=own"])


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
    assert report.line().startswith("2 crops: 100.0% right")


def test_what_is_no_set_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="labels"):
        list(evaluate.crops(tmp_path))
    with pytest.raises(SourceError, match="neither"):
        list(evaluate.crops(tmp_path / "missing"))


@pytest.mark.parametrize(("a", "b", "edits"), [("", "", 0), ("abc", "abc", 0), ("kitten", "sitting", 3), ("", "ab", 2)])
def test_edits_are_counted(a: str, b: str, edits: int) -> None:
    assert evaluate.distance(a, b) == evaluate.distance(b, a) == edits
