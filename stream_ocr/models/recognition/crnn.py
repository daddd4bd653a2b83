"""CRNN: convolutions, two bidirectional LSTM layers, one linear layer (Shi, Bai, Yao, arXiv 1507.05717).

The convolutions differ from the paper's VGG: two early strides of two and dense 3x3 kernels, which CPUs compute
fastest. The input is a grey line 32 pixels high, resized (never padded) to one of a few widths. The output is a vector
of class scores for every four columns.
"""

import numpy as np
import torch
from torch import Tensor, nn

from stream_ocr.models.recognition.input_sizes import CONTRAST_FLOOR


def normalise(crops_BHW: np.ndarray | Tensor) -> Tensor:
    """Normalise crops of one width, 0 to 255, to ``x_B1HW``: each crop (x - mean) / (its standard deviation + 8)."""
    x_BHW = torch.as_tensor(crops_BHW).float()
    deviation, mean = torch.std_mean(x_BHW, dim=(1, 2), keepdim=True, correction=0)
    return ((x_BHW - mean) / (deviation + CONTRAST_FLOOR)).unsqueeze(1)


def _block(inputs: int, outputs: int, kernel: int = 3, stride: int | tuple[int, int] = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class CRNN(nn.Module):
    """Maps ``x_B1HW`` (height 32, from ``normalise``) to ``logits_TBC`` with T = W / 4.

    classes: characters of the charset and the blank. channels: of the six convolutions and of the last one, which folds
    the two remaining rows. hidden: size of the LSTM in each direction.
    """

    def __init__(
        self, classes: int, channels: tuple[int, ...] = (32, 64, 96, 128, 128, 192, 256), hidden: int = 128
    ) -> None:
        super().__init__()
        c1, c2, c3, c4, c5, c6, c7 = channels
        self.features = nn.Sequential(
            _block(1, c1, kernel=5, stride=2),  # 16 x W/2
            _block(c1, c2, stride=2),  # 8 x W/4, and W/4 it stays
            _block(c2, c3),
            _block(c3, c4, stride=(2, 1)),
            _block(c4, c5),
            _block(c5, c6, stride=(2, 1)),  # 2 x W/4
            nn.Sequential(nn.Conv2d(c6, c7, (2, 1), bias=False), nn.BatchNorm2d(c7), nn.ReLU(inplace=True)),
        )
        self.sequence = nn.LSTM(c7, hidden, num_layers=2, bidirectional=True)
        self.classify = nn.Linear(2 * hidden, classes)

    def forward(self, x_B1HW: Tensor) -> Tensor:
        columns_TBC = self.features(x_B1HW).squeeze(2).permute(2, 0, 1).contiguous()
        context_TBC, _ = self.sequence(columns_TBC)
        logits_TBC: Tensor = self.classify(context_TBC)
        return logits_TBC


class InferenceCRNN(nn.Module):
    """A ``CRNN`` for inference: maps ``x_B1HW`` to ``p_BTC`` in fp32, whose rows sum to one."""

    def __init__(self, net: CRNN) -> None:
        super().__init__()
        self.net = net

    def forward(self, x_B1HW: Tensor) -> Tensor:
        p_BTC: Tensor = self.net(x_B1HW).float().softmax(dim=2).transpose(0, 1)
        return p_BTC
