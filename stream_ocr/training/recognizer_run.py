"""State of a training of the recogniser: net, averaged weights, optimiser and counters, and one step of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from stream_ocr.errors import WeightsError
from stream_ocr.models import weights
from stream_ocr.models.recognition.crnn import normalise
from stream_ocr.models.recognition.residual_crnn import ResidualCRNN
from stream_ocr.training.growth import grow
from stream_ocr.training.optimisation import LearningRate, averaged, parameter_groups
from stream_ocr.training.recognizer_recipe import Recipe
from stream_ocr.training.run_folder import CHECKPOINT, load_checkpoint, save_checkpoint
from stream_ocr.training.snapshots import continued_counters, origin_of


@dataclass
class Counters:
    """How far a run is. core_s: processor time. begun_at: step at which the optimiser began without moments."""

    step: int = 0
    samples: int = 0
    core_s: float = 0.0
    validated_core_s: float = 0.0
    begun_at: int = 0


@dataclass
class Run:
    """A training in memory. begun_from: description of the finished weights that it began with, or empty."""

    recipe: Recipe
    net: nn.Module
    average: AveragedModel
    optimiser: torch.optim.Optimizer
    counters: Counters
    begun_from: dict[str, Any] = field(default_factory=dict)
    uses_bf16: bool = field(init=False)

    def __post_init__(self) -> None:
        self.uses_bf16 = self.recipe.uses_bf16()

    def take_step(self, images_BHW: np.ndarray, texts: list[str], rate: LearningRate) -> float:
        """Update the net with one batch, then the average; return the loss."""
        recipe, device = self.recipe, torch.device(self.recipe.device)
        x_B1HW = normalise(images_BHW).to(device).contiguous(memory_format=torch.channels_last)
        rate.apply(self.optimiser, self.counters.step)
        self.net.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=self.uses_bf16):
            logits_TBC = self.net(x_B1HW)
        loss = ctc_loss(logits_TBC, [recipe.charset.encode(text) for text in texts])
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), recipe.schedule.clip)
        self.optimiser.step()
        self.average.update_parameters(self.net)
        self.counters.step += 1
        self.counters.samples += len(texts)
        return float(loss.item())

    def save(self, folder: Path) -> None:
        """Write the checkpoint."""
        states = {name: getattr(self, name).state_dict() for name in ("net", "average", "optimiser")}
        save_checkpoint(folder, states | {"counters": asdict(self.counters), "begun_from": self.begun_from})

    def load(self, checkpoint: Path) -> None:
        """Restore a checkpoint."""
        saved = load_checkpoint(checkpoint, torch.device(self.recipe.device))
        for name in ("net", "average", "optimiser"):
            getattr(self, name).load_state_dict(saved[name])
        self.counters = Counters(**saved["counters"])
        self.begun_from = saved.get("begun_from", {})


def begin(recipe: Recipe, folder: Path, start_from: Path | None = None) -> Run:
    """Begin from the checkpoint in a folder, else from ``start_from``, else from random weights.

    Sets torch's and OpenCV's threads. start_from: folder of exported weights of the recipe's name, or the checkpoint
    of another run. Exported weights may have fewer residual blocks than the recipe's net, which then begins as a net
    that computes the same. Raise WeightsError for weights of another net.
    """
    torch.set_num_threads(recipe.schedule.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(recipe.schedule.seed)
    net, counters, begun_from = recipe.make_net(), Counters(), dict[str, Any]()
    checkpoint: Path | None = folder / CHECKPOINT if (folder / CHECKPOINT).is_file() else None
    if checkpoint is None and start_from is not None:
        if start_from.is_dir():
            entry = _load_exported(net, recipe, start_from)
            counters, begun_from = Counters(**continued_counters(entry, Counters)), origin_of(entry)
        else:
            checkpoint = start_from
    net.to(torch.device(recipe.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    groups = parameter_groups(net, recipe.schedule.weight_decay)
    optimiser = torch.optim.AdamW(groups, lr=recipe.schedule.peak_rate, betas=(0.9, 0.98), fused=True)
    run = Run(recipe, net, averaged(net, recipe.schedule.average_decay, counters.step), optimiser, counters, begun_from)
    if checkpoint is not None:
        run.load(checkpoint)
    return run


def ctc_loss(logits_TBC: Tensor, targets: Sequence[Sequence[int]]) -> Tensor:
    """Return the CTC loss in fp32, averaged over characters and samples; a text too long for its image counts 0."""
    steps, size, _ = logits_TBC.shape
    lengths = torch.tensor([len(target) for target in targets])
    joined = torch.tensor([i for target in targets for i in target], device=logits_TBC.device)
    log_p_TBC = logits_TBC.float().log_softmax(dim=2)
    return nn.functional.ctc_loss(log_p_TBC, joined, torch.full((size,), steps), lengths, zero_infinity=True)


def _load_exported(net: nn.Module, recipe: Recipe, folder: Path) -> dict[str, Any]:
    entry, state = weights.load_net(recipe.name, folder)
    try:
        if isinstance(net, ResidualCRNN) and entry["parameters"].get("stages") != recipe.net.get("stages"):
            grow(net, entry["parameters"], state)
        else:
            net.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(
            f"{recipe.name} in {folder} does not fit the recipe's net ({str(error).splitlines()[0]}); "
            "correct architecture, net and charset of the recipe, or choose other weights"
        ) from None
    if entry["charset"] != recipe.charset.characters:
        raise WeightsError(
            f"{recipe.name} in {folder} has another charset than the recipe; correct charset in the recipe"
        )
    return entry
