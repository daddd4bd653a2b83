"""The supervisor of a run that does not end: what fails is replaced, and the rest goes on."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Self

import structlog

from stream_ocr.core.messages import Message, Published, SourceChanged, StreamClosed, Watermark
from stream_ocr.runtime.backoff import Backoff
from stream_ocr.runtime.ring_registry import ResendState, SourcesChanged
from stream_ocr.runtime.run_counters import RunCounters
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.runtime.supervisor import Supervisor
from stream_ocr.runtime.topology import Process, RingSize, Topology
from stream_ocr.runtime.worker_process import WorkerProcess
from stream_ocr.stages.base import EPOCHS_OF_A_LIFE, frame_ring

_LEAVE_S = 5.0

log = structlog.get_logger(__name__)


class LiveSupervisor(Supervisor):
    """One run of a topology, for cameras.

    A worker that dies, fails or hangs is replaced; ``messages`` ends when every stream has closed, by itself or after
    ``stop``. ledger: what the workers have counted. turned_s: monotonic time at which the loop last came round.
    """

    live = True

    def __init__(
        self,
        topology: Topology,
        settings: Mapping[str, Any],
        *,
        start_s: float = 120.0,
        hang_s: float = 8.0,
        drain_s: float = 8.0,
        origin_s: float | None = None,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        """As of ``Supervisor``. start_s: also the time that a successor has until it is ready.

        origin_s: monotonic time that is media time 0 of all sources; now by default. on_turn: called some ten times a
        second, by whoever iterates ``messages``.
        """
        super().__init__(topology, settings, start_s=start_s, hang_s=hang_s, drain_s=drain_s)
        self.ledger = RunCounters()
        self.turned_s = time.monotonic()
        self._on_turn = on_turn
        self._origin_s = time.monotonic() if origin_s is None else origin_s
        self._processes = {process.name: process for process in topology.processes}
        self._restarts = {name: Backoff() for name in self._processes}
        self._starting: dict[str, float] = {}  # since when, for those that are not ready yet
        self._gone: dict[str, tuple[WorkerProcess, float]] = {}  # and when they are to be replaced
        self._leaving: dict[str, tuple[WorkerProcess, float]] = {}  # sources that were told to go, and by when
        self._open = Counter[str]()  # StreamClosed that are still to come: one of each source that has begun
        self._read_until_s: dict[str, float] = {}  # media time, by stream

    def __enter__(self) -> Self:
        """Start the stages, and when all of them are ready the sources: what they see earlier would only get stale."""
        super().__enter__()
        for name, process in self._processes.items():
            if process.input is None:
                self._begin(name)
        return self

    @property
    def restarts(self) -> dict[str, int]:
        """How often each worker has been replaced."""
        return {name: restarts.count for name, restarts in list(self._restarts.items())}

    @property
    def degraded(self) -> list[str]:
        """Workers that fail again and again."""
        restarts = list(self._restarts.items())
        return [name for name, failures in restarts if failures.degraded(self._watched_s)]

    @property
    def missing(self) -> list[str]:
        """Workers that all streams need, and that are not ready."""
        stages = [name for name, process in list(self._processes.items()) if process.input is not None]
        return sorted(name for name in stages if name in self._gone or name in self._starting)

    @property
    def rings(self) -> Mapping[str, Ring]:
        """By name."""
        return dict(self._crew.rings)

    def set_source(self, process: Process, size: RingSize, settings: Mapping[str, Any]) -> None:
        """Add a source, or put another in its place. settings: of all sources from now on."""
        stream = process.arguments["stream"]
        self._adopt(settings)
        if frame_ring(stream) not in self._crew.rings:
            self._crew.add_ring(frame_ring(stream), size)
        self._processes[process.name] = process
        self._restarts.setdefault(process.name, Backoff())
        if process.name in self._crew.workers:
            self._send_away(process.name)
        elif process.name not in self._gone and process.name not in self._leaving:
            self._begin(process.name)

    def drop_source(self, name: str, settings: Mapping[str, Any]) -> None:
        """Let the worker of a source end its stream, and go."""
        self._adopt(settings)
        del self._processes[name], self._restarts[name]
        if name in self._crew.workers:
            self._send_away(name)
        elif name in self._gone:
            self._leaving[name] = self._gone.pop(name)

    def _heard(self, message: Message | Watermark) -> None:
        if isinstance(message, StreamClosed):
            self._read_until_s.pop(message.stream, None)
            self._open[message.stream] -= 1
        elif isinstance(message, Published):
            self._read_until_s[message.stream] = message.time_s

    def _watch(self) -> str | None:
        self.turned_s = time.monotonic()
        self._on_turn()
        for name, worker in list(self._crew.workers.items()):
            if worker.finished:
                continue
            trouble = self._trouble(worker) or self._late(name)
            self.ledger.read(worker)
            if trouble:
                self._dismiss(name, worker, trouble)
            elif worker.ready and name in self._starting:
                self._welcome(name, worker)
        self._replace_the_gone()
        self._see_off()
        return self._overdue()

    def _is_over(self) -> bool:
        return not self._leaving and all(count <= 0 for count in self._open.values())

    def _late(self, name: str) -> str | None:
        if self._watched_s - self._starting.get(name, self._watched_s) > self._start_s:
            return f"{name} worker was not ready after {self._start_s:g} s and was killed"
        return None

    def _begin(self, name: str) -> None:
        """Start a source that will close its stream, itself or by a successor of its worker."""
        self._open[self._processes[name].arguments["stream"]] += 1
        self._start(name)

    @property
    def _has_workers(self) -> bool:
        return bool(self._crew.workers or self._gone)  # all may have gone at once, and are to be replaced

    def _start(self, name: str) -> None:
        worker = self._crew.start(self._processes[name])
        self._starting[name] = self._watched_s
        if self._drained_at_s is not None and worker.process.input is None:  # by a signal, meanwhile
            worker.fork.terminate()

    def _dismiss(self, name: str, worker: WorkerProcess, trouble: str) -> None:
        worker.fork.kill()
        del self._crew.workers[name]
        self._starting.pop(name, None)
        if self._drained_at_s is not None and worker.process.input is None:  # it was told to go, perhaps too early
            self._gone[name] = worker, self._watched_s
            return
        due_s = self._restarts[name].failed(self._watched_s)
        self._gone[name] = worker, due_s
        log.error(f"the {trouble}", worker=name, again_in_s=round(due_s - self._watched_s, 2))
        if worker.process.input is None:
            self._mourn(worker.process, f"The {trouble}.")

    def _replace_the_gone(self) -> None:
        for name, (predecessor, due_s) in list(self._gone.items()):
            if self._drained_at_s is not None and predecessor.process.input is None:
                self._leaving[name] = self._gone.pop(name)
            elif self._watched_s >= due_s and predecessor.fork.poll() is not None:
                del self._gone[name]
                predecessor.end(0.0)
                self.ledger.close(predecessor)
                self._start(name)

    def _welcome(self, name: str, worker: WorkerProcess) -> None:
        assert worker.ready is not None
        worker.begin()
        self.notes[name] = worker.ready.notes
        log.info("worker is ready", worker=name, took_s=round(self._watched_s - self._starting.pop(name), 2))
        for other in self._crew.workers.values():
            if other.process.renewed_by == name:
                other.order(ResendState())
        if worker.process.input is not None:
            self._tell_gaps(name)

    def _send_away(self, name: str) -> None:
        worker = self._crew.workers.pop(name)
        waits = self._starting.pop(name, None) is not None
        if worker.ready:
            worker.fork.terminate()
            if waits:
                worker.begin()  # and end at once
        else:
            worker.fork.kill()
        self._leaving[name] = worker, self._watched_s + _LEAVE_S

    def _see_off(self) -> None:
        """Those sources that were told to go: when they have gone, their successors begin, or their ring is dropped."""
        for name, (worker, by_s) in list(self._leaving.items()):
            trouble = worker.trouble()
            if worker.finished:
                worker.let_go()
            elif self._watched_s >= by_s:
                worker.fork.kill()
            if trouble is None or worker.fork.poll() is None:
                continue
            worker.end(0.0)
            if not worker.finished:
                self._close_for(worker.process)
            self.ledger.close(worker)
            del self._leaving[name]
            if name in self._processes and self._drained_at_s is None:
                self._begin(name)
            elif name not in self._processes:
                self._crew.drop_ring(frame_ring(worker.process.arguments["stream"]))

    def _adopt(self, settings: Mapping[str, Any]) -> None:
        self._crew.settings = settings
        for worker in self._crew.workers.values():
            if worker.process.input is not None:
                worker.order(SourcesChanged(settings))

    def _mourn(self, source: Process, reason: str) -> None:
        """Say that a source is down, which it cannot say itself any more."""
        stream = source.arguments["stream"]
        start_s = self._read_until_s.get(stream, time.monotonic() - self._origin_s)
        self._say_for(source, SourceChanged(stream, "down", self._epoch(source), start_s, reason=reason))

    def _tell_gaps(self, name: str) -> None:
        """Say for every stream that flows that what a worker had received is lost."""
        now_s = time.monotonic() - self._origin_s
        for source in self._processes.values():
            stream = source.arguments.get("stream", "")
            if source.input is None and stream in self._read_until_s and source.name in self._crew.workers:
                start_s = min(self._read_until_s[stream], now_s)
                reason = f"The {name} worker was replaced."
                gap = SourceChanged(stream, "gap", self._epoch(source), start_s, now_s, reason=reason)
                self._say_for(source, gap)

    def _close_for(self, source: Process) -> None:
        self._say_for(source, StreamClosed(source.arguments["stream"], "interrupted", 0.0, 0.0, {}))

    def _say_for(self, source: Process, message: Message) -> None:
        """On behalf of a source that cannot speak."""
        self._crew.say(source.output, message)

    def _epoch(self, source: Process) -> int:
        return self._crew.life(source.name) * EPOCHS_OF_A_LIFE

    def _end_workers(self, grace_s: float) -> None:
        for worker, _ in (*self._gone.values(), *self._leaving.values()):
            worker.fork.kill()
            worker.end(0.0)
        self._gone.clear()
        self._leaving.clear()
        super()._end_workers(grace_s)
