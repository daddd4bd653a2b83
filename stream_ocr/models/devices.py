"""What a network runs on, and why: the device, the type of its numbers, threads.

These follow from the machine alone, never from a stopwatch: two processes on one machine must pick the same, or the
same clip would give other events.
"""

import ctypes
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from stream_ocr.errors import DeviceError

Runtime = Literal["torch", "onnx", "mnn"]
Device = Literal["cpu", "cuda"]
Dtype = Literal["fp32", "bf16"]

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


def no_mnn() -> str:
    """Why MNN cannot be used; empty when it can."""
    return "" if find_spec("MNN") else "MNN is not installed"
