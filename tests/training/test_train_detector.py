from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stream_ocr.errors import SettingsError, WeightsError
from stream_ocr.models import weights
from stream_ocr.models.detection.dbnet import DBNet
from stream_ocr.training.data.fonts import BUILT_IN
from stream_ocr.training.detector_config import Config, load_config
from stream_ocr.training.train_detector import main, parameter_groups, schedule


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


def dates(folder: Path) -> dict[str, int]:
    return {f"{file}": file.stat().st_mtime_ns for file in folder.rglob("*.jpg") if not file.match("seen-*")}


def test_a_short_run_exports_loadable_weights_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    lines: list[str] = []
    figures = main(tiny(tmp_path, 0.001), lines.append)
    assert set(figures) == {"P", "R", "F", "F_iou", "box_thresh"}
    entry, state = weights.load_net("tiny", tmp_path / "weights")
    assert entry["kind"] == "detector"
    assert entry["preprocessing"]["shrink"] == 0.6
    assert "word crops" not in entry["data"]
    DBNet(**entry["parameters"]).load_state_dict(state)

    first = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
    lines.clear()
    main(tiny(tmp_path, first["spent_s"] / 60 + 0.03), lines.append)
    second = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
    assert lines[0].startswith(f"goes on at step {first['step']},")
    assert second["step"] > first["step"]
    assert second["spent_s"] > first["spent_s"]
    assert list((tmp_path / "run").glob("seen-*.jpg"))


def test_a_run_begins_with_exported_weights_and_with_the_pictures_in_its_folder(tmp_path: Path) -> None:
    lines: list[str] = []
    first = tiny(tmp_path, 0.001)
    main(first, lines.append)
    begun, before = weights.load_net("tiny", tmp_path / "weights")
    further = replace(first, weights=tmp_path / "further", learning_rate=1e-9)
    (first.folder / "checkpoint.pt").unlink()
    drawn = dates(first.folder)
    lines.clear()
    main(further, lines.append, start_from=tmp_path / "weights")
    entry, after = weights.load_net("tiny", tmp_path / "further")
    assert lines[0].startswith("4 pictures,")
    assert drawn
    assert drawn.items() <= dates(first.folder).items(), "none was drawn anew"
    assert entry["begun_from"]["sha256"] == begun["sha256"]
    torch.testing.assert_close(after["probability.out.weight"], before["probability.out.weight"], atol=1e-3, rtol=0)

    with pytest.raises(WeightsError, match=r"no detector with the backbone resnet18"):
        main(replace(further, backbone="resnet18", folder=tmp_path / "other"), start_from=tmp_path / "weights")


@pytest.mark.parametrize("name", ["detector", "detector-further"])
def test_the_configurations_that_ship_are_valid(name: str) -> None:
    config = load_config(Path(__file__).parents[2] / f"configs/train/{name}.yaml")
    assert config.backbone == "small"
    assert config.scales == (0.4, 1.6)
    assert all(isinstance(archive, Path) for archive in config.real_words)


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
