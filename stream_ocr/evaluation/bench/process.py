"""Measure the cost of a command: time, CPU seconds and memory of its process tree."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from stream_ocr.errors import WorkerError
from stream_ocr.evaluation.thresholds import THRESHOLDS


@dataclass(frozen=True)
class Cost:
    """Cost of a command and all processes that it started.

    peak_mb: peak of the sum of their proportional set sizes, so that shared memory counts once; in 10⁶ bytes.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float


def measure(program: str, arguments: Sequence[str | Path]) -> tuple[Cost, dict[str, float]]:
    """Run ``python -m program arguments``; return its cost and the JSON object that it printed.

    Raise WorkerError with the last line of its standard error when it fails.
    """
    command = [sys.executable, "-m", program, *map(str, arguments)]
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        finished, peak = threading.Event(), [0]
        sampler = threading.Thread(target=_sample_memory, args=(process.pid, peak, finished))
        sampler.start()
        errors: list[str] = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read() if process.stderr else ""))
        reader.start()
        out = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        finished.set()
        sampler.join()
        reader.join()
    if process.returncode:
        last = next((line for line in reversed("".join(errors).splitlines()) if line.strip()), "no error message")
        raise WorkerError(f"{program} ended with code {process.returncode}: {last}")
    cost = Cost(round(wall_s, 3), round(used.ru_utime + used.ru_stime, 3), round(peak[0] / 1e6, 1))
    return cost, msgspec.json.decode(out, type=dict[str, float])


def _sample_memory(pid: int, peak: list[int], finished: threading.Event) -> None:
    """Record the peak memory of a process tree in ``peak[0]``, in bytes, until ``finished`` is set."""
    interval_s = THRESHOLDS.first_memory_interval_s
    while not finished.wait(interval_s):
        interval_s = min(2 * interval_s, THRESHOLDS.memory_interval_s)
        try:
            root = psutil.Process(pid)
            tree = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        peak[0] = max(peak[0], sum(_memory(process) for process in tree))


def _memory(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.uss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
