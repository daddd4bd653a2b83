"""Status of a run for its web process: a snapshot in shared memory that the supervisor replaces a few times a second.

The supervisor never waits for the reader, and a reader that was restarted has the latest snapshot at once.
"""

import time
from collections.abc import Mapping

import msgspec

from stream_ocr.core.messages import SlotRef
from stream_ocr.events.polygon import FlatQuad
from stream_ocr.logs import get_logger
from stream_ocr.runtime.live_supervisor import LiveSupervisor
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.service.camera_status import Camera, LatencyCounts
from stream_ocr.service.thresholds import THRESHOLDS

log = get_logger(__name__)

STATUS = "status"  # name of the ring


class CameraSnapshot(msgspec.Struct, frozen=True):
    """Status of a camera: see ``Camera``. counters: of all workers for its stream."""

    state: str
    reason: str | None
    fps: float
    updated_s: float | None
    events: Mapping[str, int]
    dropped: Mapping[str, int]
    latency: LatencyCounts
    positions: tuple[tuple[int, FlatQuad], ...]
    positions_s: float
    counters: Mapping[str, int]

    @property
    def age_s(self) -> float | None:
        """Seconds since a frame last passed all stages; None before the first."""
        return None if self.updated_s is None else time.monotonic() - self.updated_s


class WorkerSnapshot(msgspec.Struct, frozen=True):
    """Status of a worker."""

    up: bool = False
    restarts: int = 0
    degraded: bool = False
    batches: int = 0
    messages: int = 0
    quarantined: int = 0


class SettingsSnapshot(msgspec.Struct, frozen=True):
    """Settings file of a run. version: ``file_version`` that was read last. mistake: why its settings are not used."""

    version: str | None = None
    mistake: str | None = None


NO_FILE = SettingsSnapshot()  # of a run without a settings file


class RunSnapshot(msgspec.Struct, frozen=True):
    """Status of a run. checked_s: monotonic time at which the supervisor last checked its workers.

    not_ready: stages that are not up, or keep failing. slots_reclaimed: by ring. open_streams: also of sources
    that were removed.
    """

    checked_s: float
    not_ready: list[str]
    cameras: Mapping[str, CameraSnapshot]
    workers: Mapping[str, WorkerSnapshot]
    slots_reclaimed: Mapping[str, int]
    open_streams: list[str] = []
    settings: SettingsSnapshot = NO_FILE


class StatusWriter:
    """Writes snapshots of a run, at most every ``interval_s``."""

    def __init__(self, interval_s: float = THRESHOLDS.status_interval_s) -> None:
        self._interval_s, self._written_s = interval_s, 0.0
        self._current: SlotRef | None = None

    def write(
        self,
        ring: Ring,
        supervisor: LiveSupervisor,
        cameras: Mapping[str, Camera],
        settings: SettingsSnapshot = NO_FILE,
    ) -> None:
        """Write a snapshot, if one is due."""
        now = time.monotonic()
        if now - self._written_s < self._interval_s:
            return
        self._written_s = now
        data = msgspec.msgpack.encode(take_snapshot(supervisor, cameras, settings))
        if len(data) > ring.slot_bytes:
            log.error("the status of the run is too long to show", size=len(data), limit=ring.slot_bytes)
            return
        if (claim := ring.claim(0.0)) is None:
            return
        claim[1][: len(data)] = data
        before, self._current = self._current, ring.commit(claim[0], len(data))
        if before is not None:
            ring.release(before)  # only now, so that the next one is not written over the current one


def read_snapshot(ring: Ring) -> RunSnapshot | None:
    """Return the latest snapshot, or None if there is none yet."""
    data = ring.peek(lambda size, slot: bytes(slot[:size]))
    return None if data is None else msgspec.msgpack.decode(data, type=RunSnapshot)


def take_snapshot(
    supervisor: LiveSupervisor, cameras: Mapping[str, Camera], settings: SettingsSnapshot = NO_FILE
) -> RunSnapshot:
    """Return the status of a run as of now."""
    counters, pids, degraded = supervisor.counters, supervisor.pids, supervisor.degraded
    by_stream = counters.by_stream()
    workers = {}
    for name, restarts in supervisor.restarts.items():
        own = counters.of_worker(name)
        workers[name] = WorkerSnapshot(
            up=name in pids,
            restarts=restarts,
            degraded=name in degraded,
            batches=own["batches"],
            messages=own["messages"],
            quarantined=counters.quarantined[name],
        )
    return RunSnapshot(
        checked_s=supervisor.checked_s,
        not_ready=sorted({*supervisor.not_ready, *degraded} & {*supervisor.stages}),
        cameras={name: camera_snapshot(camera, by_stream.get(name, {})) for name, camera in cameras.items()},
        workers=workers,
        slots_reclaimed=counters.slots_reclaimed,
        open_streams=supervisor.open_streams,
        settings=settings,
    )


def camera_snapshot(camera: Camera, counters: Mapping[str, int]) -> CameraSnapshot:
    """Return the status of a camera as of now."""
    return CameraSnapshot(
        state=camera.state,
        reason=camera.reason,
        fps=camera.fps,
        updated_s=camera.updated_s,
        events=camera.events,
        dropped=camera.dropped,
        latency=camera.latency,
        positions=camera.positions,
        positions_s=camera.positions_s,
        counters=counters,
    )
