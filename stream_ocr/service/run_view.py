"""What those who look at a run may ask it, from any thread."""

from collections.abc import Mapping
from typing import Protocol

from stream_ocr.runtime.run_counters import RunCounters
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.service.camera_status import Camera


class RunView(Protocol):
    """A run of cameras. restarts, pids, degraded: of its workers, by name."""

    @property
    def cameras(self) -> Mapping[str, Camera]: ...

    @property
    def ledger(self) -> RunCounters: ...

    @property
    def restarts(self) -> Mapping[str, int]: ...

    @property
    def pids(self) -> Mapping[str, int]: ...

    @property
    def degraded(self) -> list[str]: ...

    @property
    def rings(self) -> Mapping[str, Ring]: ...
