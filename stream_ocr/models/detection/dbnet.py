"""DBNet: a text detector with differentiable binarisation (Liao et al., arXiv 1911.08947).

A backbone of dense 3x3 convolutions, a feature pyramid, and two heads: the probability map P of the shrunken text
kernels and the threshold map T. Training uses both and B = 1 / (1 + exp(-k (P - T))); inference computes only P. The
maps have half the resolution of the input, by pixel shuffle instead of the paper's transposed convolutions: a line of
8 pixels keeps a kernel of two map rows, and nothing is computed at full resolution.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from stream_ocr.models.backends.torch import fold_batch_norms

Backbone = Literal["resnet18", "small", "base"]

STEEPNESS = 50.0
"""k of the approximate binary map."""

SIZE_MULTIPLE = 32
"""Heights and widths of the input are multiples of this, the stride of the deepest features."""

MEAN, SCALE = 127.5, 64.0
"""Input normalisation: (value - MEAN) / SCALE."""


def normalise(images: np.ndarray | Tensor) -> Tensor:
    """Convert RGB uint8 (..., H, W, 3) to float32 (..., 3, H, W) as (x - 127.5) / 64, about -2 to 2."""
    x = torch.as_tensor(images)
    return ((x.float() - MEAN) / SCALE).movedim(-1, -3)


@dataclass(frozen=True)
class BackboneConfig:
    """Dimensions of a backbone. channels, blocks: of the stages at strides 4, 8, 16 and 32.

    squeeze_excitation: add a block of it to every stage but the first. pyramid: width of the feature pyramid. block:
    ``BasicBlock``, or ``IdentityConv`` after a plain convolution. neck: ``FeaturePyramid`` or ``TopDownPyramid``.
    """

    stem: Literal["7x7_pool", "two_3x3"]
    channels: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]
    squeeze_excitation: bool
    pyramid: int
    block: Literal["basic", "identity_conv"] = "basic"
    neck: Literal["concatenate", "top_down"] = "concatenate"


BACKBONES: dict[Backbone, BackboneConfig] = {
    "resnet18": BackboneConfig("7x7_pool", (64, 128, 256, 512), (2, 2, 2, 2), squeeze_excitation=False, pyramid=128),
    "small": BackboneConfig("two_3x3", (24, 48, 96, 128), (1, 2, 3, 2), squeeze_excitation=True, pyramid=64),
    "base": BackboneConfig(
        "two_3x3",
        (24, 64, 128, 192),
        (0, 1, 3, 2),
        squeeze_excitation=True,
        pyramid=64,
        block="identity_conv",
        neck="top_down",
    ),
}


def conv_bn(inputs: int, outputs: int, size: int = 3, stride: int = 1, *, relu: bool = True) -> nn.Sequential:
    """Return a convolution with batch norm, and ReLU unless a residual is still to be added."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, nn.ReLU(inplace=True)) if relu else nn.Sequential(*layers)


class BasicBlock(nn.Module):
    """Basic block of ResNet: two 3x3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_bn(inputs, outputs, 3, stride), conv_bn(outputs, outputs, relu=False))
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else conv_bn(inputs, outputs, 1, stride, relu=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return functional.relu(self.body(x_BCHW) + self.shortcut(x_BCHW), inplace=True)


class IdentityConv(nn.Module):
    """A 3x3 convolution with an identity shortcut (RepVGG, arXiv 2101.03697, without the 1x1 branch).

    After ``fold_shortcut`` it is one plain convolution, which costs less memory traffic and uses Winograd's filters.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = conv_bn(channels, channels, relu=False)
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


class SqueezeExcitation(nn.Module):
    """Squeeze and excitation: weight channels by their global average (arXiv 1709.01507)."""

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
        weights_BC11: Tensor = self.weigh(x_BCHW)
        return x_BCHW * weights_BC11


