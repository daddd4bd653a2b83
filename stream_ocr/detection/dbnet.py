"""DBNet: a text detector with differentiable binarisation (Liao et al., arXiv 1911.08947).

Backbones of dense 3x3 convolutions, a feature pyramid, and two heads: the probability map P of the shrunken text
kernels and the threshold map T. Training uses both and B = 1 / (1 + exp(-k (P - T))); inference computes
only P. The maps have half the resolution of the input, by pixel shuffle instead of the transposed convolutions of the
paper: a line of 8 pixels keeps a kernel of two map rows, and nothing is computed at full resolution.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from stream_ocr.engines import fold_batch_norms

Backbone = Literal["resnet18", "small", "base"]

STEEPNESS = 50.0
"""k of the approximate binary map."""

SIZE_MULTIPLE = 32
"""Heights and widths that the net takes are multiples of this."""

MEAN, SCALE = 127.5, 64.0


def normalise(pictures: np.ndarray | Tensor) -> Tensor:
    """RGB uint8 (..., H, W, 3) to float32 (..., 3, H, W), (x - 127.5) / 64: about -2 to 2."""
    x = torch.as_tensor(pictures)
    return ((x.float() - MEAN) / SCALE).movedim(-1, -3)


@dataclass(frozen=True)
class Shape:
    """What tells one backbone from another; channels and blocks are those of strides 4, 8, 16 and 32."""

    stem: Literal["7x7 and pool", "two 3x3"]
    channels: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]
    squeeze: bool
    pyramid: int
    block: Literal["residual", "identity"] = "residual"
    neck: Literal["side by side", "top down"] = "side by side"


SHAPES: dict[Backbone, Shape] = {
    "resnet18": Shape("7x7 and pool", (64, 128, 256, 512), (2, 2, 2, 2), squeeze=False, pyramid=128),
    "small": Shape("two 3x3", (24, 48, 96, 128), (1, 2, 3, 2), squeeze=True, pyramid=64),
    "base": Shape(
        "two 3x3", (24, 64, 128, 192), (0, 1, 3, 2), squeeze=True, pyramid=64, block="identity", neck="top down"
    ),
}


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1, *, relu: bool = True) -> nn.Sequential:
    """Convolution and batch norm, then a rectifier unless something is still to be added."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class Residual(nn.Module):
    """The basic block of ResNet: two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(inputs, outputs, 3, stride), conv(outputs, outputs, relu=False))
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else conv(inputs, outputs, 1, stride, relu=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return functional.relu(self.body(x_BCHW) + self.shortcut(x_BCHW), inplace=True)


class IdentityConv(nn.Module):
    """A 3x3 convolution with an identity shortcut (RepVGG, arXiv 2101.03697, without the 1x1 branch).

    After ``fold_shortcut`` it is one plain convolution, which costs less memory traffic and uses Winograd's filters.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = conv(channels, channels, relu=False)
        self.folded = False

    def forward(self, x_BCHW: Tensor) -> Tensor:
        y_BCHW: Tensor = self.body(x_BCHW)
        return functional.relu(y_BCHW if self.folded else y_BCHW + x_BCHW, inplace=True)

    @torch.no_grad()
    def fold_shortcut(self) -> None:
        """Add the identity to the kernel, in place; the batch norm must have been folded before. Idempotent."""
        if not self.folded:
            weight = self.get_parameter("body.0.weight")
            middle, channels = weight.shape[-1] // 2, torch.arange(len(weight))
            weight[channels, channels, middle, middle] += 1
            self.folded = True


class Squeeze(nn.Module):
    """Weighs channels by what the whole picture shows (squeeze and excitation, arXiv 1709.01507)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // 4, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // 4, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW * self.weigh(x_BCHW)


class ResNet(nn.Module):
    """Features at strides 4, 8, 16 and 32."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        first = shape.channels[0]
        if shape.stem == "two 3x3":
            self.stem = nn.Sequential(conv(3, 16, 3, 2), conv(16, first, 3, 2))
        else:
            self.stem = nn.Sequential(conv(3, first, 7, 2), nn.MaxPool2d(3, 2, 1))
        stages, inputs = [], first
        for level, (channels, blocks) in enumerate(zip(shape.channels, shape.blocks, strict=True)):
            stride = 2 if level else 1
            layers: list[nn.Module] = []
            if shape.block == "identity":
                layers += [conv(inputs, channels, 3, stride)] if inputs != channels or stride > 1 else []
                layers += [IdentityConv(channels) for _ in range(blocks)]
            else:
                layers += [
                    Residual(channels if i else inputs, channels, stride=1 if i else stride) for i in range(blocks)
                ]
            inputs = channels
            if shape.squeeze and level:
                layers.append(Squeeze(channels))
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        x, levels = self.stem(x_BCHW), []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return levels


