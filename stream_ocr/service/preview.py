"""Preview of a run: status of all cameras and workers, and the latest frame of each camera as a JPEG.

It works on demand and reads shared memory without a reference, so it costs nothing while nobody asks.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock
from typing import Any, Protocol

import numpy as np

from stream_ocr.core import frame as frames
from stream_ocr.core.frame import Frame
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.service.run_status import CameraSnapshot, RunSnapshot
from stream_ocr.service.thresholds import THRESHOLDS
from stream_ocr.stages.base import frame_ring
from stream_ocr.viz.thumbnails import encode_jpeg, frame_to_bgr

WIDTHS_PX = (320, 640, 1280)
"""Widths in pixels of the pictures that are encoded, so that viewers share them."""


class RunView(Protocol):
    """A run as other processes see it, from any thread. rings: by name."""

    @property
    def snapshot(self) -> RunSnapshot: ...

    @property
    def rings(self) -> Mapping[str, Ring]: ...


class Preview:
    """Status and frames of a run. Safe to use from any thread."""

    def __init__(self, run: RunView) -> None:
        self._run = run
        self._lock = Lock()
        self._cache: dict[tuple[str, int], tuple[float, bytes]] = {}

    def handle(self, path: str, query: Mapping[str, str]) -> tuple[str, bytes] | None:
        """Return content type and body of ``/live`` or ``/picture?stream=NAME&width=PIXELS``; None for other paths."""
        if path == "/live":
            return "application/json", json.dumps(self.status()).encode()
        if path == "/picture":
            width = query.get("width", "")
            jpeg = self.latest_jpeg(query.get("stream", ""), int(width) if width.isdecimal() else WIDTHS_PX[-1])
            return ("image/jpeg", jpeg) if jpeg else None
        return None

    def status(self) -> dict[str, Any]:
        """Return the status of all cameras and workers, for JSON."""
        run, rings = self._run.snapshot, self._run.rings
        cameras = {name: _camera_status(name, camera, rings) for name, camera in run.cameras.items()}
        stages = {}
        for name, worker in run.workers.items():
            batch = worker.messages / worker.batches if worker.batches else None
            stages[name] = {"up": worker.up, "restarts": worker.restarts, "batch": batch}
        settings = {"version": run.settings.version, "mistake": run.settings.mistake}
        return {"cameras": cameras, "stages": stages, "settings": settings}

    def latest_jpeg(self, stream: str, width_px: int) -> bytes | None:
        """Return the latest frame of a camera as a JPEG of the next larger of ``WIDTHS_PX``; None if there is none."""
        if stream not in self._run.snapshot.cameras:
            return None
        key = stream, next((width for width in WIDTHS_PX if width >= width_px), WIDTHS_PX[-1])
        with self._lock:
            now = time.monotonic()
            cached = self._cache.get(key)
            if cached is not None and now - cached[0] <= THRESHOLDS.preview_cache_s:
                return cached[1]
            if (bgr := self._latest_frame(stream, key[1])) is not None:
                cached = self._cache[key] = now, encode_jpeg(bgr)
            return None if cached is None else cached[1]

    def _latest_frame(self, stream: str, width_px: int) -> np.ndarray | None:
        """Return (H, W, 3) uint8 in BGR order."""

        def copy(header: int, data: memoryview) -> np.ndarray:
            frame = frames.frame_from_header(data, header)
            return frame_to_bgr(frame, _fit(frame, width_px))

        with suppress(ValueError):  # the camera was just removed from the settings, and its ring closed
            if ring := self._run.rings.get(frame_ring(stream)):
                return ring.peek(copy)
        return None


def _camera_status(name: str, camera: CameraSnapshot, rings: Mapping[str, Ring]) -> dict[str, Any]:
    commits, lead_s = 0, 0.0
    with suppress(ValueError, KeyError):  # as above
        ring = rings[frame_ring(name)]
        commits = ring.filled
        lead_s = ring.peek(lambda header, _: _lead_s(header, camera.positions_s)) or 0.0
    return {
        "state": camera.state,
        "reason": camera.reason,
        "fps": round(camera.fps, 1),
        "age_s": camera.age_s,
        "dropped": sum(camera.dropped.values()),
        "frame_number": commits,  # changes with each new frame
        "positions": camera.positions,
        "positions_s": camera.positions_s,
        "lead_s": lead_s,  # of the frame before the positions
        **{what: camera.counters.get(what, 0) for what in ("frames", "detector_frames", "boxes", "crops_read")},
    }


def _lead_s(header: int, time_s: float) -> float:
    """Return how much newer a frame is than ``time_s``; 0 if it is not, or from another epoch."""
    lead_ms = (frames.header_time_ms(header) - round(time_s * 1000)) % frames.HEADER_WRAP_MS
    return lead_ms / 1000 if lead_ms < THRESHOLDS.max_preview_lead_ms else 0.0


def _fit(frame: Frame, width_px: int) -> tuple[int, int]:
    """Return (width, height) with the aspect ratio of a frame, at most ``width_px`` wide and never enlarged."""
    width, height = frame.size
    scale = min(1.0, width_px / width)
    return max(round(width * scale), 1), max(round(height * scale), 1)
