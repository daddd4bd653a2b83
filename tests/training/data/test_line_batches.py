import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stream_ocr.errors import SettingsError
from stream_ocr.models.recognition.charset import EUROPEAN, Charset
from stream_ocr.models.recognition.input_sizes import HEIGHT, WIDTHS
from stream_ocr.training.data.fonts import BUILT_IN
from stream_ocr.training.data.line_batches import DataRecipe, LineBatches, load_real, missing_data
from stream_ocr.training.data.real_crops import RealCrop


@pytest.fixture
def recipe(tmp_path: Path) -> DataRecipe:
    (tmp_path / "fonts.json").write_text(json.dumps([[str(BUILT_IN), "text", "", False]]))
    return DataRecipe(
        data=tmp_path,
        teacher=tmp_path,
        fonts=tmp_path / "fonts.json",
        labelled_sets=("nowhere",),
        teacher_sets=("elsewhere",),
        relabelled_sets=(),
        real_share=0.0,
        codec_share=0.3,
        line_share=0.3,
        easy_samples=1,
        batch=8,
        batch_width_px=192,
        min_batch=2,
    )


def test_line_batches_have_one_width_and_fewer_samples_the_wider_they_are(recipe: DataRecipe) -> None:
    batches = LineBatches(recipe, EUROPEAN, [], "0")
    for _ in range(40):
        images_BHW, texts = batches.next(1000)
        count, height, width = images_BHW.shape
        assert images_BHW.dtype == np.uint8
        assert height == HEIGHT
        assert width in WIDTHS
        assert count == len(texts) == max(2, min(8, round(8 * 192 / width)))
        assert all(EUROPEAN.covers(text) for text in texts)


def test_line_batches_contain_the_share_of_real_crops(recipe: DataRecipe) -> None:
    crop = RealCrop(np.tile(np.arange(100, dtype=np.uint8), (30, 1)), "§real§")
    batches = LineBatches(replace(recipe, real_share=0.5), EUROPEAN, [crop], "0")
    texts = [text for _ in range(60) for text in batches.next(1000)[1]]
    assert 0.3 < texts.count("§real§") / len(texts) < 0.7


def test_line_batches_depend_on_the_seed(recipe: DataRecipe) -> None:
    first, again, other = (LineBatches(recipe, EUROPEAN, [], seed).next(1000) for seed in ("a", "a", "b"))
    assert first[1] == again[1]
    assert np.array_equal(first[0], again[0])
    assert first[1] != other[1]


def test_line_batches_contain_only_texts_of_the_charset(recipe: DataRecipe) -> None:
    digits = Charset("0123456789")
    _, texts = LineBatches(replace(recipe, line_share=0), digits, [], "0").next(1000)
    assert all(text.isdigit() for text in texts)


def test_line_batches_name_missing_data(recipe: DataRecipe, tmp_path: Path) -> None:
    assert load_real(recipe, EUROPEAN) == {}
    missing = missing_data(recipe, [])
    assert missing[-2:] == ["nowhere", "teacher_elsewhere"]
    assert str(tmp_path / "backgrounds") in missing


def test_line_batches_name_the_remedy_for_a_missing_list_of_fonts(recipe: DataRecipe, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none.json is missing; write it with python -m .*font_library"):
        LineBatches(replace(recipe, fonts=tmp_path / "none.json"), EUROPEAN, [], "0")
