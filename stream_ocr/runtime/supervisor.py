"""Starts the workers, watches them, and passes on what the last one says.

Workers are killed by the kernel when the thread that entered the supervisor ends, however it ends: enter it in a
thread that lives as long as the run. Nothing has a name in the file system, so nothing is left behind.
"""

import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from stream_ocr.core.messages import Message, Watermark
from stream_ocr.errors import WorkerError
from stream_ocr.runtime.topology import OUTCOME, Topology
from stream_ocr.runtime.worker_pool import WorkerPool
from stream_ocr.runtime.worker_process import WorkerProcess

_WATCH_S = 0.1
_START_PAUSE_S = 0.02
_GRACE_S = 1.0
_LONGEST_STEP_S = 1.0


class Supervisor:
    """One run of a topology, for files.

        with Supervisor(topology, settings) as supervisor:
            for message in supervisor.messages():
                ...

    The first death, failure or silence of a worker ends the run with one clear sentence. (``runtime.live`` has the
    other policy.)
    """

    live = False

    def __init__(
        self,
        topology: Topology,
        settings: Mapping[str, Any],
        *,
        start_s: float = 120.0,
        hang_s: float = 30.0,
        stall_s: float = 90.0,
        drain_s: float = 10.0,
    ) -> None:
        """settings: handed to every stage as they are; JSON can say them.

        notes: what each stage says of itself once it is ready, such as the device that it took.
        start_s: until all workers must be ready. hang_s: without a sign of life a worker hangs. stall_s: without
        progress anywhere the run is stuck. drain_s: from ``stop`` to the end.
        """
        self._topology = topology
        self._start_s, self._hang_s, self._stall_s, self._drain_s = start_s, hang_s, stall_s, drain_s
        self.notes: dict[str, dict[str, str]] = {}
        self._crew = WorkerPool(topology, settings, live=self.live)
        self._received = 0
        self._watched_s = 0.0  # seconds in which somebody listened to messages()
        self._watched_at = 0.0
        self._progress = (0, 0.0)
        self._drained_at_s: float | None = None

    def __enter__(self) -> Self:
        """Start the workers and wait until they are ready. Raises WorkerError."""
        try:
            self._crew.__enter__()
            for process in self._topology.processes:
                if process.input is not None or not self.live:
                    self._crew.start(process)
            self._wait_until_ready()
        except OSError as error:
            self.kill()
            raise WorkerError(f"The workers could not be started: {error}.") from error
        except BaseException:
            self.kill()
            raise
        self._watched_at = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(_GRACE_S)

    @property
    def pids(self) -> dict[str, int]:
        """Process id of each worker that runs."""
        return {name: worker.fork.pid for name, worker in list(self._crew.workers.items())}

    @property
    def progress(self) -> dict[str, int]:
        """Messages received and sent by each worker."""
        return {name: worker.heart.progress for name, worker in self._crew.workers.items()}

    def messages(self) -> Iterator[Message | Watermark]:
        """What the last stage sends, until every stream has closed. May be called again after an interruption.

        Raises WorkerError when a worker dies, fails or hangs, after the messages that it had sent before.
        """
        while self._has_workers:
            message = self._crew.inbox.receive(_WATCH_S)
            if message is not None:
                self._received += 1
                self._heard(message)
                yield message
            if not self._has_workers:  # killed meanwhile
                return
            if message is None or time.monotonic() - self._watched_at >= _WATCH_S:
                self._count_time()
                trouble = self._watch()
                over = self._is_over()
                if over or trouble:
                    yield from self._last_messages()
                if trouble and not over:
                    raise WorkerError(trouble)

    @property
    def _has_workers(self) -> bool:
        return bool(self._crew.workers)

    def stop(self) -> None:
        """Let the sources end their streams now; ``messages`` gives what is still on the way, then ends.

        Safe in a signal handler.
        """
        if self._drained_at_s is None:
            self._drained_at_s = self._watched_s + self._drain_s
            for worker in self._crew.workers.values():
                if worker.process.input is None:
                    worker.fork.terminate()

    def kill(self) -> None:
        """End all workers at once."""
        self._end(0.0)

    def _heard(self, message: Message | Watermark) -> None:
        """A message of the last stage has come."""

    def _watch(self) -> str | None:
        """What is wrong, in a sentence that ends the run; None when nothing is."""
        for worker in self._crew.workers.values():
            if trouble := self._trouble(worker):
                return f"The {trouble}; what was read so far is kept."
        progress = self._received + sum(self.progress.values())
        if progress != self._progress[0]:
            self._progress = (progress, self._watched_s)
        if self._watched_s - self._progress[1] > self._stall_s:
            return f"No worker made progress for {self._stall_s:g} s; what was read so far is kept."
        return self._overdue()

    def _is_over(self) -> bool:
        last = next(worker for worker in self._crew.workers.values() if worker.process.output == OUTCOME)
        return last.finished is not None and self._received >= last.finished.sent

    def _trouble(self, worker: WorkerProcess) -> str | None:
        """Why a worker is of no use any more, as in "The …."; None while it is."""
        if trouble := worker.trouble():
            return trouble
        if worker.silence_s(self._watched_s) > self._hang_s:
            return f"{worker.process.name} worker gave no sign of life for {self._hang_s:g} s and was killed"
        return None

    def _overdue(self) -> str | None:
        if self._drained_at_s is not None and self._watched_s > self._drained_at_s:
            return f"The workers did not finish within {self._drain_s:g} s and were killed."
        return None

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_s
        workers = list(self._crew.workers.values())
        while waiting := [worker for worker in workers if worker.ready is None]:
            time.sleep(_START_PAUSE_S)
            if troubles := {worker: trouble for worker in workers if (trouble := worker.trouble())}:
                if not self.live and any(worker.ready for worker in troubles):
                    break  # it has been given work since, and whoever asks for messages is told
                raise WorkerError(f"The run could not start: the {next(iter(troubles.values()))}.")
            for worker in waiting:
                if worker.ready:
                    worker.begin()  # what it sends waits for those that take longer
            if time.monotonic() > deadline:
                names = ", ".join(worker.process.name for worker in waiting)
                raise WorkerError(f"Not ready after {self._start_s:g} s: {names}; try again when the machine is idle.")
        self.notes = {worker.process.name: worker.ready.notes for worker in workers if worker.ready}

    def _count_time(self) -> None:
        # Time in which nobody listened, or in which this process itself was stopped, is held against no worker.
        now = time.monotonic()
        self._watched_s += min(now - self._watched_at, _LONGEST_STEP_S)
        self._watched_at = now

    def _last_messages(self) -> Iterator[Message | Watermark]:
        """End the run, and give what had arrived."""
        self._end_workers(_GRACE_S)
        while (message := self._crew.inbox.receive(0.0)) is not None:
            yield message
        self._end(0.0)

    def _end(self, grace_s: float) -> None:
        self._end_workers(grace_s)
        self._crew.__exit__(None, None, None)

    def _end_workers(self, grace_s: float) -> None:
        workers = list(self._crew.workers.values())
        self._crew.workers.clear()
        deadline = time.monotonic() + grace_s
        try:
            for worker in workers:
                worker.let_go()
            for worker in workers:
                worker.end(max(0.0, deadline - time.monotonic()))
        finally:  # a second Ctrl-C
            for worker in workers:
                worker.fork.kill()
