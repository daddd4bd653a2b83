"""Latency of cameras: from the first frame of a text to its event, by the camera's own clock."""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from stream_ocr.config.settings import Settings
from stream_ocr.evaluation.bench.machine import load_average, machine_info
from stream_ocr.events import TextEvent
from stream_ocr.service.live_pipeline import LivePipeline

_NEW_TEXT = ("appeared", "changed")
_PERCENTILES = (50, 90, 99)  # of the latencies that are reported


@dataclass
class CameraLatency:
    """Events of one camera.

    latencies_s: from the first frame of each text to its event. without_clock: texts without a time of the camera.
    """

    latencies_s: list[float] = field(default_factory=list)
    without_clock: int = 0
    size: tuple[int, int] = (0, 0)

    def add(self, event: TextEvent, now_s: float) -> None:
        """Add an event that arrived at a Unix time."""
        self.size = event.size
        if event.utc_source == "rtcp" and event.start_utc is not None:
            self.latencies_s.append(now_s - event.start_utc.timestamp())
        else:
            self.without_clock += 1


def measure(config: Path, overrides: Sequence[str], seconds: float) -> dict[str, Any]:
    """Run the cameras of a settings file for ``seconds``; return latencies by camera in milliseconds.

    The clocks of the cameras and of this machine must agree, as they do for a camera that runs on it. Raise
    SettingsError and WorkerError.
    """
    min_age_s = Settings.load(config, overrides).tracking.min_age_s
    latencies: defaultdict[str, CameraLatency] = defaultdict(CameraLatency)
    machine = machine_info()
    with LivePipeline.load(config, overrides=overrides) as pipeline:
        timer = threading.Timer(seconds, pipeline.stop)
        timer.start()
        try:
            for event in pipeline.events():
                if isinstance(event, TextEvent) and event.kind in _NEW_TEXT:
                    latencies[event.stream].add(event, time.time())
        finally:
            timer.cancel()
        notes = {stage: dict(pipeline.notes.get(stage, {})) for stage in ("detect", "recognize")}
        cameras = {
            name: {
                "size": camera.size,
                "dropped": pipeline.counters.of_stream(name)["dropped"],
                "detector_frames": pipeline.counters.of_stream(name)["detector_frames"],
                "frames": pipeline.counters.of_stream(name)["frames"],
                "without_clock": camera.without_clock,
                **percentiles(camera.latencies_s, min_age_s),
            }
            for name, camera in sorted(latencies.items())
        }
    return {
        "seconds": seconds,
        "min_age_ms": 1000 * min_age_s,
        "machine": machine,
        "load_at_end": load_average(),
        "notes": notes,
        "cameras": cameras,
    }


def show(results: dict[str, Any]) -> None:
    """Print a table with a row per camera."""
    table = Table("camera", "size", "events", "p50 ms", "p99 ms", "max ms", "after min_age: p50", "p99", box=None)
    for name, camera in results["cameras"].items():
        total, excess = camera["latency_ms"], camera["after_min_age_ms"]
        values = (total["p50"], total["p99"], total["max"], excess["p50"], excess["p99"])
        cells = ("" if value is None else f"{value:.0f}" for value in values)
        table.add_row(name, "×".join(map(str, camera["size"])), str(camera["events"]), *cells)
    Console(highlight=False).print(table)


def percentiles(latencies_s: Sequence[float], min_age_s: float) -> dict[str, Any]:
    """Return percentiles in milliseconds from a text's first frame, and from when it had reached ``min_age_s``."""
    return {
        "events": len(latencies_s),
        "latency_ms": _percentiles(latencies_s),
        "after_min_age_ms": _percentiles([latency - min_age_s for latency in latencies_s]),
    }


def _percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    if not seconds:
        return dict.fromkeys(("p50", "p90", "p99", "max"))
    p50, p90, p99 = np.percentile(seconds, _PERCENTILES)
    values = {"p50": p50, "p90": p90, "p99": p99, "max": max(seconds)}
    return {name: round(1000 * float(value), 1) for name, value in values.items()}
