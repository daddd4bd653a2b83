"""The loop of a run: starts workers, watches them, and yields what the last one sends.

What a failure means is up to a ``RunPolicy``: ``supervisor`` has the one for files, ``live_supervisor`` the one for
cameras.

The kernel kills the workers when the thread that called ``start`` ends, however it ends: call it in a thread that
lives as long as the run. Nothing has a name in the file system, so nothing is left behind.
"""

import select
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from stream_ocr.core.messages import Message, StreamClosed, Watermark
from stream_ocr.errors import WorkerError
from stream_ocr.runtime.control_messages import Ready
from stream_ocr.runtime.thresholds import THRESHOLDS
from stream_ocr.runtime.topology import Topology
from stream_ocr.runtime.worker_pool import WorkerPool
from stream_ocr.runtime.worker_process import WorkerProcess


class RunPolicy(ABC):
    """Decides what happens when workers fail, and when a run is over."""

    @abstractmethod
    def check(self) -> str | None:
        """Check all workers. Return the sentence that ends the run with WorkerError, or None."""

    @abstractmethod
    def is_over(self) -> bool:
        """Return whether every stream has closed and all messages have been received."""

    def on_message(self, message: Message | Watermark) -> None:  # noqa: ARG002 for those that override it
        """Handle a message of the last stage before it is yielded."""
        return

    def has_pending_workers(self) -> bool:
        """Return whether the run goes on while no worker runs."""
        return False

    def on_end(self) -> None:
        """End the workers that are no longer in the pool."""
        return

    def on_worker_ended(self, worker: WorkerProcess) -> None:  # noqa: ARG002 for those that override it
        """Handle the last status of a worker that ended with the run."""
        return


