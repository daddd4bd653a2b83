"""What runs a network: torch for our own, ONNX Runtime for anybody's (and see ``mnn_engine``). Arrays in, arrays out.

Which device, type and number of threads are taken follows from the machine alone, never from a stopwatch: two
processes on one machine must pick the same, or the same clip would give other events.
"""

import ctypes
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from stream_ocr.errors import DeviceError, WeightsError

if TYPE_CHECKING:
    from torch import nn

Runtime = Literal["torch", "onnx", "mnn"]
Device = Literal["cpu", "cuda"]
Dtype = Literal["fp32", "bf16"]

_OUT_OF_MEMORY = ("out of memory", "allocate memory", "bad_alloc", "bad allocation")

MOST_THREADS = 4
"""More threads gain little on pictures of the size of a video frame."""


@dataclass(frozen=True, slots=True)
class Picked:
    """What a network runs on, and why. ``threads`` are those of one call on the CPU."""

    runtime: Runtime
    device: Device
    dtype: Dtype
    threads: int
    why: str

    def __str__(self) -> str:
        threads = f", {self.threads} thread{'s' if self.threads > 1 else ''}" if self.device == "cpu" else ""
        return f"{self.runtime} on {self.device}, {self.dtype}{threads} ({self.why})"


class Engine(Protocol):
    """A network that is ready to run."""

    picked: Picked

    def run(self, x: np.ndarray) -> np.ndarray:
        """The network's first output for a batch, both float32. Raises MemoryError when the batch is too large."""
        ...


def import_onnxruntime() -> Any:
    """ONNX Runtime, which is not to tell its makers about this machine, as it does by default from 1.31 on."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def pick_device(
    setting: Literal["auto", "cpu", "cuda"] = "auto",
    *,
    runtime: Runtime = "torch",
    dtype: Literal["auto", "fp32", "bf16"] = "auto",
    threads: int | None = None,
) -> Picked:
    """Device, type and threads for a network.

    auto takes CUDA where ``runtime`` can use it, or else the CPU; bf16 for torch where the device computes in it, or
    else fp32. Raises DeviceError when what was asked for is not there: nothing falls back in silence.
    """
    lacking = "" if setting == "cpu" else _no_cuda(runtime)
    if setting == "cuda" and lacking:
        raise DeviceError(f"device cuda was asked for, but {lacking}; set device to auto or cpu.")
    device: Device = "cpu" if setting == "cpu" or lacking else "cuda"
    if dtype == "bf16" and runtime != "torch":
        raise DeviceError("dtype bf16 was asked for, but ONNX models and MNN run in fp32; set dtype to auto or fp32.")
    why = "it was asked for" if setting == device else lacking or f"{runtime} sees a CUDA device"
    chosen: Dtype
    if dtype != "auto":
        chosen = dtype
    elif runtime == "torch" and (has_bf16 := computes_bf16(device)):
        chosen, why = "bf16", f"{why}; {has_bf16}"
    else:
        chosen = "fp32"
    return Picked(runtime, device, chosen, threads or _threads(runtime), why)


def usable_cores() -> int:
    """Cores that this process may keep busy: its affinity, and the quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.is_file():
        allowed, _, period = quota.read_text().partition(" ")
        if allowed != "max":
            cores = min(cores, max(1, round(int(allowed) / int(period))))
    return cores


def _threads(runtime: Runtime) -> int:
    # MNN and ONNX Runtime gain 1.7 times from a second thread. The small torch nets gain hardly anything, and a
    # recurrent layer that waits for a busy core is six times slower.
    return 1 if runtime == "torch" else min(MOST_THREADS, usable_cores())


def _no_cuda(runtime: Runtime) -> str:
    """Why ``runtime`` cannot use a CUDA device; empty when it can."""
    if runtime == "mnn":
        return "MNN is here for CPUs"
    if not _cuda_devices():
        return "the driver sees no CUDA device"
    if runtime == "torch":
        import torch

        return "" if torch.cuda.is_available() else f"torch {torch.__version__} sees no CUDA device"
    onnxruntime = import_onnxruntime()
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return f"onnxruntime {onnxruntime.__version__} comes without CUDA (onnxruntime-gpu has it)"
    return ""


def _cuda_devices() -> int:
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    return count.value if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


def computes_bf16(device: Device) -> str:
    """Which instructions make bf16 faster than fp32; empty when none do."""
    if device == "cuda":
        import torch

        return "the GPU computes in bf16" if torch.cuda.get_device_capability() >= (8, 0) else ""
    info = Path("/proc/cpuinfo")
    flags = info.read_text(errors="replace") if info.is_file() else ""
    found = next((flag for flag in ("amx_bf16", "avx512_bf16") if f" {flag}" in flags), None)
    return f"the CPU has {found}" if found else ""


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
    """Fold each batch norm that follows a convolution in an ``nn.Sequential`` into it, in place; evaluation mode."""
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    net.eval()
    for layers in [module for module in net.modules() if isinstance(module, nn.Sequential)]:
        for i in range(len(layers) - 1):
            first, second = layers[i], layers[i + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                layers[i], layers[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
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
