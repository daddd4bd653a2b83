"""A larger CRNN: residual stages of dense 3×3 convolutions, two bidirectional LSTM layers, one linear layer.

Input and output are those of ``crnn.CRNN``: a grey line 32 pixels high, one vector of class scores per four columns.
"""

from collections.abc import Sequence

from torch import Tensor, nn


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int | tuple[int, int] = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)]


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions round which the input is passed on."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(*_conv(channels, channels), nn.ReLU(inplace=True), *_conv(channels, channels))
        self.activate = nn.ReLU(inplace=True)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        out_BCHW: Tensor = self.activate(x_BCHW + self.inner(x_BCHW))
        return out_BCHW


class ResidualCRNN(nn.Module):
    """`x_B1HW` (height 32, from ``crnn.normalise``) to `logits_TBC` with T = W / 4.

    stem: channels of two convolutions of stride two. stages: (channels, residual blocks) of three stages at 8, 4 and 2
    rows. columns: channels after the rows have been folded. hidden: size of the LSTM in each direction.
    """

    def __init__(
        self,
        classes: int,
        stem: Sequence[int] = (24, 48),
        stages: Sequence[Sequence[int]] = ((48, 1), (96, 2), (192, 2)),
        columns: int = 224,
        hidden: int = 224,
    ) -> None:
        super().__init__()
        first, width = stem
        layers: list[nn.Module] = [*_conv(1, first, 5, 2), nn.ReLU(inplace=True)]
        layers += [*_conv(first, width, 3, 2), nn.ReLU(inplace=True)]
        for row, (channels, blocks) in enumerate(stages):
            if row or channels != width:
                layers += [*_conv(width, channels, 3, (2, 1) if row else 1), nn.ReLU(inplace=True)]
            layers += [ResidualBlock(channels) for _ in range(blocks)]
            width = channels
        layers += [nn.Conv2d(width, columns, (2, 1), bias=False), nn.BatchNorm2d(columns), nn.ReLU(inplace=True)]
        self.features = nn.Sequential(*layers)
        self.sequence = nn.LSTM(columns, hidden, num_layers=2, bidirectional=True)
        self.classify = nn.Linear(2 * hidden, classes)

    def forward(self, x_B1HW: Tensor) -> Tensor:
        columns_TBC = self.features(x_B1HW).squeeze(2).permute(2, 0, 1).contiguous()
        context_TBC, _ = self.sequence(columns_TBC)
        logits_TBC: Tensor = self.classify(context_TBC)
        return logits_TBC
