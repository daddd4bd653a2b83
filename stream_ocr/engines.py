"""What runs a network: torch, ONNX Runtime (and see ``mnn_engine``). Arrays in, arrays out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from stream_ocr.devices import Picked, import_onnxruntime
from stream_ocr.errors import DeviceError, WeightsError

if TYPE_CHECKING:
    from torch import nn

_OUT_OF_MEMORY = ("out of memory", "allocate memory", "bad_alloc", "bad allocation")


class Engine(Protocol):
    """A network that is ready to run."""

    picked: Picked

    def run(self, x: np.ndarray) -> np.ndarray:
        """The network's first output for a batch, both float32. Raises MemoryError when the batch is too large."""
        ...


class TorchEngine:
    """A torch module in its fastest form: evaluation mode, batch norms folded, channels last.

    net: takes (B, C, H, W); changed in place.
    """

    def __init__(self, net: "nn.Module", picked: Picked) -> None:
        import torch

        self.picked = picked
        self._dtype = torch.bfloat16 if picked.dtype == "bf16" else torch.float32
        net = fold_batch_norms(net).to(picked.device, self._dtype)
        self._net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(self, x: np.ndarray) -> np.ndarray:
        import torch

        with _scarce_memory(), torch.inference_mode(), _torch_threads(self.picked.threads):
            x_BCHW = torch.from_numpy(x).to(self.picked.device, self._dtype, memory_format=torch.channels_last)
            result: np.ndarray = self._net(x_BCHW).float().cpu().numpy()
            return result


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """torch counts threads per process, and the process may be somebody else's."""
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
    """Fold each batch norm that follows a convolution in an ``nn.Sequential`` into it, in place; evaluation mode.

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
        if fold := getattr(module, "fold_shortcut", None):
            fold()
    return net


class OnnxEngine:
    """An ONNX file in ONNX Runtime. One input, of which the first output is wanted.

    Raises WeightsError when the file is missing or no ONNX model, DeviceError when CUDA does not come up.
    """

    def __init__(self, path: Path, picked: Picked) -> None:
        onnxruntime = import_onnxruntime()
        self.picked = picked
        providers = ["CUDAExecutionProvider"] if picked.device == "cuda" else []
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), _session_options(picked.threads), providers=[*providers, "CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has a class for each status code, with no common base of its own
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise WeightsError(f"{path} cannot be loaded as an ONNX model ({reason}); check the path.") from error
        if providers and providers[0] not in self._session.get_providers():
            raise DeviceError(f"onnxruntime could not start CUDA for {path.name}; set device to cpu.")
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    def run(self, x: np.ndarray) -> np.ndarray:
        with _scarce_memory():
            result: np.ndarray = self._session.run([self._output], {self._input: x})[0]
            return result

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """(B, C, H, W), None where any size will do."""
        return _known(self._session.get_inputs()[0].shape)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Of the first output, None where it depends on the input."""
        return _known(self._session.get_outputs()[0].shape)

    @property
    def metadata(self) -> dict[str, str]:
        """What the author wrote into the file."""
        written: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return written


@contextmanager
def _scarce_memory() -> Iterator[None]:
    """Raises MemoryError for whatever the runtimes call it; they have no class for it that holds on every device."""
    try:
        yield
    except Exception as error:
        if any(sign in str(error).lower() for sign in _OUT_OF_MEMORY):
            raise MemoryError(str(error).partition("\n")[0]) from error
        raise


def _known(shape: Sequence[int | str | None]) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) and size > 0 else None for size in shape)


def _session_options(threads: int) -> Any:
    options = import_onnxruntime().SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Spinning threads take the core from the other stages: half of the throughput with two busy processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Plans of memory are kept for every shape ever seen.
    options.enable_mem_pattern = False
    return options
