from pathlib import Path
from typing import Any

import pytest
import yaml

from stream_ocr.errors import SettingsError
from stream_ocr.models.recognition.charset import DEFAULT, EUROPEAN
from stream_ocr.models.recognition.crnn import CRNN
from stream_ocr.models.recognition.residual_crnn import ResidualCRNN
from stream_ocr.training.recognizer_recipe import read_recipe

CONFIGS = Path(__file__).parents[2] / "configs/train"


def changed(folder: Path, **values: Any) -> Path:
    shipped = yaml.safe_load((CONFIGS / "recognizer-base.yaml").read_text())
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(shipped | values))
    return path


@pytest.mark.parametrize("name", ["recognizer", "recognizer-base"])
def test_recognizer_recipes_of_the_repository_are_valid(name: str) -> None:
    recipe = read_recipe(CONFIGS / f"{name}.yaml")
    is_base = name == "recognizer-base"
    assert isinstance(recipe.make_net(), ResidualCRNN if is_base else CRNN)
    assert recipe.charset is (EUROPEAN if is_base else DEFAULT)
    assert (recipe.schedule.core_hours is None) == is_base


def test_recognizer_recipe_names_mistakes(tmp_path: Path) -> None:
    schedule = yaml.safe_load((CONFIGS / "recognizer-base.yaml").read_text())["schedule"]
    with pytest.raises(SettingsError, match="sped"):
        read_recipe(changed(tmp_path, schedule=schedule | {"sped": 1}))
    with pytest.raises(SettingsError, match=r"lacks the keys \['clip'\]"):
        read_recipe(changed(tmp_path, schedule={k: v for k, v in schedule.items() if k != "clip"}))
    with pytest.raises(SettingsError, match="charset is 'cyrillic'; choose one of default, european"):
        read_recipe(changed(tmp_path, charset="cyrillic"))


def test_recognizer_recipe_accepts_fp32_and_bf16(tmp_path: Path) -> None:
    assert read_recipe(changed(tmp_path, dtype="bf16")).uses_bf16()
    assert not read_recipe(changed(tmp_path, dtype="fp32")).uses_bf16()
