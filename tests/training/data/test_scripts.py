import random
from pathlib import Path

import numpy as np
import pytest

from stream_ocr.training.data import scripts
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.compositing import column
from stream_ocr.training.data.corpus import Corpus
from stream_ocr.training.data.fonts import BUILT_IN
from stream_ocr.training.data.scene_images import Scenes
from stream_ocr.training.data.scripts import OtherScripts, find_script_fonts
from stream_ocr.training.data.thresholds import SceneRecipe


def test_scripts_list_common_letters_first() -> None:
    by_language = {script.language: script for script in scripts.scripts()}
    assert {"的", "一", "是"} <= set(by_language["zh-cn"].letters)
    assert len(by_language["zh-cn"].letters) == 3755, "the first level of GB 2312"
    assert len(by_language["ko"].letters) == 2350, "KS X 1001"
    assert all(len(letter.encode()) > 1 for letter in by_language["ru"].letters)


@pytest.mark.parametrize("script", scripts.scripts(), ids=lambda script: script.language)
def test_scripts_draw_texts_of_about_the_requested_length(script: scripts.Script) -> None:
    others = OtherScripts({script.language: [BUILT_IN]}, random.Random(1))
    for length in (1, 2, 9, 30):
        text = others.text(script, length)
        assert 1 <= len(text) <= length
        assert text == text.strip()


def test_scripts_are_empty_without_fontconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_script_fonts() == {}
    assert not OtherScripts({}, random.Random(0))


def test_scripts_take_one_font_of_each_family_first() -> None:
    paths = [Path(f"/fonts/{name}.ttf") for name in ("One-Bold", "One-Italic", "Two-Bold", "Three-Bold")]
    assert [p.stem for p in scripts._spread(paths)] == ["One-Bold", "Three-Bold", "Two-Bold", "One-Italic"]


def test_scenes_are_labelled_in_every_script() -> None:
    fonts = find_script_fonts()
    if not fonts:
        pytest.skip("no fonts of other scripts here")
    rng = random.Random(3)
    recipe, others = SceneRecipe(other_script_share=1.0), OtherScripts(fonts, random.Random(4))
    maker = Scenes([BUILT_IN], Corpus(None, rng), Backgrounds(None, rng), rng, others=others, recipe=recipe)
    made = [maker.make() for _ in range(6)]
    assert sum(len(scene.quads) for scene in made) > 6
    assert all(np.isfinite(scene.quads).all() for scene in made)


def test_script_columns_are_as_tall_as_their_characters() -> None:
    block = column("ABCD", BUILT_IN, 24.0, gap=0.2, pad=6)
    (quad,) = block.quads
    rows, columns = np.nonzero(block.mask > 60)
    low, high = quad.min(axis=0), quad.max(axis=0)
    np.testing.assert_allclose([columns.min(), rows.min()], low, atol=2.5)
    np.testing.assert_allclose([columns.max() + 1, rows.max() + 1], high, atol=2.5)
    assert high[1] - low[1] > 3 * (high[0] - low[0])


def test_scripts_written_from_top_to_bottom_are_few() -> None:
    assert not OtherScripts({"ru": [BUILT_IN]}, random.Random(0)).has_columns
    others = OtherScripts({"ru": [BUILT_IN], "ja": [BUILT_IN]}, random.Random(0))
    assert others.has_columns
    text, font = others.column()
    assert font == BUILT_IN
    assert all(ord(letter) > 0x3000 for letter in text)
