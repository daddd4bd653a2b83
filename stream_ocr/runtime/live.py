"""The supervisor of a run that does not end: what fails is replaced, and the rest goes on."""

import time
from collections.abc import Mapping
from typing import Any

import structlog

from stream_ocr import messages
from stream_ocr.messages import Published, SourceChanged, StreamClosed
from stream_ocr.runtime.control import Lost, SetAside, WorkerProcess
from stream_ocr.runtime.mapped import Renew
from stream_ocr.runtime.restarts import Restarts
from stream_ocr.runtime.supervisor import Supervisor
from stream_ocr.runtime.topology import Process, Topology
from stream_ocr.stages.base import EPOCHS_OF_A_LIFE

log = structlog.get_logger()


class LiveSupervisor(Supervisor):
    """One run of a topology, for cameras.

    A worker that dies, fails or hangs is replaced; ``messages`` ends when every stream has closed after ``stop``.
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
    ) -> None:
        """As of ``Supervisor``. start_s: also the time that a successor has until it is ready.

        origin_s: monotonic time that is media time 0 of all sources; now by default.
        """
        super().__init__(topology, settings, start_s=start_s, hang_s=hang_s, drain_s=drain_s)
        self._processes: dict[str, Process] = {process.name: process for process in topology.processes}
        self._restarts = {name: Restarts() for name in self._processes}
        self._starting: dict[str, float] = {}  # since when, for those that are replaced
        self._gone: dict[str, tuple[WorkerProcess, float]] = {}  # and when they are to be replaced
        self._origin_s = time.monotonic() if origin_s is None else origin_s
        self._closed: set[str] = set()
        self._read_until_s: dict[str, float] = {}  # media time, by stream
        self._lost: dict[str, int] = {}
        self._set_aside: dict[str, int] = {}

    @property
    def restarts(self) -> dict[str, int]:
        """How often each worker has been replaced."""
        return {name: restarts.count for name, restarts in self._restarts.items()}

    @property
    def lost_slots(self) -> dict[str, int]:
        """Slots that were taken back because their references had been lost, by ring."""
        return dict(self._lost)

    @property
    def set_aside(self) -> dict[str, int]:
        """Messages that killed their worker twice, by worker."""
        return dict(self._set_aside)

    @property
    def degraded(self) -> list[str]:
        """Workers that fail again and again, or have not come up."""
        return [name for name, restarts in self._restarts.items() if restarts.degraded(self._watched_s)]

    def _heard(self, data: bytes) -> None:
        message = messages.decode(data)
        if isinstance(message, StreamClosed):
            self._closed.add(message.stream)
        elif isinstance(message, Published):
            self._read_until_s[message.stream] = message.time_s

    def _watch(self) -> str | None:
        for name, worker in list(self._crew.workers.items()):
            if worker.finished:
                continue
            trouble = self._trouble(worker) or self._late(name)
            self._take_news(worker)
            if trouble:
                self._dismiss(name, worker, trouble)
            elif worker.ready and name in self._starting:
                self._welcome(name, worker)
        for name, (predecessor, due_s) in list(self._gone.items()):
            if self._watched_s >= due_s and predecessor.popen.poll() is not None and self._wanted(name):
                predecessor.end(0.0)
                self._take_news(predecessor)
                del self._gone[name]
                self._crew.start(self._processes[name])
                self._starting[name] = self._watched_s
        if self._drained_at_s is not None:
            self._close_the_dead()
        return self._overdue()

    def _is_over(self) -> bool:
        return self._closed.issuperset(self._topology.streams)

    def _late(self, name: str) -> str | None:
        if self._watched_s - self._starting.get(name, self._watched_s) > self._start_s:
            return f"{name} worker was not ready after {self._start_s:g} s and was killed"
        return None

    def _dismiss(self, name: str, worker: WorkerProcess, trouble: str) -> None:
        worker.popen.kill()
        del self._crew.workers[name]
        self._starting.pop(name, None)
        due_s = self._restarts[name].failed(self._watched_s)
        self._gone[name] = worker, due_s
        if worker.process.input is None:
            self._mourn(worker.process, f"The {trouble}.")
        log.error(f"The {trouble}; it is replaced.", worker=name, in_s=round(due_s - self._watched_s, 2))

    def _mourn(self, source: Process, reason: str) -> None:
        """Say that a source is down, which it cannot say itself any more."""
        stream = source.arguments["stream"]
        change = SourceChanged(stream, "down", self._epoch(source), self._read_until_s.get(stream, 0.0), reason=reason)
        self._crew.say(source.output, change)

    def _tell_gaps(self, name: str) -> None:
        """Say for every stream that what a worker had received is lost."""
        now_s = time.monotonic() - self._origin_s
        for source in self._processes.values():
            stream = source.arguments.get("stream")
            if source.input is None and stream in self._read_until_s and source.name in self._crew.workers:
                start_s = min(self._read_until_s[stream], now_s)
                reason = f"The {name} worker was replaced."
                self._crew.say(
                    source.output,
                    SourceChanged(stream, "gap", self._epoch(source), start_s, now_s, reason=reason),
                )

    def _epoch(self, source: Process) -> int:
        return self._crew.life(source.name) * EPOCHS_OF_A_LIFE

    def _welcome(self, name: str, worker: WorkerProcess) -> None:
        assert worker.ready is not None
        worker.begin()
        self.notes[name] = worker.ready.notes
        log.info(
            f"The {name} worker is back.", worker=name, took_s=round(self._watched_s - self._starting.pop(name), 2)
        )
        for other in self._crew.workers.values():
            if other.process.renewed_by == name:
                other.order(Renew())
        if worker.process.input is not None:
            self._tell_gaps(name)

    def _take_news(self, worker: WorkerProcess) -> None:
        name = worker.process.name
        for news in worker.news:
            match news:
                case Lost(ring, slots):
                    self._lost[ring] = self._lost.get(ring, 0) + slots
                    log.warning(f"{slots} slots of {ring} were lost with a worker and taken back.", ring=ring)
                case SetAside(message):
                    self._set_aside[name] = self._set_aside.get(name, 0) + 1
                    log.error(
                        f"A message killed the {name} worker twice and was set aside.",
                        worker=name,
                        message=str(messages.decode(message)),
                    )
        worker.news.clear()

    def _wanted(self, name: str) -> bool:
        return self._drained_at_s is None or self._processes[name].input is not None

    def _close_the_dead(self) -> None:
        """While draining: close the streams of those sources that cannot do so themselves any more."""
        for name in [name for name in self._gone if not self._wanted(name)]:
            worker, _ = self._gone.pop(name)
            worker.end(0.0)
            stream = worker.process.arguments["stream"]
            self._crew.say(worker.process.output, StreamClosed(stream, "interrupted", 0.0, 0.0, {}))

    def _end_workers(self, grace_s: float) -> None:
        for worker, _ in self._gone.values():
            worker.popen.kill()
            worker.end(0.0)
        self._gone.clear()
        super()._end_workers(grace_s)
