import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from stream_ocr.errors import SettingsError, WeightsError
from stream_ocr.models import weights
from stream_ocr.models.detection.dbnet import DBNet
from stream_ocr.training.data.fonts import BUILT_IN
from stream_ocr.training.detector_config import Config, load_config
from stream_ocr.training.detector_run import begin, parameter_groups, rate_share
from stream_ocr.training.train_detector import cool_down, main

CONFIGS = Path(__file__).parents[2] / "configs/train"


def tiny(folder: Path, steps: int = 3) -> Config:
    return Config(
        name="tiny",
        folder=folder / "run",
        weights=folder / "weights",
        steps=steps,
        fonts=(BUILT_IN,),
        first_pictures=4,
        pictures_per_step=0.1,
        crop=96,
        batch=2,
        validation_pictures=2,
        checkpoint_steps=1,
    )


def state(folder: Path) -> dict[str, torch.Tensor]:
    saved: dict[str, torch.Tensor] = torch.load(folder / "checkpoint.pt", weights_only=True)["average"]
    return saved


def test_a_short_run_exports_loadable_weights(tmp_path: Path) -> None:
    figures = main(tiny(tmp_path), lambda _: None)
    assert set(figures) == {"P", "R", "F", "F_iou", "box_thresh"}
    entry, saved = weights.load_net("tiny", tmp_path / "weights")
    assert entry["kind"] == "detector"
    assert entry["preprocessing"]["shrink"] == 0.6
    assert "word crops" not in entry["data"]
    DBNet(**entry["parameters"]).load_state_dict(saved)
    assert list((tmp_path / "run").glob("seen-*.jpg"))


def test_a_run_in_two_parts_comes_to_the_same_as_in_one(tmp_path: Path) -> None:
    whole, parted = (replace(tiny(tmp_path / n, steps=6), pictures_per_step=0) for n in ("whole", "parted"))
    main(whole, lambda _: None)
    main(replace(parted, steps=3), lambda _: None)
    lines: list[str] = []
    main(parted, lines.append)
    assert lines[0].startswith("goes on at step 3,")
    one, two = state(whole.folder), state(parted.folder)
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, msg=name)


def test_kill_9_loses_nothing_but_the_steps_after_the_checkpoint(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    folder = tmp_path / "run"
    config.write_text(
        f"name: tiny\nfolder: {folder}\nweights: {tmp_path}/weights\nsteps: 100000\nfonts: [built-in]\n"
        "first_pictures: 4\npictures_per_step: 0.5\ncrop: 96\nbatch: 2\ncheckpoint_steps: 2\n"
    )
    command = [sys.executable, "-m", "stream_ocr.training.train_detector", str(config)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env) as run:
        while not (folder / "checkpoint.pt").exists() and run.poll() is None:
            time.sleep(0.05)
        time.sleep(0.5)
        run.send_signal(signal.SIGKILL)
    step = torch.load(folder / "checkpoint.pt", weights_only=True)["step"]
    assert step >= 2
    lines: list[str] = []
    main(replace(load_config(config), steps=step + 1, validation_pictures=2), lines.append)
    assert lines[0].startswith(f"goes on at step {step},")
    curve = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    assert [row["step"] for row in curve] == sorted({row["step"] for row in curve})


def test_a_run_begins_with_exported_weights_and_with_the_pictures_in_its_folder(tmp_path: Path) -> None:
    first = tiny(tmp_path)
    main(first, lambda _: None)
    begun, before = weights.load_net("tiny", tmp_path / "weights")
    further = replace(first, weights=tmp_path / "further", learning_rate=1e-9)
    (first.folder / "checkpoint.pt").unlink()
    drawn = {file: file.stat().st_mtime_ns for file in (first.folder / "pool").glob("*.jpg")}
    main(further, lambda _: None, start_from=tmp_path / "weights")
    entry, after = weights.load_net("tiny", tmp_path / "further")
    assert all(file.stat().st_mtime_ns == date for file, date in drawn.items()), "none was drawn anew"
    assert entry["begun_from"]["sha256"] == begun["sha256"]
    torch.testing.assert_close(after["probability.out.weight"], before["probability.out.weight"], atol=1e-3, rtol=0)

    with pytest.raises(WeightsError, match=r"no detector with the backbone resnet18"):
        main(replace(further, backbone="resnet18", folder=tmp_path / "other"), start_from=tmp_path / "weights")


def test_a_cool_down_trains_a_copy_and_leaves_the_run_alone(tmp_path: Path) -> None:
    config = replace(tiny(tmp_path), steps=2)
    main(config, lambda _: None)
    before = {f: f.read_bytes() for f in sorted((tmp_path / "run").rglob("*")) if f.is_file()}
    figures = cool_down(config, 2, tmp_path / "cool", lambda _: None)
    assert figures
    assert before == {f: f.read_bytes() for f in sorted((tmp_path / "run").rglob("*")) if f.is_file()}
    assert torch.load(tmp_path / "cool/checkpoint.pt", weights_only=True)["step"] == 4
    assert "tiny" in weights.manifest(tmp_path / "cool/weights")
    again: list[str] = []
    cool_down(config, 2, tmp_path / "cool", again.append)
    assert again[0].startswith("goes on at step 4,"), "a cool-down that was over is not begun anew"


@pytest.mark.parametrize("name", ["detector", "detector-further", "detector-base"])
def test_the_configurations_that_ship_are_valid(name: str) -> None:
    config = load_config(CONFIGS / f"{name}.yaml")
    assert all(isinstance(archive, Path) for archive in config.real_words)
    assert all(isinstance(path, Path) for path in config.real_pictures)


def test_mistakes_in_a_configuration_are_named(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("name: x\nsteps: 1\nlerning_rate: 1\n")
    with pytest.raises(SettingsError, match=r"lerning_rate.*folder"):
        load_config(path)


def test_the_rate_rises_stays_and_comes_down() -> None:
    def share(step: int, cooldown_steps: int = 100) -> float:
        return rate_share(step, warm_up_steps=60, steps=1000, cooldown_steps=cooldown_steps)

    assert share(0) == pytest.approx(1 / 60)
    assert share(500) == share(900) == 1.0
    assert share(925) == pytest.approx(0.5)
    assert share(1000) == 0.0
    assert share(1000, cooldown_steps=0) == 1.0


def test_the_average_is_a_running_mean_of_weights_and_statistics(tmp_path: Path) -> None:
    run = begin(replace(tiny(tmp_path), average=0.9), torch.device("cpu"))
    assert isinstance(run.average, AveragedModel)
    name = "probability.out.bias"
    seen = []
    for value in range(200):
        with torch.no_grad():
            run.net.get_parameter(name).fill_(value)
            run.net.get_buffer("probability.hidden.1.num_batches_tracked").fill_(value)
        run.average.update_parameters(run.net)
        seen.append(value)
    weights_of = 0.9 ** np.arange(200)[::-1]
    expected = float((weights_of * seen).sum() / weights_of.sum())
    assert run.averaged_state()[name].mean().item() == pytest.approx(expected, abs=0.5)
    assert run.averaged_state()["probability.hidden.1.num_batches_tracked"].item() == 199


def test_norms_and_biases_do_not_decay() -> None:
    kernels, rest = parameter_groups(DBNet("small"), 0.01)
    assert kernels["weight_decay"] == 0.01
    assert rest["weight_decay"] == 0.0
    assert all(p.ndim == 1 for p in rest["params"])
