"""DBNet: a text detector with differentiable binarisation (Liao et al., arXiv 1911.08947).

A ResNet backbone in two sizes, a feature pyramid, and two heads: the probability map P of the shrunken text kernels and
the threshold map T. Training uses both and B = 1 / (1 + exp(-k (P - T))); inference computes only P. The maps have half
the resolution of the input, by pixel shuffle instead of the paper's transposed convolutions: a line of 8 pixels keeps a
kernel of two map rows, and nothing is computed at full resolution.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from stream_ocr.models.backends.torch import fold_batch_norms

Backbone = Literal["resnet18", "small"]

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

    squeeze_excitation: add a block of it to every stage but the first. pyramid: width of the feature pyramid.
    """

    stem: Literal["7x7_pool", "two_3x3"]
    channels: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]
    squeeze_excitation: bool
    pyramid: int


BACKBONES: dict[Backbone, BackboneConfig] = {
    "resnet18": BackboneConfig("7x7_pool", (64, 128, 256, 512), (2, 2, 2, 2), squeeze_excitation=False, pyramid=128),
    "small": BackboneConfig("two_3x3", (24, 48, 96, 128), (1, 2, 3, 2), squeeze_excitation=True, pyramid=64),
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
        return x_BCHW * self.weigh(x_BCHW)


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
            layers: list[nn.Module] = []
            for block in range(blocks):
                layers.append(BasicBlock(inputs, channels, stride=2 if level and not block else 1))
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


class MapHead(nn.Module):
    """One map of logits (B, H/2, W/2)."""

    def __init__(self, inputs: int, bias: float) -> None:
        super().__init__()
        hidden = max(16, inputs // 4)
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
        self.pyramid = FeaturePyramid(config.channels, config.pyramid)
        # Text is rare: an initial bias towards "no text" saves the first hundred steps.
        self.probability = MapHead(config.pyramid, bias=-2.0)
        self.threshold = MapHead(config.pyramid, bias=0.0)

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
        """Fold every batch norm into its convolution, in place, and switch to eval mode. Return self."""
        fold_batch_norms(self)
        return self