class RunLoop:
    """Workers of one topology, and the clock by which they are watched.

    pool: the workers. ready: the last ``Ready`` of each worker by name. received: messages yielded so far. watched_s:
    seconds during which ``messages`` was iterated; a worker is not blamed for other time.
    """

    def __init__(
        self,
        topology: Topology,
        settings: Mapping[str, Any],
        policy: RunPolicy,
        *,
        live: bool,
        start_s: float,
        hang_s: float,
        drain_s: float,
    ) -> None:
        """settings: passed to every stage; must be JSON. live: sources are not started by ``start``.

        start_s: until all workers must be ready. hang_s: without a heartbeat a worker hangs. drain_s: from ``stop`` to
        the end.
        """
        self._topology, self._policy, self._live = topology, policy, live
        self._start_s, self._hang_s, self._drain_s = start_s, hang_s, drain_s
        self.pool = WorkerPool(topology, settings, live=live)
        self.ready: dict[str, Ready] = {}
        self.received = 0
        self.watched_s = 0.0
        self._closed: set[str] = set()  # streams that have closed at least once
        self._watched_at = 0.0
        self._drained_at_s: float | None = None

    @property
    def stopping(self) -> bool:
        """True once ``stop`` was called."""
        return self._drained_at_s is not None

    @property
    def pids(self) -> dict[str, int]:
        """Process id of each running worker."""
        return {name: worker.fork.pid for name, worker in list(self.pool.workers.items())}

    @property
    def notes(self) -> dict[str, Mapping[str, str]]:
        """``Stage.notes`` of each worker that became ready."""
        return {name: ready.notes for name, ready in list(self.ready.items())}

    def start(self) -> None:
        """Start the workers and wait until they are ready. Raise WorkerError."""
        try:
            self.pool.__enter__()
            for process in sorted(self._topology.processes, key=lambda process: not process.starts_first):
                if process.input is not None or not self._live:
                    worker = self.pool.start(process)
                    if process.is_source:
                        worker.start_source()  # its messages wait for the stages that take longer
            self._wait_until_ready()
        except OSError as error:
            self.end(0.0)
            raise WorkerError(f"The workers could not be started: {error}.") from error
        except BaseException:
            self.end(0.0)
            raise
        self._watched_at = time.monotonic()

    def messages(self) -> Iterator[Message | Watermark]:
        """Yield what the last stage sends, until every stream has closed. May be called again after an interruption.

        Raise WorkerError if the policy ends the run, after the messages that were sent before.
        """
        while self._has_workers:
            all_closed = not self._live and self._closed.issuperset(self._topology.streams)
            interval_s = THRESHOLDS.end_interval_s if all_closed else THRESHOLDS.watch_interval_s
            message = self.pool.inbox.receive(interval_s)
            if message is not None:
                self.received += 1
                if isinstance(message, StreamClosed):
                    self._closed.add(message.stream)
                self._policy.on_message(message)
                yield message
            if not self._has_workers:  # killed meanwhile
                return
            if message is None or time.monotonic() - self._watched_at >= THRESHOLDS.watch_interval_s:
                self._advance_watch_clock()
                failure = self._policy.check()
                is_over = self._policy.is_over()
                if is_over or failure:
                    yield from self._last_messages()
                if failure and not is_over:
                    raise WorkerError(failure)

    def stop(self) -> None:
        """Let the sources close their streams. Safe in a signal handler."""
        if self._drained_at_s is None:
            self._drained_at_s = self.watched_s + self._drain_s
            for worker in self.pool.workers.values():
                if worker.process.is_source:
                    worker.fork.terminate()

    def end(self, grace_s: float) -> None:
        """End all workers, at the latest after ``grace_s``, and close the pool."""
        self._end_workers(grace_s)
        self.pool.__exit__(None, None, None)

    def failure_of(self, worker: WorkerProcess) -> str | None:
        """Return why a worker is of no use any more, to follow "The ", or None."""
        if failure := worker.failure():
            return failure
        if worker.silence_s(self.watched_s) > self._hang_s:
            return f"{worker.process.name} worker gave no sign of life for {self._hang_s:g} s and was killed"
        return None

    def overdue(self) -> str | None:
        """Return a sentence if the workers did not finish in time after ``stop``, or None."""
        if self._drained_at_s is not None and self.watched_s > self._drained_at_s:
            return f"The workers did not finish within {self._drain_s:g} s and were killed."
        return None

    @property
    def _has_workers(self) -> bool:
        return bool(self.pool.workers) or self._policy.has_pending_workers()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_s
        workers = list(self.pool.workers.values())
        poller = select.poll()
        for worker in workers:
            poller.register(worker.status_fd, select.POLLIN)
        while waiting := [worker for worker in workers if worker.ready is None]:
            poller.poll(round(1000 * THRESHOLDS.start_poll_s))
            if failures := {worker: failure for worker in workers if (failure := worker.failure())}:
                if not self._live and any(worker.ready for worker in failures):
                    break  # it failed over its first messages; ``messages`` reports that
                raise WorkerError(f"The run could not start: the {next(iter(failures.values()))}.")
            for worker in waiting:
                if worker.ready and not worker.process.is_source:
                    worker.start_source()
            if time.monotonic() > deadline:
                names = ", ".join(worker.process.name for worker in waiting)
                raise WorkerError(f"Not ready after {self._start_s:g} s: {names}; try again when the machine is idle.")
        self.ready = {worker.process.name: worker.ready for worker in workers if worker.ready}

    def _advance_watch_clock(self) -> None:
        now = time.monotonic()
        self.watched_s += min(now - self._watched_at, THRESHOLDS.max_watch_step_s)
        self._watched_at = now

    def _last_messages(self) -> Iterator[Message | Watermark]:
        """End the run and yield what has arrived."""
        self._end_workers(THRESHOLDS.shutdown_grace_s)
        while (message := self.pool.inbox.receive(0.0)) is not None:
            yield message
        self.end(0.0)

    def _end_workers(self, grace_s: float) -> None:
        self._policy.on_end()
        workers = list(self.pool.workers.values())
        self.pool.workers.clear()
        deadline = time.monotonic() + grace_s
        try:
            for worker in workers:
                worker.request_stop()
            for worker in workers:
                worker.end(max(0.0, deadline - time.monotonic()))
                self._policy.on_worker_ended(worker)
        finally:  # a second Ctrl-C
            for worker in workers:
                worker.fork.kill()


class SupervisorBase(RunPolicy):
    """A policy with the run that it decides about, as a context manager that ends the run."""

    _loop: RunLoop

    @abstractmethod
    def __enter__(self) -> Self:
        """Start the run. Raise WorkerError."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.end(THRESHOLDS.shutdown_grace_s)

    @property
    def pids(self) -> dict[str, int]:
        """Process id of each running worker."""
        return self._loop.pids

    @property
    def notes(self) -> dict[str, Mapping[str, str]]:
        """``Stage.notes`` of each worker: which models and device it uses."""
        return self._loop.notes

    @property
    def stopping(self) -> bool:
        """True once ``stop`` was called."""
        return self._loop.stopping

    def messages(self) -> Iterator[Message | Watermark]:
        """Yield what the last stage sends, until every stream has closed. May be called again after an interruption.

        Raise WorkerError if ``check`` ends the run, after the messages that were sent before.
        """
        return self._loop.messages()

    def stop(self) -> None:
        """Let the sources close their streams; ``messages`` yields what is still on its way, then ends.

        Safe in a signal handler.
        """
        self._loop.stop()
