import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from stream_ocr.errors import SettingsError, WeightsError
from stream_ocr.models import builtin, weights
from stream_ocr.training.data.fonts import BUILT_IN
from stream_ocr.training.recognizer_recipe import Recipe, read_recipe
from stream_ocr.training.run_folder import CHECKPOINT, CURVE, exported_curve, locked
from stream_ocr.training.snapshots import ANNEALED, IN_TRAINING
from stream_ocr.training.train_recognizer import anneal, export, train

SHIPPED = Path(__file__).parents[2] / "configs/train/recognizer-base.yaml"
NAME = "recognizer-base"
NET = {"stem": [8, 8], "stages": [[8, 1], [8, 1], [8, 1]], "columns": 8, "hidden": 8}


def write_config(folder: Path, **schedule: Any) -> Path:
    values = yaml.safe_load(SHIPPED.read_text())
    values |= {"output": str(folder / "run"), "net": NET, "dtype": "fp32"}
    values["data"] |= {"data": str(folder), "teacher": str(folder), "fonts": str(folder / "fonts.json")}
    values["data"] |= {"batch": 4, "min_batch": 2}
    values["schedule"] |= {"warm_up_steps": 3, "checkpoint_every_s": 0.5, **schedule}
    (folder / "fonts.json").write_text(json.dumps([[str(BUILT_IN), "text", "", False]]))
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def recipe_in(folder: Path, **schedule: Any) -> Recipe:
    return read_recipe(write_config(folder, **schedule))


def quiet(_: str) -> None:
    pass


def counters_of(folder: Path) -> dict[str, Any]:
    saved: dict[str, Any] = torch.load(folder / CHECKPOINT, weights_only=True)["counters"]
    return saved


def test_train_recognizer_starts_and_resumes_with_the_same_call(tmp_path: Path) -> None:
    recipe, lines = recipe_in(tmp_path), list[str]()
    first = train(recipe, quiet, steps=5).counters
    second = train(recipe, lines.append, steps=8).counters
    assert f"begins at step 5, {first.samples} samples" in lines[0]
    assert "not here, trained without" in lines[2]
    assert (first.step, second.step) == (5, 8)
    assert second.samples > first.samples
    assert second.core_s > first.core_s
    saved = torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)
    assert saved["average"]["n_averaged"] == 8
    assert saved["optimiser"]["state"][0]["step"] == 8
    assert saved["optimiser"]["param_groups"][0]["lr"] == pytest.approx(recipe.schedule.peak_rate)
    rows = [json.loads(line) for line in (tmp_path / "run" / CURVE).read_text().splitlines()]
    assert [row["samples"] for row in rows] == [first.samples, second.samples]


def test_train_recognizer_anneals_a_copy_and_exports_loadable_weights(tmp_path: Path) -> None:
    recipe = recipe_in(tmp_path)
    train(recipe, quiet, steps=4)
    before = (tmp_path / "run" / CHECKPOINT).read_bytes()
    path = anneal(recipe, 3, report=quiet)
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == before
    assert counters_of(path.parent)["step"] == 7
    entry = weights.manifest(path.parent)[NAME]
    assert entry["architecture"] == "residual-crnn"
    assert (entry["training"]["state"], entry["training"]["step"]) == (ANNEALED, 7)
    _, net = builtin.load_net(NAME, path.parent)
    with torch.inference_mode():
        p_BTC = net(torch.zeros(2, 1, 32, 64))
    assert p_BTC.shape == (2, 16, len(entry["charset"]) + 1)
    torch.testing.assert_close(p_BTC.sum(dim=2), torch.ones(2, 16))


def test_train_recognizer_resumes_an_interrupted_annealing(tmp_path: Path) -> None:
    recipe, into = recipe_in(tmp_path), tmp_path / "annealed"
    train(recipe, quiet, steps=3)
    anneal(recipe, 2, into, quiet)
    train(recipe, quiet, steps=6)
    anneal(recipe, 4, into, quiet)
    assert counters_of(into)["step"] == 7, "it began at step 3, not at step 6"


def test_train_recognizer_anneals_at_the_end_of_the_recipe(tmp_path: Path) -> None:
    recipe = recipe_in(tmp_path, core_hours=1e-9, anneal_steps=2)
    run = train(recipe, quiet)
    train(recipe, quiet, steps=run.counters.step)
    (annealed,) = (tmp_path / "run").glob("annealed-*")
    assert counters_of(annealed)["step"] == run.counters.step + 2
    assert NAME in weights.manifest(annealed)


def test_train_recognizer_continues_from_exported_weights(tmp_path: Path) -> None:
    recipe, snapshot = recipe_in(tmp_path), tmp_path / "snapshots"
    lost = train(recipe, quiet, steps=6)
    export(recipe, snapshot, quiet)
    entry = weights.manifest(snapshot)[NAME]
    assert (entry["training"]["state"], entry["training"]["step"]) == (IN_TRAINING, 6)

    elsewhere = dataclasses.replace(recipe, output=tmp_path / "elsewhere")
    found = train(elsewhere, quiet, start_from=snapshot, steps=8)
    assert found.counters.step == 8
    assert found.counters.samples > lost.counters.samples
    assert found.counters.core_s > lost.counters.core_s - 0.1  # rounded in the manifest
    assert found.counters.begun_at == 6, "the rate warms up again, for the optimiser begins without moments"
    assert found.average.n_averaged == 8
    assert found.begun_from == {}, "it is the same run"
    rows = [json.loads(line) for line in (elsewhere.output / CURVE).read_text().splitlines()]
    assert [row["step"] for row in rows] == [6, 6, 8], "the rows of the lost run, of the export and of this one"
    again = train(elsewhere, quiet, start_from=snapshot, steps=9)
    assert (again.counters.step, again.counters.begun_at) == (9, 6), "the checkpoint comes before exported weights"


def test_train_recognizer_starts_a_new_run_from_finished_weights(tmp_path: Path) -> None:
    recipe = recipe_in(tmp_path)
    train(recipe, quiet, steps=3)
    finished = anneal(recipe, 2, report=quiet).parent
    further = train(dataclasses.replace(recipe, output=tmp_path / "further"), quiet, start_from=finished, steps=2)
    assert further.counters.step == 2
    assert further.begun_from["sha256"] == weights.manifest(finished)[NAME]["sha256"]
    with pytest.raises(WeightsError, match="does not fit the recipe's net"):
        train(
            dataclasses.replace(recipe, output=tmp_path / "other", net=NET | {"hidden": 12}),
            quiet,
            start_from=finished,
        )


def test_train_recognizer_refuses_an_export_without_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="start the training first"):
        export(recipe_in(tmp_path), tmp_path / "snapshots", quiet)
    assert not exported_curve(NAME, tmp_path / "snapshots").exists()


def test_train_recognizer_refuses_a_second_process(tmp_path: Path) -> None:
    recipe = recipe_in(tmp_path)
    with locked(recipe.output), pytest.raises(SettingsError, match="another process trains into"):
        train(recipe, quiet, steps=1)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_train_recognizer_continues_from_the_last_checkpoint_after_kill_9(
    tmp_path: Path, number: signal.Signals
) -> None:
    config = write_config(tmp_path)
    command = [sys.executable, "-m", "stream_ocr.training.train_recognizer", str(config)]
    checkpoint = tmp_path / "run" / CHECKPOINT
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 90
        while not checkpoint.is_file() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        os.kill(process.pid, number)
    assert process.returncode == (-number if number == signal.SIGKILL else 0)
    step = counters_of(tmp_path / "run")["step"]
    assert train(read_recipe(config), quiet, steps=step + 2).counters.step == step + 2
