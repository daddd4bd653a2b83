"""Two states of one net, and what lies between them."""

from pathlib import Path

import pytest
import torch

from stream_ocr.errors import WeightsError
from stream_ocr.models import weights
from stream_ocr.training import average_weights


def saved(folder: Path, values: list[float], steps: int, **facts: object) -> Path:
    state = {"weight": torch.tensor(values), "batches": torch.tensor(steps)}
    weights.save("net", state, {"kind": "recognizer", "recipe": {"steps": steps}, **facts}, folder)
    return folder


def test_average_weights_saves_the_mean_with_both_recipes(tmp_path: Path) -> None:
    before = saved(tmp_path / "before", [1.0, 2.0], 10, figures={"made_up": 0.5})
    after = saved(tmp_path / "after", [3.0, -2.0], 20, figures={"made_up": 0.6}, calibration={"temperature": 2.0})
    average_weights.main("net", before, after, tmp_path / "mean")
    entry, state = weights.load_net("net", tmp_path / "mean")
    assert state["weight"].tolist() == [2.0, 0.0]
    assert state["batches"] == 20
    assert entry["recipe"] == {"steps": 20}
    assert entry["begun_from"]["recipe"] == {"steps": 10}
    assert not {"figures", "calibration"} & set(entry)


def test_average_weights_refuses_nets_of_two_shapes(tmp_path: Path) -> None:
    before, after = saved(tmp_path / "before", [1.0], 1), saved(tmp_path / "after", [1.0, 2.0], 1)
    with pytest.raises(WeightsError, match="another shape"):
        average_weights.main("net", before, after, tmp_path / "mean")
