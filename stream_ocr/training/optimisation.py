"""Weight decay, learning rate and averaged weights, for both trainings."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

_Tensors = tuple[Tensor, ...] | list[Tensor]


@dataclass(frozen=True)
class LearningRate:
    """Learning rate by step: a linear warm-up, a constant rate, and 1 - sqrt over the last ``anneal_steps``.

    A constant rate lets a run be prolonged at will; a short annealing makes usable weights of any of its states
    (arXiv 2405.18392).

    begun_at: step at which the optimiser began without moments, so that the warm-up starts there. last_step: end of
    the annealing; None: the run has no planned end.
    """

    peak: float
    warm_up_steps: int
    begun_at: int = 0
    last_step: int | None = None
    anneal_steps: int = 0

    def at(self, step: int) -> float:
        """Return the rate of a step, counted from 0."""
        rate = self.peak * min(1.0, (step - self.begun_at + 1) / self.warm_up_steps)
        if self.last_step is None or not self.anneal_steps:
            return rate
        annealed = (step - (self.last_step - self.anneal_steps)) / self.anneal_steps
        return rate * (1 - math.sqrt(min(1.0, max(0.0, annealed))))

    def apply(self, optimiser: torch.optim.Optimizer, step: int) -> None:
        """Set the rate of the next step."""
        for group in optimiser.param_groups:
            group["lr"] = self.at(step)


def parameter_groups(net: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return matrices and kernels with weight decay, biases and batch norms without."""
    decayed = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def averaged(net: nn.Module, decay: float, count: int = 0) -> AveragedModel:
    """Return an exponential moving average of weights and statistics, with a shorter memory over its first steps.

    decay: share of the average that a step keeps. count: number of steps that ``net`` already is the average of.
    """

    @torch.no_grad()
    def update(averages: _Tensors, values: _Tensors, count: Tensor | int) -> None:
        if averages[0].is_floating_point():
            kept = min(decay, (1 + int(count)) / (10 + int(count)))
            torch._foreach_lerp_(averages, values, 1 - kept)
        else:
            torch._foreach_copy_(averages, values)

    average = AveragedModel(net, multi_avg_fn=update, use_buffers=True)
    average.n_averaged.fill_(count)
    return average


def averaged_state(average: AveragedModel) -> dict[str, Tensor]:
    """Return a copy of the averaged weights and statistics, as the net's ``load_state_dict`` takes them."""
    return {name: value.detach().clone() for name, value in average.module.state_dict().items()}
