"""The supervisor of a run over files: the first failure of a worker ends the run."""

from collections.abc import Mapping
from typing import Any, Self

from stream_ocr.errors import WorkerError
from stream_ocr.runtime.run_loop import RunLoop, SupervisorBase
from stream_ocr.runtime.thresholds import THRESHOLDS
from stream_ocr.runtime.topology import OUTCOME, Process, RingSize, Topology
from stream_ocr.stages.base import frame_ring


class Supervisor(SupervisorBase):
    """One run of a topology, for files.

        with Supervisor(topology, settings) as supervisor:
            for message in supervisor.messages():
                ...

    The first death, failure or hang of a worker ends the run with one clear sentence. (``live_supervisor`` restarts
    workers instead.) Enter it in a thread that lives as long as the run (see ``run_loop``).
    """

    def __init__(
        self,
        topology: Topology,
        settings: Mapping[str, Any],
        *,
        start_s: float = THRESHOLDS.start_s,
        hang_s: float = THRESHOLDS.hang_s,
        stall_s: float = THRESHOLDS.stall_s,
        drain_s: float = THRESHOLDS.drain_s,
    ) -> None:
        """settings: passed to every stage; must be JSON.

        start_s: until all workers must be ready. hang_s: without a heartbeat a worker hangs. stall_s: without progress
        of any worker the run is stuck. drain_s: from ``stop`` to the end.
        """
        self._loop = RunLoop(topology, settings, self, live=False, start_s=start_s, hang_s=hang_s, drain_s=drain_s)
        self._stall_s = stall_s
        self._last_progress = (0, 0.0)  # messages, watch clock

    def __enter__(self) -> Self:
        """Start the workers and wait until they are ready. Raise WorkerError."""
        self._loop.start()
        return self

    def read_next(self, source: Process, ring: RingSize) -> None:
        """Read another stream of the topology with the same workers, once all streams before have closed.

        source: its row. ring: of its frames. Raise WorkerError if its worker cannot be started.
        """
        pool = self._loop.pool
        assert source.writes is not None, "a source writes frames"
        try:
            for worker in [worker for worker in pool.workers.values() if worker.process.is_source]:
                worker.request_stop()
                worker.end(THRESHOLDS.shutdown_grace_s)
                del pool.workers[worker.process.name]
                pool.drop_ring(frame_ring(worker.process.stream or ""))
            pool.add_ring(source.writes, ring)
            pool.start(source).start_source()
        except OSError as error:
            raise WorkerError(f"The workers could not be started: {error}.") from error

    @property
    def durations_s(self) -> dict[str, float | None]:
        """Length of each stream whose worker is ready, None where it is unknown."""
        sources = [worker for worker in list(self._loop.pool.workers.values()) if worker.process.is_source]
        return {worker.process.stream or "": worker.ready.duration_s for worker in sources if worker.ready}

    @property
    def progress(self) -> dict[str, int]:
        """Messages received and sent by each worker."""
        return {name: worker.heartbeat.progress for name, worker in self._loop.pool.workers.items()}

    def check(self) -> str | None:
        """Return what ends the run: the first failure, a stall, or a stop that takes too long."""
        loop = self._loop
        for worker in loop.pool.workers.values():
            if failure := loop.failure_of(worker):
                return f"The {failure}; what was read so far is kept."
        progress = loop.received + sum(self.progress.values())
        if progress != self._last_progress[0]:
            self._last_progress = (progress, loop.watched_s)
        if loop.watched_s - self._last_progress[1] > self._stall_s:
            return f"No worker made progress for {self._stall_s:g} s; what was read so far is kept."
        return loop.overdue()

    def is_over(self) -> bool:
        """Return whether the last worker has finished and all its messages have been received."""
        last = next(worker for worker in self._loop.pool.workers.values() if worker.process.output == OUTCOME)
        return last.finished is not None and self._loop.received >= last.finished.sent
