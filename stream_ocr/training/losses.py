"""Losses of DBNet (arXiv 1911.08947; weights as in the released code): 5 · BCE + dice(B) + dice(P) + 10 · L1(T)."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from stream_ocr.training.thresholds import LOSSES


class Losses(NamedTuple):
    """Scalars; ``total`` is what is minimised."""

    total: Tensor
    bce: Tensor
    dice_binary: Tensor
    dice_probability: Tensor
    threshold: Tensor


def detector_losses(
    p_BHW: Tensor, t_BHW: Tensor, b_BHW: Tensor, *, kernel: Tensor, care: Tensor, threshold: Tensor, band: Tensor
) -> Losses:
    """Return the losses of maps from ``DBNet.maps`` against ``targets.Targets``, all (B, H, W) float32."""
    bce = balanced_bce(p_BHW, kernel, care)
    dice_binary, dice_probability = dice(b_BHW, kernel, care), dice(p_BHW, kernel, care)
    l1 = ((t_BHW - threshold).abs() * band).sum() / band.sum().clamp(min=1.0)
    total = LOSSES.bce * bce + dice_binary + dice_probability + LOSSES.threshold * l1
    return Losses(total, bce, dice_binary, dice_probability, l1)


def balanced_bce(p_BHW: Tensor, kernel: Tensor, care: Tensor) -> Tensor:
    """Return the cross entropy of all text pixels and the hardest others, at most three for each text pixel."""
    loss = functional.binary_cross_entropy(p_BHW, kernel, reduction="none")
    positive, negative = kernel * care, (1 - kernel) * care
    positives = positive.sum()
    wanted = max(int(LOSSES.negatives_per_positive * positives), loss.numel() // LOSSES.pixels_per_negative)
    count = min(wanted, int(negative.sum()))
    hardest = torch.topk((loss * negative).flatten(), count, sorted=False).values.sum()
    return ((loss * positive).sum() + hardest) / (positives + count).clamp(min=1.0)


def dice(map_BHW: Tensor, kernel: Tensor, care: Tensor) -> Tensor:
    """Return 1 - 2 |map ∩ kernel| / (|map| + |kernel|) over the whole batch."""
    both = (map_BHW * kernel * care).sum()
    return 1 - 2 * both / ((map_BHW * care).sum() + (kernel * care).sum() + 1e-6)
