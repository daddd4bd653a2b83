"""The supervisor of a run over cameras: workers that fail are restarted, and the rest goes on."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

from stream_ocr.core.messages import Message, Published, StreamClosed, Watermark
from stream_ocr.logs import get_logger
from stream_ocr.runtime.control_messages import ResendState, SourcesChanged
from stream_ocr.runtime.counters import RunCounters
from stream_ocr.runtime.restart_history import RestartHistory
from stream_ocr.runtime.run_loop import RunLoop, SupervisorBase
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.runtime.source_status import SourceStatus
from stream_ocr.runtime.thresholds import THRESHOLDS
from stream_ocr.runtime.topology import Process, RingSize, Topology
from stream_ocr.runtime.worker_process import WorkerProcess
from stream_ocr.stages.base import frame_ring

log = get_logger(__name__)


class _Leaving(NamedTuple):
    process: Process
    worker: WorkerProcess | None  # None: it could not be started
    due_s: float  # watch clock


class LiveSupervisor(SupervisorBase):
    """One run of a topology, for cameras.

    A worker that dies, fails or hangs is restarted; ``messages`` ends when every stream has closed, by itself or after
    ``stop``. Enter it in a thread that lives as long as the run (see ``run_loop``). counters: of all workers.
    checked_s: monotonic time of the last check of the workers.
    """

    def __init__(
        self,
        topology: Topology,
        settings: Mapping[str, Any],
        *,
        start_s: float = THRESHOLDS.start_s,
        hang_s: float = THRESHOLDS.live_hang_s,
        drain_s: float = THRESHOLDS.live_drain_s,
        origin_s: float | None = None,
        on_check: Callable[[], None] = lambda: None,
    ) -> None:
        """settings: passed to every stage; must be JSON.

        start_s: until all workers, and later each restarted one, must be ready. hang_s: without a heartbeat a worker
        hangs. drain_s: from ``stop`` to the end. origin_s: monotonic time that is media time 0 of all sources; now by
        default. on_check: called about ten times a second by the thread that iterates ``messages``.
        """
        self._loop = RunLoop(topology, settings, self, live=True, start_s=start_s, hang_s=hang_s, drain_s=drain_s)
        self._pool, self._start_s = self._loop.pool, start_s
        self.counters = RunCounters()
        self.checked_s = time.monotonic()
        self._on_check = on_check
        self._status = SourceStatus(self._pool, time.monotonic() if origin_s is None else origin_s)
        self._processes = {process.name: process for process in topology.processes}
        self._restarts = {name: RestartHistory() for name in self._processes}
        self._starting: dict[str, float] = {}  # workers that are not ready, since when (watch clock)
        self._pending_restarts: dict[str, _Leaving] = {}  # due_s: when to restart
        self._stopped: dict[str, _Leaving] = {}  # sources that were asked to stop; due_s: when to kill
        self._open_streams: dict[str, Process] = {}  # by stream: the source that closes it
        self._resend_due: dict[str, float] = {}  # by stream: when to close it in place of its source (watch clock)

    def __enter__(self) -> Self:
        """Start the stages, and the sources once all stages are ready: earlier frames would only get stale."""
        self._loop.start()
        for name, process in self._processes.items():
            if process.is_source:
                self._start_source(name)
        return self

    @property
    def restarts(self) -> dict[str, int]:
        """Number of restarts of each worker."""
        return {name: restarts.count for name, restarts in list(self._restarts.items())}

    @property
    def degraded(self) -> list[str]:
        """Workers that fail again and again."""
        restarts = list(self._restarts.items())
        return [name for name, history in restarts if history.degraded(self._loop.watched_s)]

    @property
    def stages(self) -> list[str]:
        """Workers that all streams need."""
        return [name for name, process in list(self._processes.items()) if process.input is not None]

    @property
    def open_streams(self) -> list[str]:
        """Streams of which more may come, also of sources that were removed."""
        replaced = [process.stream for process, _, _ in list(self._stopped.values()) if process.stream is not None]
        return sorted({*list(self._open_streams), *replaced})

    @property
    def not_ready(self) -> list[str]:
        """Workers that all streams need and that are not ready."""
        return sorted(name for name in self.stages if name in self._pending_restarts or name in self._starting)

    @property
    def rings(self) -> Mapping[str, Ring]:
        """All rings by name."""
        return dict(self._pool.rings)

    def start_service(self, process: Process) -> None:
        """Start a worker without which the run goes on. Call it once, after the start of the run."""
        assert process.is_service
        self._processes[process.name] = process
        self._restarts[process.name] = RestartHistory()
        self._start(process.name)

    def set_source(self, process: Process, size: RingSize, settings: Mapping[str, Any]) -> None:
        """Add a source, or replace the one of the same name. settings: all settings from now on."""
        assert process.stream is not None, "a source reads a stream"
        self._apply_settings(settings)
        if frame_ring(process.stream) not in self._pool.rings:
            self._pool.add_ring(frame_ring(process.stream), size)
        self._processes[process.name] = process
        self._restarts.setdefault(process.name, RestartHistory())
        if process.name in self._pool.workers:
            self._stop_source(process.name)
        elif process.name not in self._pending_restarts and process.name not in self._stopped:
            self._start_source(process.name)

    def drop_source(self, name: str, settings: Mapping[str, Any]) -> None:
        """Let the worker of a source close its stream and end. settings: all settings from now on."""
        self._apply_settings(settings)
        del self._processes[name], self._restarts[name]
        if name in self._pool.workers:
            self._stop_source(name)
        elif name in self._pending_restarts:
            self._stopped[name] = self._pending_restarts.pop(name)

    def on_message(self, message: Message | Watermark) -> None:
        """Keep track of open streams and of their media times."""
        if isinstance(message, StreamClosed):
            source = self._open_streams.get(message.stream)
            if source is not None and message.incarnation >= self._pool.incarnation(source.name):
                self._status.closed(message.stream)
                del self._open_streams[message.stream]
                self._resend_due.pop(message.stream, None)
        elif isinstance(message, Published):
            self._status.published(message.stream, message.time_s)

    def check(self) -> str | None:
        """Restart workers that failed and end those that were stopped."""
        self.checked_s = time.monotonic()
        self._on_check()
        for name, worker in list(self._pool.workers.items()):
            if worker.finished:
                continue
            failure = self._loop.failure_of(worker) or self._late(name)
            self.counters.read(worker)
            if failure:
                self._retire(name, worker, failure)
            elif worker.ready and name in self._starting:
                self._on_ready(name, worker)
        self._restart_due()
        self._reap_stopped()
        self._resend_closings()
        return self._loop.overdue()

    def is_over(self) -> bool:
        """Return whether every stream has closed and no source is about to be replaced."""
        return not self._stopped and not self._open_streams

    def has_pending_workers(self) -> bool:
        """Return whether workers wait for their restart: all may have failed at once."""
        return bool(self._pending_restarts)

    def on_end(self) -> None:
        """Kill the workers that are no longer in the pool."""
        for leaving in (*self._pending_restarts.values(), *self._stopped.values()):
            if leaving.worker is not None:
                leaving.worker.fork.kill()
                leaving.worker.end(0.0)
        self._pending_restarts.clear()
        self._stopped.clear()

    def on_worker_ended(self, worker: WorkerProcess) -> None:
        """Count what it did since the last check."""
        self.counters.read(worker)

    def _late(self, name: str) -> str | None:
        watched_s = self._loop.watched_s
        if watched_s - self._starting.get(name, watched_s) > self._start_s:
            return f"{name} worker was not ready after {self._start_s:g} s and was killed"
        return None

    def _start_source(self, name: str) -> None:
        """Start a source that will close its stream, itself or by its successor."""
        process = self._processes[name]
        assert process.stream is not None, "a source reads a stream"
        self._open_streams[process.stream] = process
        self._start(name)

    def _start(self, name: str) -> None:
        """Start a worker, or schedule another attempt if the system has no descriptor, process or memory for it."""
        process = self._processes[name]
        try:
            worker = self._pool.start(process)
        except OSError as error:
            self._schedule(process, None, f"{name} worker could not be started: {error}")
            return
        self._starting[name] = self._loop.watched_s
        if self._loop.stopping and worker.process.is_source:  # a signal came meanwhile
            worker.fork.terminate()

    def _retire(self, name: str, worker: WorkerProcess, failure: str) -> None:
        """Take a worker that failed out of the pool, and schedule its restart."""
        worker.fork.kill()
        del self._pool.workers[name]
        self._starting.pop(name, None)
        if self._loop.stopping and worker.process.is_source:  # it was asked to stop, perhaps before it was ready
            self._pending_restarts[name] = _Leaving(worker.process, worker, self._loop.watched_s)
            return
        self._schedule(worker.process, worker, failure)
        if worker.process.is_source:
            self._status.announce_down(worker.process, f"The {failure}.")

    def _schedule(self, process: Process, worker: WorkerProcess | None, failure: str) -> None:
        """Count a failure and schedule the restart. worker: the one that failed, if it was started."""
        watched_s, history = self._loop.watched_s, self._restarts[process.name]
        was_degraded, due_s = history.degraded(watched_s), history.failed(watched_s)
        self._pending_restarts[process.name] = _Leaving(process, worker, due_s)
        log.error(f"the {failure}", worker=process.name, restart_in_s=round(due_s - watched_s, 2))
        if process.is_service and history.degraded(watched_s) and not was_degraded:
            log.error(f"the {process.name} worker keeps failing; the run goes on without it")

    def _restart_due(self) -> None:
        for name, (process, predecessor, due_s) in list(self._pending_restarts.items()):
            if self._loop.stopping and process.is_source:
                self._stopped[name] = self._pending_restarts.pop(name)
            elif self._loop.watched_s >= due_s and (predecessor is None or predecessor.fork.poll() is not None):
                del self._pending_restarts[name]
                if predecessor is not None:
                    predecessor.end(0.0)
                    self.counters.close(predecessor)
                self._start(name)

    def _on_ready(self, name: str, worker: WorkerProcess) -> None:
        assert worker.ready is not None
        worker.start_source()
        self._loop.ready[name] = worker.ready
        log.info("worker is ready", worker=name, took_s=round(self._loop.watched_s - self._starting.pop(name), 2))
        for other in self._pool.workers.values():
            if other.process.resend_on_restart_of == name:
                other.send(ResendState())
        if worker.process.input is not None:
            running = [process for process in self._processes.values() if process.name in self._pool.workers]
            self._status.announce_gaps(running, f"The {name} worker was replaced.")

    def _stop_source(self, name: str) -> None:
        """Ask a source to close its stream and end."""
        worker = self._pool.workers.pop(name)
        is_waiting = self._starting.pop(name, None) is not None
        if worker.ready:
            worker.fork.terminate()
            if is_waiting:
                worker.start_source()  # to close its stream at once
        else:
            worker.fork.kill()
        self._stopped[name] = _Leaving(worker.process, worker, self._loop.watched_s + THRESHOLDS.source_stop_s)

    def _reap_stopped(self) -> None:
        """Reap stopped sources that have ended. Start their successors, or drop their rings."""
        for name, (process, worker, due_s) in list(self._stopped.items()):
            if worker is not None and not self._has_ended(worker, due_s):
                continue
            if worker is None or not worker.finished:
                self._status.announce_closed(process)
            if worker is not None:
                worker.end(0.0)
                self.counters.close(worker)
            del self._stopped[name]
            if name in self._processes and not self._loop.stopping:
                self._start_source(name)
            elif name not in self._processes:
                assert process.stream is not None, "only sources are stopped"
                self._pool.drop_ring(frame_ring(process.stream))

    def _has_ended(self, worker: WorkerProcess, due_s: float) -> bool:
        """Let a stopped source end once its stream has closed, at the latest at ``due_s``. Return whether it has."""
        failure = worker.failure()
        if worker.finished and worker.process.stream not in self._open_streams:
            worker.request_stop()
        elif self._loop.watched_s >= due_s:
            worker.fork.kill()
        return failure is not None and worker.fork.poll() is not None

    def _resend_closings(self) -> None:
        """Close streams whose source has ended and whose end did not arrive: a worker that was killed had it."""
        for stream, source in self._open_streams.items():
            if not self._has_left(source.name):
                self._resend_due.pop(stream, None)
            elif self._loop.watched_s >= self._resend_due.setdefault(
                stream, self._loop.watched_s + THRESHOLDS.close_resend_s
            ):
                del self._resend_due[stream]
                self._status.announce_closed(source)

    def _has_left(self, name: str) -> bool:
        """Return whether a source sends nothing any more."""
        if name in self._pending_restarts:
            return False
        worker = self._stopped[name].worker if name in self._stopped else self._pool.workers.get(name)
        return worker is None or worker.finished is not None

    def _apply_settings(self, settings: Mapping[str, Any]) -> None:
        self._pool.settings = settings
        for worker in self._pool.workers.values():
            if worker.process.input is not None:
                worker.send(SourcesChanged(settings))
