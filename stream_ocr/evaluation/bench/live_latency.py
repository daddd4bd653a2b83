"""How long it takes from what a camera sees until the event that tells it is there, by the camera's own clock."""

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

_NEWS = ("appeared", "changed")


@dataclass
class CameraLatency:
    """What came from one camera. ``late_s``: from the first picture of each text to its event."""

    late_s: list[float] = field(default_factory=list)
    unclocked: int = 0  # news of which the camera has not said when it was
    size: tuple[int, int] = (0, 0)

    def hear(self, event: TextEvent, now_s: float) -> None:
        """Take in an event that came at a Unix time."""
        self.size = event.size
        if event.utc_source == "rtcp" and event.start_utc is not None:
            self.late_s.append(now_s - event.start_utc.timestamp())
        else:
            self.unclocked += 1


def measure(config: Path, overrides: Sequence[str], seconds: float) -> dict[str, Any]:
    """Watch the cameras of a settings file for so long; figures by camera, in milliseconds.

    The clocks of the cameras and of this machine must agree; they do where a camera runs on it. Raises SettingsError
    and WorkerError.
    """
    steady_s = Settings.load(config, overrides).tracking.min_age_s
    heard: defaultdict[str, CameraLatency] = defaultdict(CameraLatency)
    before = machine_info()
    with LivePipeline.load(config, overrides=overrides) as pipeline:
        timer = threading.Timer(seconds, pipeline.stop)
        timer.start()
        try:
            for event in pipeline.events():
                if isinstance(event, TextEvent) and event.kind in _NEWS:
                    heard[event.stream].hear(event, time.time())
        finally:
            timer.cancel()
        notes = {stage: dict(pipeline.notes.get(stage, {})) for stage in ("detect", "recognize")}
        cameras = {
            name: {
                "size": of.size,
                "dropped": pipeline.counters.of_stream(name)["dropped"],
                "detector_frames": pipeline.counters.of_stream(name)["detector_frames"],
                "frames": pipeline.counters.of_stream(name)["frames"],
                "without_clock": of.unclocked,
                **figures(of.late_s, steady_s),
            }
            for name, of in sorted(heard.items())
        }
    return {
        "seconds": seconds,
        "steady_ms": 1000 * steady_s,
        "machine": before,
        "load_at_the_end": load_average(),
        "notes": notes,
        "cameras": cameras,
    }


def show(results: dict[str, Any]) -> None:
    """Print a row for each camera."""
    table = Table("camera", "size", "events", "p50 ms", "p99 ms", "max ms", "after steady: p50", "p99", box=None)
    for name, of in results["cameras"].items():
        whole, steady = of["from_picture_ms"], of["beyond_steady_ms"]
        figures = (whole["p50"], whole["p99"], whole["max"], steady["p50"], steady["p99"])
        cells = ("" if value is None else f"{value:.0f}" for value in figures)
        table.add_row(name, "×".join(map(str, of["size"])), str(of["events"]), *cells)
    Console(highlight=False).print(table)


def figures(late_s: Sequence[float], steady_s: float) -> dict[str, Any]:
    """Percentiles from the first picture, and from when a text had been there for ``steady_s``; milliseconds."""
    return {
        "events": len(late_s),
        "from_picture_ms": _spread(late_s),
        "beyond_steady_ms": _spread([late - steady_s for late in late_s]),
    }


def _spread(seconds: Sequence[float]) -> dict[str, float | None]:
    if not seconds:
        return dict.fromkeys(("p50", "p90", "p99", "max"))
    p50, p90, p99 = np.percentile(seconds, (50, 90, 99))
    values = {"p50": p50, "p90": p90, "p99": p99, "max": max(seconds)}
    return {name: round(1000 * float(value), 1) for name, value in values.items()}
