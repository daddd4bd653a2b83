"""Train `recognizer-base`, for hours and over many sessions.

``python -m stream_ocr.training.train_recognizer_base CONFIG --resume`` continues from the last checkpoint, or starts.
The learning rate is constant after the warm-up, so a run has no planned end; weights for use come from a short
annealing phase (``--anneal STEPS``) that starts from the checkpoint, leaves it as it is, and exports its result.
``curve.jsonl`` in the output folder has a row for each validation.
"""

import argparse
import fcntl
import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import ConstantLR, LinearLR, LRScheduler, SequentialLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from stream_ocr.evaluation.recognition_metrics import read
from stream_ocr.models import weights
from stream_ocr.models.devices import computes_bf16
from stream_ocr.models.recognition.charset import EUROPEAN
from stream_ocr.models.recognition.crnn import normalise
from stream_ocr.models.recognition.input_sizes import ASPECT, HEIGHT, WIDTHS
from stream_ocr.models.recognition.residual_crnn import ResidualCRNN
from stream_ocr.training.data.line_batches import LineBatches, load_real
from stream_ocr.training.fit_temperature import best_temperature
from stream_ocr.training.recognizer_recipe import BaseRecipe, Schedule, read_recipe
from stream_ocr.training.recognizer_sets import ValidationSet, figures, load_sets
from stream_ocr.training.train_recognizer import ctc_loss, save_checkpoint

CHECKPOINT, CURVE = "checkpoint.pt", "curve.jsonl"
NAME = "recognizer-base"
_LOG_EVERY_S = 60
_LICENCE = "Apache-2.0 for the weights; the real crops behind them are research data sets under their own terms"


class TrainingState:
    """The net, its average, the optimiser and the counters: everything that a checkpoint holds."""

    def __init__(self, recipe: BaseRecipe) -> None:
        schedule = recipe.schedule
        torch.manual_seed(schedule.seed)
        self.net = ResidualCRNN(len(EUROPEAN), **recipe.net)
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = AveragedModel(self.net, multi_avg_fn=_ema(schedule.average_decay), use_buffers=True)
        self.optimiser = torch.optim.AdamW(
            _parameter_groups(self.net, schedule.weight_decay), lr=schedule.peak_rate, betas=(0.9, 0.98), fused=True
        )
        self.scheduler: LRScheduler = SequentialLR(
            self.optimiser,
            [
                LinearLR(self.optimiser, 0.02, 1.0, schedule.warm_up_steps),
                ConstantLR(self.optimiser, 1.0, 1),
            ],
            [schedule.warm_up_steps],
        )
        self.step, self.samples, self.core_s, self.validated_core_s = 0, 0, 0.0, 0.0
        self._computes_bf16 = bool(computes_bf16("cpu"))

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds."""
        return {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "rng": torch.get_rng_state(),
            "counters": {
                "step": self.step,
                "samples": self.samples,
                "core_s": self.core_s,
                "validated_core_s": self.validated_core_s,
            },
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Restore a checkpoint."""
        self.net.load_state_dict(saved["net"])
        self.average.load_state_dict(saved["average"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.scheduler.load_state_dict(saved["scheduler"])
        torch.set_rng_state(saved["rng"])
        counters = saved["counters"]
        self.step, self.samples, self.core_s = counters["step"], counters["samples"], counters["core_s"]
        self.validated_core_s = counters.get("validated_core_s", 0.0)

    def train_step(self, images_BHW: np.ndarray, texts: list[str], schedule: Schedule) -> float:
        """Take one step of the optimiser and update the average; return the loss."""
        x_B1HW = normalise(images_BHW).contiguous(memory_format=torch.channels_last)
        self.net.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._computes_bf16):
            logits_TBC = self.net(x_B1HW)
        loss = ctc_loss(logits_TBC, [EUROPEAN.encode(text) for text in texts])
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), schedule.clip)
        self.optimiser.step()
        self.scheduler.step()
        self.step, self.samples = self.step + 1, self.samples + len(texts)
        decay = min(schedule.average_decay, (1 + self.step) / (10 + self.step))
        self.average.multi_avg_fn = _ema(decay)
        self.average.update_parameters(self.net)
        return float(loss.item())


def train(recipe: BaseRecipe, *, resume: bool, core_hours: float | None, max_steps: int | None = None) -> TrainingState:
    """Train until so many core-hours have been spent in all, so many steps taken, or SIGTERM arrives."""
    torch.set_num_threads(recipe.schedule.threads)
    cv2.setNumThreads(1)
    checkpoint = recipe.output / CHECKPOINT
    with _locked(recipe.output):
        state = TrainingState(recipe)
        if resume and checkpoint.is_file():
            state.load_state_dict(torch.load(checkpoint, weights_only=True))
            print(f"resumed at {state.samples} samples, {state.core_s / 3600:.2f} core-hours")
        elif checkpoint.is_file():
            raise FileExistsError(f"{checkpoint} is there; resume it (--resume), or move it away")
        for _ in _run(state, recipe, cache(partial(load_sets, recipe.data)), core_hours, max_steps):
            save_checkpoint(checkpoint, state.state_dict())
    return state


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Raise BlockingIOError while another process trains into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def anneal(recipe: BaseRecipe, steps: int) -> Path:
    """Continue from the checkpoint, which is kept, with a rate that falls to zero; export the averaged weights."""
    torch.set_num_threads(recipe.schedule.threads)
    cv2.setNumThreads(1)
    state = TrainingState(recipe)
    state.load_state_dict(torch.load(recipe.output / CHECKPOINT, weights_only=True))
    for group in state.optimiser.param_groups:
        group["lr"] = group["initial_lr"] = recipe.schedule.peak_rate
    state.scheduler = LinearLR(state.optimiser, 1.0, 0.01, steps)
    folder = recipe.output / f"annealed-{state.samples}"
    folder.mkdir(parents=True, exist_ok=True)
    sets = cache(partial(load_sets, recipe.data))
    for _ in _run(state, recipe, sets, None, state.step + steps, folder):
        pass
    return export(state, recipe, sets(), folder)