class Pyramid(nn.Module):
    """Feature pyramid: the four levels added from the top down, then side by side at stride 4."""

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(conv(c, width, 1, relu=False) for c in channels)
        self.smooth = nn.ModuleList(conv(width, width // len(channels)) for _ in channels)

    def forward(self, levels: list[Tensor]) -> Tensor:
        added = [lateral(x) for lateral, x in zip(self.lateral, levels, strict=True)]
        for i in range(len(added) - 2, -1, -1):
            added[i] = added[i] + functional.interpolate(added[i + 1], scale_factor=2.0, mode="nearest")
        smoothed = [smooth(x) for smooth, x in zip(self.smooth, added, strict=True)]
        grown = [functional.interpolate(x, scale_factor=2.0**i, mode="nearest") for i, x in enumerate(smoothed) if i]
        return torch.cat([smoothed[0], *grown], dim=1)


class TopDown(nn.Module):
    """Feature pyramid that does its work at strides 16 and 8 and adds the finest level last, at stride 4.

    Three quarters of the multiplications of ``Pyramid`` are at stride 4; here it is one cheap addition.
    """

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        finest, *coarser = channels
        self.lateral = nn.ModuleList(conv(c, width, 1, relu=False) for c in coarser)
        self.smooth = nn.ModuleList(IdentityConv(width) for _ in coarser[1:])
        self.narrow = conv(width, finest, 1, relu=False)
        self.width = finest

    def forward(self, levels: list[Tensor]) -> Tensor:
        finest, *coarser = levels
        added = [lateral(x) for lateral, x in zip(self.lateral, coarser, strict=True)]
        x = added[-1]
        for level, smooth in zip(reversed(added[:-1]), self.smooth, strict=True):
            x = smooth(level + functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        x = finest + functional.interpolate(self.narrow(x), scale_factor=2.0, mode="nearest")
        return functional.relu(x, inplace=True)


class Head(nn.Module):
    """One map of logits at half the input's resolution."""

    def __init__(self, inputs: int, bias: float, hidden: int | None = None) -> None:
        super().__init__()
        hidden = hidden or max(16, inputs // 4)
        self.hidden, self.out = conv(inputs, hidden), nn.Conv2d(hidden, 4, 1)
        nn.init.constant_(self.out.bias, bias)  # type: ignore[arg-type]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.out(self.hidden(x_BCHW)), 2)[:, 0]


class DBNet(nn.Module):
    """The whole detector. Input: ``normalise``d RGB (B, 3, H, W), H and W multiples of 32; maps: (B, H/2, W/2)."""

    stride = 2

    def __init__(self, backbone: Backbone = "small") -> None:
        super().__init__()
        shape = SHAPES[backbone]
        self.backbone = ResNet(shape)
        top_down = shape.neck == "top down"
        self.pyramid = (TopDown if top_down else Pyramid)(shape.channels, shape.pyramid)
        width = shape.channels[0] if top_down else shape.pyramid
        # Text is rare: starting from "no text" spares the first hundred steps.
        self.probability = Head(width, bias=-2.0, hidden=width if top_down else None)
        self.threshold = Head(width, bias=0.0, hidden=width if top_down else None)

    def features(self, x_BCHW: Tensor) -> Tensor:
        height, width = x_BCHW.shape[-2:]
        if height % SIZE_MULTIPLE or width % SIZE_MULTIPLE:
            raise ValueError(
                f"DBNet got a picture of {width}×{height}; pad or scale it to multiples of {SIZE_MULTIPLE}."
            )
        features: Tensor = self.pyramid(self.backbone(x_BCHW))
        return features

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """P_BHW: the probability that a pixel of the map lies in a text kernel."""
        return torch.sigmoid(self.probability(self.features(x_BCHW)).float())

    def maps(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(P_BHW, T_BHW, B_BHW) in float32, for training."""
        features = self.features(x_BCHW)
        p_BHW = torch.sigmoid(self.probability(features).float())
        t_BHW = torch.sigmoid(self.threshold(features).float())
        return p_BHW, t_BHW, torch.sigmoid(STEEPNESS * (p_BHW - t_BHW))

    def fuse(self) -> "DBNet":
        """Fold batch norms and identities into their convolutions, in place; returns the net in eval mode."""
        fold_batch_norms(self)
        return self