class ResNet(nn.Module):
    """Backbone; returns features at strides 4, 8, 16 and 32."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        first = config.channels[0]
        if config.stem == "two_3x3":
            self.stem = nn.Sequential(conv_bn(3, 16, 3, 2), conv_bn(16, first, 3, 2))
        else:
            self.stem = nn.Sequential(conv_bn(3, first, 7, 2), nn.MaxPool2d(3, 2, 1))
        stages, inputs = [], first
        for level, (channels, blocks) in enumerate(zip(config.channels, config.blocks, strict=True)):
            stride = 2 if level else 1
            layers: list[nn.Module] = []
            if config.block == "identity_conv":
                layers += [conv_bn(inputs, channels, 3, stride)] if inputs != channels or stride > 1 else []
                layers += [IdentityConv(channels) for _ in range(blocks)]
            else:
                layers += [
                    BasicBlock(channels if i else inputs, channels, stride=1 if i else stride) for i in range(blocks)
                ]
            inputs = channels
            if config.squeeze_excitation and level:
                layers.append(SqueezeExcitation(channels))
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        x, levels = self.stem(x_BCHW), []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return levels


class FeaturePyramid(nn.Module):
    """Feature pyramid: add the four levels top down, then concatenate them at stride 4."""

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(conv_bn(c, width, 1, relu=False) for c in channels)
        self.smooth = nn.ModuleList(conv_bn(width, width // len(channels)) for _ in channels)

    def forward(self, levels: list[Tensor]) -> Tensor:
        added = [lateral(x) for lateral, x in zip(self.lateral, levels, strict=True)]
        for i in range(len(added) - 2, -1, -1):
            added[i] = added[i] + functional.interpolate(added[i + 1], scale_factor=2.0, mode="nearest")
        smoothed = [smooth(x) for smooth, x in zip(self.smooth, added, strict=True)]
        upsampled = [
            functional.interpolate(x, scale_factor=2.0**i, mode="nearest") for i, x in enumerate(smoothed) if i
        ]
        return torch.cat([smoothed[0], *upsampled], dim=1)


class TopDownPyramid(nn.Module):
    """Feature pyramid that does its work at strides 16 and 8 and adds the finest level last, at stride 4.

    Three quarters of the multiplications of ``FeaturePyramid`` are at stride 4; here it is one cheap addition.
    """

    def __init__(self, channels: tuple[int, ...], width: int) -> None:
        super().__init__()
        finest, *coarser = channels
        self.lateral = nn.ModuleList(conv_bn(c, width, 1, relu=False) for c in coarser)
        self.smooth = nn.ModuleList(IdentityConv(width) for _ in coarser[1:])
        self.narrow = conv_bn(width, finest, 1, relu=False)
        self.width = finest

    def forward(self, levels: list[Tensor]) -> Tensor:
        finest, *coarser = levels
        added = [lateral(x) for lateral, x in zip(self.lateral, coarser, strict=True)]
        x = added[-1]
        for level, smooth in zip(reversed(added[:-1]), self.smooth, strict=True):
            x = smooth(level + functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        x = finest + functional.interpolate(self.narrow(x), scale_factor=2.0, mode="nearest")
        return functional.relu(x, inplace=True)


class MapHead(nn.Module):
    """One map of logits (B, H/2, W/2)."""

    def __init__(self, inputs: int, bias: float, hidden: int | None = None) -> None:
        super().__init__()
        hidden = hidden or max(16, inputs // 4)
        self.hidden, self.out = conv_bn(inputs, hidden), nn.Conv2d(hidden, 4, 1)
        nn.init.constant_(self.out.bias, bias)  # type: ignore[arg-type]

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.out(self.hidden(x_BCHW)), 2)[:, 0]


class DBNet(nn.Module):
    """DBNet. Input: RGB (B, 3, H, W) from ``normalise``, H and W multiples of 32. Output maps: (B, H/2, W/2)."""

    stride = 2

    def __init__(self, backbone: Backbone = "small") -> None:
        super().__init__()
        config = BACKBONES[backbone]
        self.backbone = ResNet(config)
        top_down = config.neck == "top_down"
        self.pyramid = (TopDownPyramid if top_down else FeaturePyramid)(config.channels, config.pyramid)
        width = config.channels[0] if top_down else config.pyramid
        hidden = width if top_down else None
        # Text is rare: an initial bias towards "no text" saves the first hundred steps.
        self.probability = MapHead(width, bias=-2.0, hidden=hidden)
        self.threshold = MapHead(width, bias=0.0, hidden=hidden)

    def features(self, x_BCHW: Tensor) -> Tensor:
        """Return the pyramid's features (B, C, H/4, W/4). Raise ValueError for sizes that are not multiples of 32."""
        height, width = x_BCHW.shape[-2:]
        if height % SIZE_MULTIPLE or width % SIZE_MULTIPLE:
            raise ValueError(
                f"DBNet got an image of {width}×{height}; pad or scale it to multiples of {SIZE_MULTIPLE}."
            )
        features: Tensor = self.pyramid(self.backbone(x_BCHW))
        return features

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return P_BHW, the probability that a pixel of the map lies in a text kernel."""
        return torch.sigmoid(self.probability(self.features(x_BCHW)).float())

    def maps(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (P_BHW, T_BHW, B_BHW) in float32, for training."""
        features = self.features(x_BCHW)
        p_BHW = torch.sigmoid(self.probability(features).float())
        t_BHW = torch.sigmoid(self.threshold(features).float())
        return p_BHW, t_BHW, torch.sigmoid(STEEPNESS * (p_BHW - t_BHW))

    def fuse(self) -> "DBNet":
        """Fold batch norms and identities into their convolutions, in place, and switch to eval mode. Return self."""
        fold_batch_norms(self)
        return self
