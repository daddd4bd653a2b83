import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from stream_ocr.models.recognition.charset import Charset
from stream_ocr.training.data.line_batches import DataRecipe
from stream_ocr.training.optimisation import LearningRate
from stream_ocr.training.recognizer_export import export_weights
from stream_ocr.training.recognizer_recipe import Recipe, Schedule
from stream_ocr.training.recognizer_run import Counters, Run, begin, ctc_loss
from stream_ocr.training.snapshots import IN_TRAINING

RATE = LearningRate(1e-2, warm_up_steps=5)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    schedule = Schedule(1, 1, 1e-2, 5, 0.0, 5.0, 0.9, 60, 60)
    data = DataRecipe(data=tmp_path, batch=2, batch_width_px=48, min_batch=2, line_share=0, easy_samples=1)
    net = {"channels": [8] * 7, "hidden": 16}
    return Recipe("tiny", tmp_path / "run", schedule, data, "crnn", net, Charset("ab"), dtype="fp32")


def learn(run: Run, steps: int, rate: LearningRate = RATE) -> list[float]:
    """Take steps with one image of "ab"; return the losses."""
    image = np.full((32, 48), 40, np.uint8)
    image[8:24, 8:14] = 250
    image[12:20, 28:40] = 220
    return [run.take_step(image[None].repeat(2, axis=0), ["ab", "ab"], rate) for _ in range(steps)]


def test_recognizer_run_learns_one_image(recipe: Recipe, tmp_path: Path) -> None:
    run = begin(recipe, tmp_path)
    assert learn(run, 60)[-1] < 0.5
    assert run.counters == Counters(step=60, samples=120)
    assert run.average.n_averaged == 60


def test_recognizer_run_continues_from_exported_weights_with_a_similar_loss(recipe: Recipe, tmp_path: Path) -> None:
    run = begin(recipe, tmp_path)
    first = learn(run, 60)[0]
    export_weights(run, {}, tmp_path / "snapshots", IN_TRAINING, lambda _: None)
    averaged = run.average.module.train()
    run.net.load_state_dict(averaged.state_dict())
    (before,) = learn(run, 1, LearningRate(1e-9, 1))
    continued = begin(recipe, tmp_path / "new", tmp_path / "snapshots")
    assert continued.counters == Counters(step=60, samples=120, begun_at=60)
    rate = LearningRate(1e-2, warm_up_steps=5, begun_at=60)
    after = learn(continued, 5, rate)
    assert after[0] == pytest.approx(before, abs=0.01 * first)  # fp16 on disk
    assert max(after) < before + 0.05 * first


def test_recognizer_run_restores_an_older_checkpoint(recipe: Recipe, tmp_path: Path) -> None:
    run = begin(recipe, tmp_path)
    learn(run, 3)
    run.save(tmp_path)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    counters = {"step": 3, "samples": 6, "core_s": 1.5, "validated_core_s": 0.0}
    del saved["begun_from"]
    torch.save(
        saved | {"counters": counters, "scheduler": {}, "rng": torch.get_rng_state()}, tmp_path / "checkpoint.pt"
    )
    restored = begin(recipe, tmp_path)
    assert dataclasses.asdict(restored.counters) == counters | {"begun_at": 0}
    assert learn(restored, 1) == pytest.approx(learn(run, 1))


def test_recognizer_run_ignores_a_text_too_long_for_its_image() -> None:
    logits_TBC = torch.zeros(4, 2, 5, requires_grad=True)
    loss = ctc_loss(logits_TBC, [[1, 2], [1, 1, 1, 1]])
    loss.backward()
    assert torch.isfinite(loss)
    assert logits_TBC.grad is not None
    assert torch.isfinite(logits_TBC.grad).all()
