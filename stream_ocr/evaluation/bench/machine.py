"""Description of the machine on which results were measured."""

import platform
from pathlib import Path
from typing import Any

import psutil

from stream_ocr.models.devices import usable_cores


def machine_info() -> dict[str, Any]:
    """Return the machine and its load before a measurement; call ``load_average`` after it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_at_start": load_average(),
    }


def load_average() -> float:
    """Return the load average of the last minute: processes that run or wait for a core."""
    return round(psutil.getloadavg()[0], 2)
