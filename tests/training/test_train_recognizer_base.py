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
import yaml

from stream_ocr.models import builtin, weights
from stream_ocr.training.data.fonts import BUILT_IN
from stream_ocr.training.train_recognizer_base import CHECKPOINT, CURVE, NAME, anneal, read_recipe, train

SHIPPED = Path(__file__).parents[2] / "configs/train/recognizer-base.yaml"
NET = {"stem": [8, 8], "stages": [[8, 1], [8, 1], [8, 1]], "columns": 8, "hidden": 8}


def write_config(folder: Path) -> Path:
    values = yaml.safe_load(SHIPPED.read_text())
    values |= {"output": str(folder / "run"), "net": NET}
    values["data"] |= {"data": str(folder), "teacher": str(folder), "fonts": str(folder / "fonts.json")}
    values["data"] |= {"batch": 4, "min_batch": 2}
    values["schedule"] |= {"warm_up_steps": 3, "checkpoint_every_s": 0.5}
    (folder / "fonts.json").write_text(json.dumps([[str(BUILT_IN), "text", "", False]]))
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_run_resumes_with_all_its_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = read_recipe(write_config(tmp_path))
    first = train(recipe, resume=True, core_hours=None, max_steps=5)
    with pytest.raises(FileExistsError, match="--resume"):
        train(recipe, resume=False, core_hours=None, max_steps=6)
    second = train(recipe, resume=True, core_hours=None, max_steps=8)
    assert f"resumed at {first.samples} samples" in capsys.readouterr().out
    assert (first.step, second.step) == (5, 8)
    assert second.samples > first.samples
    assert second.core_s > first.core_s
    saved = torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)
    assert saved["average"]["n_averaged"] == 8
    assert saved["optimiser"]["state"][0]["step"] == 8
    assert saved["optimiser"]["param_groups"][0]["lr"] == pytest.approx(recipe.schedule.peak_rate)
    rows = [json.loads(line) for line in (tmp_path / "run" / CURVE).read_text().splitlines()]
    assert [row["samples"] for row in rows] == [first.samples, second.samples]


def test_annealing_keeps_the_checkpoint_and_exports_weights_that_load(tmp_path: Path) -> None:
    recipe = read_recipe(write_config(tmp_path))
    train(recipe, resume=True, core_hours=None, max_steps=4)
    before = (tmp_path / "run" / CHECKPOINT).read_bytes()
    path = anneal(recipe, 3)
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == before
    entry = weights.manifest(path.parent)[NAME]
    assert entry["architecture"] == "residual-crnn"
    _, net = builtin.load_net(NAME, path.parent)
    with torch.inference_mode():
        p_BTC = net(torch.zeros(2, 1, 32, 64))
    assert p_BTC.shape == (2, 16, len(entry["charset"]) + 1)
    torch.testing.assert_close(p_BTC.sum(dim=2), torch.ones(2, 16))


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    recipe = read_recipe(write_config(tmp_path))
    import fcntl

    recipe.output.mkdir()
    with (recipe.output / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            train(recipe, resume=True, core_hours=None, max_steps=1)


@pytest.mark.slow
def test_a_killed_run_continues_from_its_last_checkpoint(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    module = "stream_ocr.training.train_recognizer_base"
    process = subprocess.Popen([sys.executable, "-m", module, str(config), "--resume"], stdout=subprocess.DEVNULL)
    checkpoint = tmp_path / "run" / CHECKPOINT
    deadline = time.monotonic() + 90
    while not checkpoint.is_file() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    step = torch.load(checkpoint, weights_only=True)["counters"]["step"]
    state = train(read_recipe(config), resume=True, core_hours=None, max_steps=step + 2)
    assert state.step == step + 2


def test_wrong_keys_are_refused(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    values = yaml.safe_load(config.read_text())
    values["schedule"]["sped"] = 1
    config.write_text(yaml.safe_dump(values))
    with pytest.raises(ValueError, match="sped"):
        read_recipe(config)


def test_the_shipped_recipe_is_valid() -> None:
    recipe = read_recipe(SHIPPED)
    assert replace(recipe.data, batch=1).batch == 1
