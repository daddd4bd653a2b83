"""Inference with torch, which is imported only when a network is built."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from stream_ocr.models.backends.base import convert_out_of_memory
from stream_ocr.models.devices import BackendChoice

if TYPE_CHECKING:
    from torch import nn


class TorchEngine:
    """A torch module in its fastest form: eval mode, batch norms folded, channels last.

    net: takes (B, C, H, W); modified in place.
    """

    def __init__(self, net: "nn.Module", backend: BackendChoice) -> None:
        import torch

        self.backend = backend
        self._dtype = torch.bfloat16 if backend.dtype == "bf16" else torch.float32
        net = fold_batch_norms(net).to(backend.device, self._dtype)
        self._net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(self, x: np.ndarray) -> np.ndarray:
        import torch

        with convert_out_of_memory(), torch.inference_mode(), _torch_threads(self.backend.threads):
            x_BCHW = torch.from_numpy(x).to(self.backend.device, self._dtype, memory_format=torch.channels_last)
            result: np.ndarray = self._net(x_BCHW).float().cpu().numpy()
            return result


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """Set torch's number of threads for a while: it is per process, and the process may be the user's."""
    import torch

    before = torch.get_num_threads()
    if before != count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if before != count:
            torch.set_num_threads(before)


def fold_batch_norms(net: "nn.Module") -> "nn.Module":
    """Fold each batch norm into the convolution before it in an ``nn.Sequential``, in place; switch to eval mode.

    Modules with a method ``fold_shortcut`` then fold their identity shortcut, too.
    """
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    net.eval()
    for layers in [module for module in net.modules() if isinstance(module, nn.Sequential)]:
        for i in range(len(layers) - 1):
            first, second = layers[i], layers[i + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                layers[i], layers[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    for module in net.modules():
        if fold_shortcut := getattr(module, "fold_shortcut", None):
            fold_shortcut()
    return net
