from pathlib import Path

import pytest
import torch

from stream_ocr import weights
from stream_ocr.detection.dbnet import DBNet
from stream_ocr.errors import SettingsError
from stream_ocr.training.fonts import BUILT_IN
from stream_ocr.training.train_detector import Config, load_config, main, parameter_groups, schedule


def tiny(folder: Path, minutes: float) -> Config:
    return Config(
        name="tiny",
        folder=folder / "run",
        weights=folder / "weights",
        minutes=minutes,
        fonts=(BUILT_IN,),
        first_pictures=4,
        pictures_per_step=0.1,
        crop=96,
        batch=2,
        validation_pictures=2,
    )


def test_a_short_run_exports_loadable_weights_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    lines: list[str] = []
    figures = main(tiny(tmp_path, 0.001), lines.append)
    assert set(figures) == {"P", "R", "F", "score"}
    entry, state = weights.load_net("tiny", tmp_path / "weights")
    assert entry["kind"] == "detector"
    assert entry["preprocessing"]["shrink"] == 0.6
    DBNet(**entry["parameters"]).load_state_dict(state)

    first = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
    lines.clear()
    main(tiny(tmp_path, first["spent_s"] / 60 + 0.01), lines.append)
    second = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
    assert lines[0].startswith(f"goes on at step {first['step']},")
    assert second["step"] > first["step"]
    assert second["spent_s"] > first["spent_s"]
    assert list((tmp_path / "run").glob("seen-*.jpg"))


def test_the_configuration_that_ships_is_valid() -> None:
    config = load_config(Path(__file__).parents[2] / "configs/train/detector.yaml")
    assert config.backbone == "small"
    assert config.scales == (0.4, 1.6)


def test_mistakes_in_a_configuration_are_named(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("name: x\nminutes: 1\nlerning_rate: 1\n")
    with pytest.raises(SettingsError, match=r"lerning_rate.*folder"):
        load_config(path)


def test_the_learning_rate_rises_in_steps_and_falls_with_the_time() -> None:
    assert schedule(0, 60, 0.0) == pytest.approx(1 / 60)
    assert schedule(1000, 60, 0.0) == pytest.approx(1.0)
    assert schedule(1000, 60, 0.5) == pytest.approx(0.505)
    assert schedule(1000, 60, 1.2) == pytest.approx(0.01)


def test_norms_and_biases_do_not_decay() -> None:
    kernels, rest = parameter_groups(DBNet("small"), 0.01)
    assert kernels["weight_decay"] == 0.01
    assert rest["weight_decay"] == 0.0
    assert all(p.ndim == 1 for p in rest["params"])
