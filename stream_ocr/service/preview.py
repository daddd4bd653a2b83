"""What onlookers see of a run: how each camera does, and its latest picture. Nothing is done before somebody asks."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock
from typing import Any

import numpy as np

from stream_ocr.core import frame as frames
from stream_ocr.core.frame import Frame
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.service.camera_status import Camera
from stream_ocr.service.run_view import RunView
from stream_ocr.stages.base import frame_ring
from stream_ocr.viz.thumbnails import colours, jpeg

WIDTHS_PX = (320, 640, 1280)
_KEPT_S = 0.4  # for so long a picture is given to everybody who asks
_MOST_AHEAD_MS = 5000


class Preview:
    """Looks at a run, from any thread."""

    def __init__(self, run: RunView) -> None:
        self._run = run
        self._lock = Lock()
        self._kept: dict[tuple[str, int], tuple[float, bytes]] = {}

    def show(self, path: str, query: Mapping[str, str]) -> tuple[str, bytes] | None:
        """Content type and body of ``/live``, or of ``/picture?stream=NAME&width=PIXELS``; None for all else."""
        if path == "/live":
            return "application/json", json.dumps(self.state()).encode()
        if path == "/picture":
            width = query.get("width", "")
            data = self.picture(query.get("stream", ""), int(width) if width.isdecimal() else WIDTHS_PX[-1])
            return ("image/jpeg", data) if data else None
        return None

    def state(self) -> dict[str, Any]:
        """How everything does, as JSON can say it."""
        run, rings = self._run, self._run.rings
        cameras = {name: self._camera(name, camera, rings) for name, camera in list(run.cameras.items())}
        stages = {}
        for name, restarts in run.restarts.items():
            counted = run.ledger.of_worker(name)
            batch = counted["messages"] / counted["batches"] if counted["batches"] else None
            stages[name] = {"up": name in run.pids, "restarts": restarts, "batch": batch}
        return {"cameras": cameras, "stages": stages}

    def picture(self, stream: str, width_px: int) -> bytes | None:
        """The latest picture of a camera as a JPEG, some such width; None where there is none."""
        if stream not in self._run.cameras:
            return None
        key = stream, next((each for each in WIDTHS_PX if each >= width_px), WIDTHS_PX[-1])
        with self._lock:
            now = time.monotonic()
            kept = self._kept.get(key)
            if kept is not None and now - kept[0] <= _KEPT_S:
                return kept[1]
            if (bgr := self._latest(stream, key[1])) is not None:
                kept = self._kept[key] = now, jpeg(bgr)
            return None if kept is None else kept[1]

    def _latest(self, stream: str, width_px: int) -> np.ndarray | None:
        """(H, W, 3) uint8, blue first."""

        def seen(note: int, data: memoryview) -> np.ndarray:
            frame = frames.noted(data, note)
            return colours(frame, _fitting(frame, width_px))

        with suppress(ValueError):  # its camera has just been taken out of the settings
            if ring := self._run.rings.get(frame_ring(stream)):
                return ring.peek(seen)
        return None

    def _camera(self, name: str, camera: Camera, rings: Mapping[str, Ring]) -> dict[str, Any]:
        counted = self._run.ledger.counts(name)
        told = {what: counted[what] for what in ("frames", "detector_frames", "boxes", "crops_read")}
        filled, ahead_s = 0, 0.0
        with suppress(ValueError, KeyError):  # as above
            filled = rings[frame_ring(name)].filled
            ahead_s = rings[frame_ring(name)].peek(lambda note, _: _ahead_s(note, camera.places_s)) or 0.0
        return {
            "state": camera.state,
            "reason": camera.reason,
            "fps": round(camera.fps, 1),
            "age_s": camera.age_s,
            "dropped": sum(list(camera.dropped.values())),
            "picture": filled,  # another number: another picture
            "places": camera.places,
            "places_s": camera.places_s,
            "ahead_s": ahead_s,  # of the picture: how much newer it is than the places
            **told,
        }


def _ahead_s(note: int, time_s: float) -> float:
    ahead_ms = (frames.noted_ms(note) - round(time_s * 1000)) % frames.WRAP_MS
    return ahead_ms / 1000 if ahead_ms < _MOST_AHEAD_MS else 0.0


def _fitting(frame: Frame, width_px: int) -> tuple[int, int]:
    """(width, height) of a picture of a frame that is no wider than that, nor larger than the frame."""
    width, height = frame.size
    scale = min(1.0, width_px / width)
    return max(round(width * scale), 1), max(round(height * scale), 1)
