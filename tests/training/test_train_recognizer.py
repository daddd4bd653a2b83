from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from stream_ocr.evaluation.recognition_metrics import accuracy, letters_and_digits
from stream_ocr.models import weights
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.crnn import CRNN, normalise
from stream_ocr.training.train_recognizer import ctc_loss, main, one_cycle, read_recipe, update_average

SHIPPED = Path(__file__).parents[2] / "configs/train/recognizer.yaml"


def write_config(folder: Path, **changes: Any) -> Path:
    values = yaml.safe_load(SHIPPED.read_text())
    values |= {
        "output": str(folder / "run"),
        "weights": str(folder / "weights"),
        "minutes": None,
        "steps": 6,
        "dtype": "float32",
        "channels": [8] * 7,
        "hidden": 8,
        "batch": 4,
        "words": "nowhere.txt",
        "greys": "nowhere.txt",
        "backgrounds": "nowhere",
        "real_crops": ["nowhere.tar"],
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values | changes))
    return path


def test_a_run_without_any_data_gives_weights_that_load_and_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = main(write_config(tmp_path))
    assert exported.is_file()
    entry, state = weights.load_net("recognizer-small", tmp_path / "weights")
    CRNN(len(Charset(entry["charset"])), **entry["parameters"]).load_state_dict(state)
    assert entry["recipe"]["samples"] == 24
    assert "made-up stand-ins" in capsys.readouterr().out

    first = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
    main(write_config(tmp_path, steps=8), resume=True)
    second = torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)
    assert (first["step"], second["step"]) == (6, 8)
    assert second["samples"] == 32
    assert second["spent_s"] > first["spent_s"]
    assert second["optimiser"]["state"][0]["step"] == 8
    assert "resumed at step 6" in capsys.readouterr().out


def test_wrong_keys_and_budgets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sped"):
        read_recipe(write_config(tmp_path, sped=1))
    with pytest.raises(ValueError, match="minutes or in steps"):
        read_recipe(write_config(tmp_path, minutes=5))
    assert read_recipe(write_config(tmp_path), minutes=0.5).steps is None


def test_the_shipped_recipe_is_valid() -> None:
    assert read_recipe(SHIPPED).minutes


def test_learning_rate_rises_then_falls() -> None:
    rates = [one_cycle(part, 0.1) for part in np.linspace(0, 1, 101)]
    assert max(rates) == pytest.approx(1.0, abs=0.01)
    assert int(np.argmax(rates)) == 10
    assert rates[0] < 0.05
    assert rates[-1] < 0.02


def test_a_text_too_long_for_its_picture_does_not_poison_the_loss() -> None:
    logits_TBC = torch.zeros(4, 2, 5, requires_grad=True)
    loss = ctc_loss(logits_TBC, [[1, 2], [1, 1, 1, 1]])
    loss.backward()
    assert torch.isfinite(loss)
    assert logits_TBC.grad is not None
    assert torch.isfinite(logits_TBC.grad).all()


def test_the_average_follows_the_net() -> None:
    net, averaged = CRNN(5, (4,) * 7, 4), CRNN(5, (4,) * 7, 4)
    before = averaged.classify.weight.clone()
    update_average(averaged, net, 0.75)
    assert torch.allclose(averaged.classify.weight, 0.75 * before + 0.25 * net.classify.weight, atol=1e-6)


def test_the_loop_s_parts_learn_one_picture_by_heart() -> None:
    torch.manual_seed(0)
    charset = Charset("ab")
    image = np.full((32, 48), 40, np.uint8)
    image[8:24, 8:14] = 250
    image[12:20, 28:40] = 220
    net = CRNN(len(charset), (8,) * 7, 16)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2)
    for _ in range(60):
        loss = ctc_loss(net(normalise(image[None].repeat(2, axis=0))), [charset.encode("ab")] * 2)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.5


def test_comparison_of_words() -> None:
    assert letters_and_digits("It's 5-A") == "its5a"
    assert accuracy(CRNN(3, (4,) * 7, 4), Charset("ab"), []) == 0
