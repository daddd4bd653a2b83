"""What a command costs: time, processor seconds and memory of its whole tree of processes."""

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

_EVERY_S = 0.25


@dataclass(frozen=True)
class Cost:
    """Of a command and all processes that it started."""

    wall_s: float
    cpu_s: float
    peak_mb: float  # of the sum of their proportional set sizes: memory that they share counts once


def measure(program: str, arguments: Sequence[str | Path]) -> tuple[Cost, dict[str, float]]:
    """Run ``python -m program arguments`` to its end; what it cost, and the JSON object that it printed.

    Raises WorkerError with its last words when it fails.
    """
    command = [sys.executable, "-m", program, *map(str, arguments)]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        over, peak = threading.Event(), [0]
        watcher = threading.Thread(target=_watch, args=(process.pid, peak, over))
        watcher.start()
        said: list[str] = []
        listener = threading.Thread(target=lambda: said.append(process.stderr.read() if process.stderr else ""))
        listener.start()
        out = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        over.set()
        watcher.join()
        listener.join()
    if process.returncode:
        last = next((line for line in reversed("".join(said).splitlines()) if line.strip()), "it said nothing")
        raise WorkerError(f"{program} ended with code {process.returncode}: {last}")
    cost = Cost(round(wall_s, 3), round(used.ru_utime + used.ru_stime, 3), round(peak[0] / 1e6, 1))
    return cost, msgspec.json.decode(out, type=dict[str, float])


def _watch(pid: int, peak: list[int], over: threading.Event) -> None:
    """Keep the highest memory of a tree of processes until it is over."""
    while not over.wait(_EVERY_S):
        try:
            root = psutil.Process(pid)
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        peak[0] = max(peak[0], sum(_memory(process) for process in family))


def _memory(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.uss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
