"""State of a training of the detector: net, averaged weights, optimiser and counters."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import torch
from torch.optim.swa_utils import AveragedModel

from stream_ocr.errors import WeightsError
from stream_ocr.models import weights
from stream_ocr.models.detection.dbnet import DBNet
from stream_ocr.training.detector_config import Config
from stream_ocr.training.optimisation import LearningRate, averaged, parameter_groups
from stream_ocr.training.run_folder import CHECKPOINT, load_checkpoint, save_checkpoint
from stream_ocr.training.snapshots import continued_counters, origin_of


@dataclass
class Counters:
    """How far a run is.

    crops: pieces seen. core_s: processor time. begun_at: step at which the optimiser began without moments, and with
    an empty folder of generated pictures. pictures: how many were generated; None: as many as lie in the folder.
    """

    step: int = 0
    crops: int = 0
    core_s: float = 0.0
    begun_at: int = 0
    pictures: int | None = None


@dataclass
class Run:
    """A training in memory. begun_from: description of the finished weights that it began with, or empty."""

    net: DBNet
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    rate: LearningRate
    counters: Counters
    begun_from: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write the checkpoint."""
        states = {name: getattr(self, name).state_dict() for name in ("net", "average", "optimizer")}
        save_checkpoint(folder, states | vars(self.counters) | {"begun_from": self.begun_from})


def begin(config: Config, device: torch.device, start_from: Path | None = None) -> Run:
    """Begin from the checkpoint in the run's folder, else from ``start_from``, else from random weights.

    Sets torch's and OpenCV's threads. start_from: folder of exported weights of the same name, or the checkpoint of
    another run. Raise WeightsError for weights of another net.
    """
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(config.seed)
    net, counters, begun_from = DBNet(config.backbone), Counters(), dict[str, Any]()
    in_folder = config.folder / CHECKPOINT
    checkpoint: Path | None = in_folder if in_folder.is_file() else None
    if checkpoint is None and start_from is not None:
        if start_from.is_dir():
            entry = _load_exported(net, config, start_from)
            counters, begun_from = Counters(**continued_counters(entry, Counters)), origin_of(entry)
        else:
            checkpoint = start_from
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    groups = parameter_groups(net, config.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)
    average = averaged(net, config.average, counters.step)
    if checkpoint is not None:
        saved = load_checkpoint(checkpoint, device)
        for part, state in ((net, "net"), (average, "average"), (optimizer, "optimizer")):
            part.load_state_dict(saved[state])
        counters = Counters(**{name: saved[name] for name in vars(counters) if name in saved})
        begun_from = saved["begun_from"]
    rate = LearningRate(
        config.learning_rate, config.warm_up_steps, counters.begun_at, config.steps, config.anneal_steps
    )
    return Run(net, average, optimizer, rate, counters, begun_from)


def _load_exported(net: DBNet, config: Config, folder: Path) -> dict[str, Any]:
    entry, state = weights.load_net(config.name, folder)
    if entry["kind"] != "detector" or entry["parameters"] != {"backbone": config.backbone}:
        raise WeightsError(
            f"{config.name} in {folder} is no detector with the backbone {config.backbone}; correct backbone in the "
            "configuration, or choose other weights"
        )
    net.load_state_dict(state)
    return entry
