"""Hold the state of a training of the detector: net, averaged weights, optimiser, schedule, checkpoints and curve."""

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from stream_ocr.errors import WeightsError
from stream_ocr.models import weights
from stream_ocr.models.detection.dbnet import DBNet
from stream_ocr.training.detector_config import Config

CHECKPOINT, CURVE = "checkpoint.pt", "curve.jsonl"
_COUNTERS = ("step", "crops", "core_s", "pictures", "begun_from")


@dataclass
class Run:
    """Hold what a training has come to.

    crops: pieces seen. core_s: processor time so far. pictures: how many were generated; None: as many as lie in the
    folder. begun_from: what the manifest said of the weights that it began with, empty where it began with none.
    """

    net: DBNet
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    scheduler: LambdaLR
    begun_from: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    crops: int = 0
    core_s: float = 0.0
    pictures: int | None = None

    def averaged_state(self) -> dict[str, Tensor]:
        """Return the averaged weights and statistics, as ``DBNet.load_state_dict`` takes them."""
        return {name: value.detach().clone() for name, value in self.average.module.state_dict().items()}


def begin(config: Config, device: torch.device, start_from: Path | None = None) -> Run:
    """Begin from the run's checkpoint, else from ``start_from``, else from nothing.

    start_from: a folder of exported weights of the same name, or the checkpoint of another run, which goes on here.
    Raises WeightsError for weights of another kind.
    """
    net, begun_from = DBNet(config.backbone), dict[str, Any]()
    checkpoint = config.folder / CHECKPOINT
    if not checkpoint.exists() and start_from is not None:
        if start_from.is_dir():
            begun_from = _load_exported(net, config, start_from)
        else:
            checkpoint = start_from
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        parameter_groups(net, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.99)
    )
    average = AveragedModel(net, multi_avg_fn=_mean_of(config.average), use_buffers=True)
    run = Run(net, average, optimizer, _schedule(optimizer, config, 0), begun_from)
    if checkpoint.exists():
        _load(run, checkpoint, device)
        # Rate and schedule are those of the configuration, which may have changed since.
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] = config.learning_rate
        run.scheduler = _schedule(optimizer, config, run.step)
    return run


def save_checkpoint(run: Run, folder: Path) -> None:
    """Write the checkpoint atomically: a kill at any time leaves the one before or this one."""
    state: dict[str, Any] = {name: getattr(run, name) for name in _COUNTERS}
    state |= {name: getattr(run, name).state_dict() for name in ("net", "average", "optimizer")}
    partial = folder / "checkpoint.tmp"
    torch.save(state, partial)
    partial.replace(folder / CHECKPOINT)


def _load(run: Run, checkpoint: Path, device: torch.device) -> None:
    saved = torch.load(checkpoint, map_location=device, weights_only=True)
    for part in ("net", "average", "optimizer"):
        getattr(run, part).load_state_dict(saved.pop(part))
    for name in _COUNTERS:
        setattr(run, name, saved[name])


def _load_exported(net: DBNet, config: Config, folder: Path) -> dict[str, Any]:
    entry, state = weights.load_net(config.name, folder)
    if entry["kind"] != "detector" or entry["parameters"] != {"backbone": config.backbone}:
        raise WeightsError(f"{config.name} in {folder} is no detector with the backbone {config.backbone}.")
    net.load_state_dict(state)
    return {name: entry[name] for name in ("sha256", "figures", "recipe", "begun_from") if name in entry}


def parameter_groups(net: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Let only the kernels of convolutions decay."""
    kernels = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]


def rate_share(step: int, *, warm_up_steps: int, steps: int, cooldown_steps: int) -> float:
    """Return the share of the peak learning rate: a linear rise, a constant, 1 - sqrt over the cool-down.

    A constant rate lets a run be prolonged at will; a short cool-down makes usable weights of any of its states
    (arXiv 2405.18392).
    """
    into = step - (steps - cooldown_steps)
    cooled = 1 - math.sqrt(min(into / cooldown_steps, 1.0)) if cooldown_steps and into > 0 else 1.0
    return min(1.0, (step + 1) / warm_up_steps) * cooled


def _schedule(optimizer: torch.optim.Optimizer, config: Config, step: int) -> LambdaLR:
    def share(at: int) -> float:
        return rate_share(
            at, warm_up_steps=config.warm_up_steps, steps=config.steps, cooldown_steps=config.cooldown_steps
        )

    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    return LambdaLR(optimizer, share, last_epoch=step - 1)


def _mean_of(decay: float) -> Any:
    """Return an update for ``AveragedModel``: a running mean with a shorter memory at first; integers are copied."""

    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], count: Tensor | int) -> None:
        if averages[0].is_floating_point():
            kept = min(decay, (1 + int(count)) / (10 + int(count)))
            torch._foreach_lerp_(averages, values, 1 - kept)
        else:
            torch._foreach_copy_(averages, values)

    return update


class Curve:
    """Keep figures of a run as JSON lines, for each report and each validation.

    Opening it drops what was written after the checkpoint's step.
    """

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else []
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        path.write_text("".join(line + "\n" for line in kept))

    def add(self, run: Run, **figures: Any) -> None:
        """Append the counters of the run and figures."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        counters = {"step": run.step, "crops": run.crops, "core_hours": round(run.core_s / 3600, 3), "time": now}
        with self._path.open("a") as file:
            file.write(json.dumps(counters | figures) + "\n")
