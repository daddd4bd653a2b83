"""Choice of the device, number type and threads for a network.

The choice depends on the machine alone, never on timing: two processes on one machine must choose the same, or the same
clip would yield different events.
"""

import ctypes
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from stream_ocr.errors import DeviceError
from stream_ocr.models.thresholds import THRESHOLDS

Runtime = Literal["torch", "onnx", "mnn"]
Device = Literal["cpu", "cuda"]
Dtype = Literal["fp32", "bf16"]


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """Runtime and device of a network. threads: of one call on a CPU. reason: why this choice, for logs."""

    runtime: Runtime
    device: Device
    dtype: Dtype
    threads: int
    reason: str

    def __str__(self) -> str:
        threads = f", {self.threads} thread{'s' if self.threads > 1 else ''}" if self.device == "cpu" else ""
        return f"{self.runtime} on {self.device}, {self.dtype}{threads} ({self.reason})"


_PACKAGES: dict[Runtime, tuple[str, str, str]] = {
    "torch": ("torch", "torch", "pip install 'stream-ocr[torch]'"),
    "onnx": ("onnxruntime", "ONNX Runtime", "pip install 'stream-ocr[onnx]'"),
    "mnn": ("MNN", "MNN", "pip install mnn"),
}
"""Of each runtime: the module, the name, and how to install it."""


def not_installed(runtime: Runtime) -> str:
    """Return that a runtime is not installed, and how to install it; empty when it is installed. Imports nothing."""
    module, name, remedy = _PACKAGES[runtime]
    return "" if find_spec(module) else f"{name} is not installed ({remedy})"


def import_onnxruntime() -> Any:
    """Import ONNX Runtime with its telemetry off, which is on by default from 1.31 on."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


def pick_device(
    setting: Literal["auto", "cpu", "cuda"] = "auto",
    *,
    runtime: Runtime = "torch",
    dtype: Literal["auto", "fp32", "bf16"] = "auto",
    threads: int | None = None,
) -> BackendChoice:
    """Choose device, number type and threads for a network.

    setting auto: CUDA where ``runtime`` can use it, else the CPU. dtype auto: bf16 for torch where the device has
    instructions for it, else fp32. Raise DeviceError when the runtime is not installed, or a requested device or type
    is not available: nothing falls back silently.
    """
    if absent := not_installed(runtime):
        raise DeviceError(f"{absent}.")
    missing = "" if setting == "cpu" else cuda_unavailable(runtime)
    if setting == "cuda" and missing:
        raise DeviceError(f"device cuda was requested, but {missing}; set device to auto or cpu.")
    device: Device = "cpu" if setting == "cpu" or missing else "cuda"
    if dtype == "bf16" and runtime != "torch":
        raise DeviceError("dtype bf16 was requested, but ONNX models and MNN run in fp32; set dtype to auto or fp32.")
    reason = "it was requested" if setting == device else missing or f"{runtime} sees a CUDA device"
    chosen: Dtype
    if dtype != "auto":
        chosen = dtype
    elif runtime == "torch" and (has_bf16 := computes_bf16(device)):
        chosen, reason = "bf16", f"{reason}; {has_bf16}"
    else:
        chosen = "fp32"
    return BackendChoice(runtime, device, chosen, threads or _default_threads(runtime), reason)


def usable_cores() -> int:
    """Return the number of cores that this process may use, by its affinity and the CPU quota of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.is_file():
        allowed, _, period = quota.read_text().partition(" ")
        if allowed != "max":
            cores = min(cores, max(1, round(int(allowed) / int(period))))
    return cores


def _default_threads(runtime: Runtime) -> int:
    # MNN and ONNX Runtime gain 1.7 times from a second thread. The small torch nets gain hardly anything, and a
    # recurrent layer that waits for a busy core is six times slower.
    return 1 if runtime == "torch" else min(THRESHOLDS.max_threads, usable_cores())


def cuda_unavailable(runtime: Runtime) -> str:
    """Return why ``runtime`` cannot use a CUDA device; empty when it can."""
    if runtime == "mnn":
        return "MNN is used on CPUs only"
    if not _cuda_devices():
        return "the driver sees no CUDA device"
    if absent := not_installed(runtime):
        return absent
    if runtime == "torch":
        import torch

        return "" if torch.cuda.is_available() else f"torch {torch.__version__} sees no CUDA device"
    onnxruntime = import_onnxruntime()
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return f"onnxruntime {onnxruntime.__version__} is built without CUDA (onnxruntime-gpu has it)"
    return ""


def _cuda_devices() -> int:
    """Return the number of CUDA devices that the driver reports, without importing torch."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    return count.value if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


def computes_bf16(device: Device) -> str:
    """Return which instructions make bf16 faster than fp32 on a device; empty when there are none."""
    if device == "cuda":
        import torch

        return "the GPU computes in bf16" if torch.cuda.get_device_capability() >= (8, 0) else ""
    info = Path("/proc/cpuinfo")
    flags = info.read_text(errors="replace") if info.is_file() else ""
    instructions = next((flag for flag in ("amx_bf16", "avx512_bf16") if f" {flag}" in flags), None)
    return f"the CPU has {instructions}" if instructions else ""
