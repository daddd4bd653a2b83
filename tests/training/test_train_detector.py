import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stream_ocr.errors import SettingsError, WeightsError
from stream_ocr.models import weights
from stream_ocr.models.detection.dbnet import DBNet
from stream_ocr.training.data.fonts import BUILT_IN
from stream_ocr.training.detector_config import Config, load_config
from stream_ocr.training.detector_pieces import Pieces
from stream_ocr.training.detector_run import Counters
from stream_ocr.training.run_folder import exported_curve
from stream_ocr.training.snapshots import ANNEALED, IN_TRAINING
from stream_ocr.training.train_detector import anneal, export, train

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


def test_train_detector_exports_loadable_weights(tmp_path: Path) -> None:
    figures = train(tiny(tmp_path), lambda _: None)
    assert set(figures) == {"P", "R", "F", "F_iou", "box_thresh"}
    entry, saved = weights.load_net("tiny", tmp_path / "weights")
    assert entry["kind"] == "detector"
    assert entry["preprocessing"]["shrink"] == 0.6
    assert "word crops" not in entry["data"]
    DBNet(**entry["parameters"]).load_state_dict(saved)
    assert list((tmp_path / "run").glob("seen-*.jpg"))


def test_train_detector_in_two_parts_gives_the_same_weights(tmp_path: Path) -> None:
    whole, parted = (replace(tiny(tmp_path / n, steps=6), pictures_per_step=0) for n in ("whole", "parted"))
    train(whole, lambda _: None)
    train(replace(parted, steps=3), lambda _: None)
    lines: list[str] = []
    train(parted, lines.append)
    assert lines[0].startswith("continued at step 3,")
    one, two = state(whole.folder), state(parted.folder)
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, msg=name)


def test_train_detector_loses_only_steps_after_the_checkpoint_on_kill_9(tmp_path: Path) -> None:
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
    train(replace(load_config(config), steps=step + 1, validation_pictures=2), lines.append)
    assert lines[0].startswith(f"continued at step {step},")
    curve = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    assert [row["step"] for row in curve] == sorted({row["step"] for row in curve})


def test_train_detector_starts_from_finished_weights_and_existing_pictures(tmp_path: Path) -> None:
    first = replace(tiny(tmp_path), anneal_steps=2)
    train(first, lambda _: None)
    begun, before = weights.load_net("tiny", tmp_path / "weights")
    further = replace(first, weights=tmp_path / "further", learning_rate=1e-9)
    (first.folder / "checkpoint.pt").unlink()
    drawn = {file: file.stat().st_mtime_ns for file in (first.folder / "pool").glob("*.jpg")}
    train(further, lambda _: None, start_from=tmp_path / "weights")
    entry, after = weights.load_net("tiny", tmp_path / "further")
    assert all(file.stat().st_mtime_ns == date for file, date in drawn.items()), "none was drawn anew"
    assert entry["begun_from"]["sha256"] == begun["sha256"]
    torch.testing.assert_close(after["probability.out.weight"], before["probability.out.weight"], atol=1e-3, rtol=0)

    with pytest.raises(WeightsError, match=r"no detector with the backbone resnet18"):
        train(replace(further, backbone="resnet18", folder=tmp_path / "other"), start_from=tmp_path / "weights")


def test_train_detector_anneals_a_copy(tmp_path: Path) -> None:
    config = replace(tiny(tmp_path), steps=2)
    train(config, lambda _: None)
    before = {f: f.read_bytes() for f in sorted((tmp_path / "run").rglob("*")) if f.is_file()}
    path = anneal(config, 2, tmp_path / "annealed", lambda _: None)
    assert path.is_file()
    assert before == {f: f.read_bytes() for f in sorted((tmp_path / "run").rglob("*")) if f.is_file()}
    assert torch.load(tmp_path / "annealed/checkpoint.pt", weights_only=True)["step"] == 4
    assert weights.manifest(path.parent)["tiny"]["training"]["state"] == ANNEALED
    again: list[str] = []
    anneal(config, 2, tmp_path / "annealed", again.append)
    assert again[0].startswith("continued at step 4,"), "an annealing that was over is not begun anew"


def test_train_detector_continues_from_exported_weights(tmp_path: Path) -> None:
    config, snapshot = replace(tiny(tmp_path), steps=4), tmp_path / "snapshots"
    train(config, lambda _: None)
    export(config, snapshot, lambda _: None)
    training = weights.manifest(snapshot)["tiny"]["training"]
    assert (training["state"], training["step"], training["crops"]) == (IN_TRAINING, 4, 8)
    assert exported_curve("tiny", snapshot).is_file()

    elsewhere = replace(config, folder=tmp_path / "elsewhere", steps=6)
    lines: list[str] = []
    train(elsewhere, lines.append, start_from=snapshot)
    assert lines[0].startswith("continued at step 4,")
    saved = torch.load(elsewhere.folder / "checkpoint.pt", weights_only=True)
    assert (saved["step"], saved["crops"], saved["begun_at"]) == (6, 12, 4)
    assert saved["average"]["n_averaged"] == 6
    rows = [json.loads(line) for line in (elsewhere.folder / "curve.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "validation" in row] == [4, 4, 6]


def test_train_detector_does_not_generate_pictures_of_earlier_steps_again(tmp_path: Path) -> None:
    config = replace(tiny(tmp_path), pictures_per_step=1)
    pieces = Pieces(config, Counters(step=1000, begun_at=1000, pictures=1004))
    assert len(pieces.pool) == config.first_pictures
    pieces.batch(1002, torch.device("cpu"))
    assert len(pieces.pool) == config.first_pictures + 2


@pytest.mark.parametrize("name", ["detector", "detector-base"])
def test_detector_configurations_of_the_repository_are_valid(name: str) -> None:
    config = load_config(CONFIGS / f"{name}.yaml")
    assert all(isinstance(archive, Path) for archive in config.real_words)
    assert all(isinstance(path, Path) for path in config.real_pictures)


def test_detector_configuration_names_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("name: x\nsteps: 1\nlerning_rate: 1\n")
    with pytest.raises(SettingsError, match=r"lerning_rate.*folder"):
        load_config(path)