def _run(
    state: TrainingState,
    recipe: BaseRecipe,
    sets: Callable[[], dict[str, ValidationSet]],
    core_hours: float | None,
    max_steps: int | None,
    folder: Path | None = None,
) -> Iterator[None]:
    """Train; yield whenever a checkpoint is due, and at the end. sets: loads the validation sets when first needed."""
    schedule, folder = recipe.schedule, folder or recipe.output
    folder.mkdir(parents=True, exist_ok=True)
    real = load_real(recipe.data)
    batches = LineBatches(
        recipe.data, [c for crops in real.values() for c in crops], f"{schedule.seed}-{state.samples}"
    )
    size = sum(p.numel() for p in state.net.parameters()) / 1e6
    print(f"{size:.2f} M parameters; real crops: { {name: len(crops) for name, crops in real.items()} }", flush=True)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))

    losses: list[float] = []
    spent_before, started_s = state.core_s, time.process_time()
    began_samples = state.samples
    logged = saved = time.monotonic()
    while True:
        losses = [*losses[-499:], state.train_step(*batches.next(state.samples), schedule)]
        now, used_s = time.monotonic(), time.process_time() - started_s
        state.core_s = spent_before + used_s
        ended = bool(stopped) or (max_steps is not None and state.step >= max_steps)
        ended = ended or (core_hours is not None and state.core_s >= 3600 * core_hours)
        if ended or now - logged > _LOG_EVERY_S:
            rate, speed = state.optimiser.param_groups[0]["lr"], (state.samples - began_samples) / used_s
            print(
                f"step {state.step}  samples {state.samples}  core-hours {state.core_s / 3600:.3f}  "
                f"loss {np.mean(losses):.3f}  rate {rate:.1e}  {speed:.1f} samples/core-s",
                flush=True,
            )
            logged = now
        is_due = state.core_s - state.validated_core_s > schedule.validate_every_core_s
        if is_due or (ended and not stopped):
            _validate(state, sets(), float(np.mean(losses)), folder / CURVE)
            saved = time.monotonic()
            yield
        elif ended or now - saved > schedule.checkpoint_every_s:
            saved = time.monotonic()
            yield
        if ended:
            return


def _validate(state: TrainingState, sets: dict[str, ValidationSet], loss: float, curve: Path) -> None:
    state.validated_core_s = state.core_s
    shares = figures(state.average.module, EUROPEAN, sets)
    row: dict[str, Any] = {
        "samples": state.samples,
        "core_hours": round(state.core_s / 3600, 4),
        "loss": round(loss, 4),
    }
    row |= {name: round(share, 4) for name, share in shares.items()}
    row["crops"] = {name: len(part.samples) for name, part in sets.items()}
    with curve.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    print("validation  " + "  ".join(f"{name} {share:.1%}" for name, share in shares.items()), flush=True)


def export(state: TrainingState, recipe: BaseRecipe, sets: dict[str, ValidationSet], folder: Path) -> Path:
    """Write the averaged weights with their manifest entry."""
    shares = figures(state.average.module, EUROPEAN, sets)
    samples = [sample for part in sets.values() for sample in part.samples]
    temperature = best_temperature(list(read(state.average.module, EUROPEAN, samples)))
    entry = {
        "kind": "recognizer",
        "architecture": "residual-crnn",
        "parameters": recipe.net,
        "charset": EUROPEAN.characters,
        "preprocessing": {
            "height": HEIGHT,
            "widths": list(WIDTHS),
            "aspect": ASPECT,
            "input": "grey, (x - mean) / (deviation + 8)",
        },
        "calibration": {"temperature": temperature},
        "recipe": {"samples": state.samples, "core_hours": round(state.core_s / 3600, 2)},
        "data": [
            "generated lines",
            *recipe.data.labelled_sets,
            *(f"{name}, read by PP-OCRv6 small" for name in recipe.data.teacher_sets),
            *(f"{name}, labels completed by PP-OCRv6 small" for name in recipe.data.relabelled_sets),
        ],
        "licence": _LICENCE,
        "figures": {name: round(share, 4) for name, share in shares.items()},
    }
    return weights.save(NAME, state.average.module.state_dict(), entry, folder)


def _ema(decay: float) -> Any:
    return get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]


def _parameter_groups(net: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return matrices and kernels with weight decay, biases and batch norms without."""
    decayed = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train recognizer-base.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint, if there is one")
    parser.add_argument("--core-hours", type=float, help="stop when so many have been spent in all")
    parser.add_argument("--steps", type=int, help="stop after so many steps in all")
    parser.add_argument("--anneal", type=int, metavar="STEPS", help="anneal from the checkpoint and export")
    parser.add_argument("--output", type=Path, help="another folder than the recipe's")
    options = parser.parse_args()
    chosen = read_recipe(options.config)
    if options.output:
        chosen = BaseRecipe(options.output, chosen.net, chosen.schedule, chosen.data)
    if options.anneal:
        print(anneal(chosen, options.anneal))
    else:
        train(chosen, resume=options.resume, core_hours=options.core_hours, max_steps=options.steps)
