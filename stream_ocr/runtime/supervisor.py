"""Starts the workers, watches them, and passes on what the last one says.

Workers are killed by the kernel when the thread that entered the supervisor ends, however it ends: enter it in a
thread that lives as long as the run. Nothing has a name in the file system, so nothing is left behind.
"""

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import zmq

from stream_ocr.errors import WorkerError
from stream_ocr.runtime.control import WorkerProcess, WorkerSpec
from stream_ocr.runtime.heartbeat import Heartbeats
from stream_ocr.runtime.ring import Ring
from stream_ocr.runtime.topology import OUTCOME, Topology
from stream_ocr.runtime.transport import Inbox, Keys

_WATCH_S = 0.1
_START_PAUSE_S = 0.02
_GRACE_S = 1.0
_LONGEST_STEP_S = 1.0


class Supervisor:
    """One run of a topology.

        with Supervisor(topology, settings) as supervisor:
            for message in supervisor.messages():
                ...

    The first death, failure or silence of a worker ends the run with one clear sentence.
    """

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
        self._topology, self._settings = topology, settings
        self._start_s, self._hang_s, self._stall_s, self._drain_s = start_s, hang_s, stall_s, drain_s
        self.notes: dict[str, dict[str, str]] = {}
        self._workers: list[WorkerProcess] = []
        self._open = ExitStack()
        self._received = 0
        self._watched_s = 0.0  # seconds in which somebody listened to messages()
        self._watched_at = 0.0
        self._progress = (0, 0.0)
        self._drained_at_s: float | None = None

    def __enter__(self) -> Self:
        """Start the workers and wait until they are ready. Raises WorkerError."""
        try:
            self._start()
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
        return {worker.process.name: worker.popen.pid for worker in self._workers}

    @property
    def progress(self) -> dict[str, int]:
        """Messages received and sent by each worker."""
        return {worker.process.name: worker.heart.progress for worker in self._workers}

    def messages(self) -> Iterator[bytes]:
        """What the last stage sends, until every stream has closed. May be called again after an interruption.

        Raises WorkerError when a worker dies, fails or hangs, after the messages that it had sent before.
        """
        while self._workers:
            data = self._inbox.receive_bytes(_WATCH_S)
            if data is not None:
                self._received += 1
                yield data
            if not self._workers:  # killed meanwhile
                return
            if data is None or time.monotonic() - self._watched_at >= _WATCH_S:
                trouble = self._watch()
                over = self._is_over()
                if over or trouble:
                    yield from self._last_messages()
                if trouble and not over:
                    raise WorkerError(trouble)

    def stop(self) -> None:
        """Let the sources end their streams now; ``messages`` gives what is still on the way, then ends.

        Safe in a signal handler.
        """
        if self._drained_at_s is None:
            self._drained_at_s = self._watched_s + self._drain_s
            for worker in self._workers:
                if worker.process.input is None:
                    worker.popen.terminate()

    def kill(self) -> None:
        """End all workers at once."""
        self._end(0.0)

    def _start(self) -> None:
        token = secrets.token_hex(16)
        hops = {process.output for process in self._topology.processes}
        addresses = {hop: f"ipc://@stream-ocr-{token}-{hop}" for hop in hops}
        keys = {hop: Keys.new() for hop in hops}
        context: zmq.Context[zmq.Socket[bytes]] = self._open.enter_context(zmq.Context())
        self._inbox = Inbox(context, addresses[OUTCOME], keys[OUTCOME])
        self._open.callback(self._inbox.close)
        rings = {name: Ring.create(size.slots, size.slot_bytes) for name, size in self._topology.rings.items()}
        for ring in rings.values():
            self._open.callback(ring.close)
        hearts = Heartbeats.create(len(self._topology.processes))
        self._open.callback(hearts.close)
        for line, process in enumerate(self._topology.processes):
            status, status_fd = os.pipe()
            self._open.callback(os.close, status)
            spec = WorkerSpec(
                process=process,
                settings=self._settings,
                streams=self._topology.streams,
                source_address=addresses[process.input] if process.input else None,
                source_keys=keys[process.input] if process.input else None,
                target_address=addresses[process.output],
                target_key=keys[process.output].public,
                rings={name: rings[name].fd for name in process.rings},
                heartbeat_fd=hearts.fd,
                heartbeat_line=line,
                status_fd=status_fd,
                supervisor=os.getpid(),
            )
            try:
                self._workers.append(WorkerProcess(spec, hearts[line], status))
            finally:
                os.close(status_fd)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._start_s
        while waiting := [worker for worker in self._workers if worker.ready is None]:
            time.sleep(_START_PAUSE_S)
            for worker in self._workers:
                if trouble := worker.trouble():
                    raise WorkerError(f"The run could not start: the {trouble}.")
            if time.monotonic() > deadline:
                names = ", ".join(worker.process.name for worker in waiting)
                raise WorkerError(f"Not ready after {self._start_s:g} s: {names}; try again when the machine is idle.")
        for worker in self._workers:
            worker.begin()
        self.notes = {worker.process.name: worker.ready.notes for worker in self._workers if worker.ready}

    def _watch(self) -> str | None:
        """What is wrong, in a sentence; None when nothing is."""
        now = time.monotonic()
        # Time in which nobody listened, or in which this process itself was stopped, is held against no worker.
        self._watched_s += min(now - self._watched_at, _LONGEST_STEP_S)
        self._watched_at = now
        for worker in self._workers:
            if trouble := worker.trouble():
                return f"The {trouble}; what was read so far is kept."
        silence_s, silent = max(
            ((worker.silence_s(self._watched_s), worker) for worker in self._workers), key=lambda pair: pair[0]
        )
        if silence_s > self._hang_s:
            return (
                f"The {silent.process.name} worker gave no sign of life for {self._hang_s:g} s and was killed; "
                "what was read so far is kept."
            )
        progress = self._received + sum(self.progress.values())
        if progress != self._progress[0]:
            self._progress = (progress, self._watched_s)
        if self._watched_s - self._progress[1] > self._stall_s:
            return f"No worker made progress for {self._stall_s:g} s; what was read so far is kept."
        if self._drained_at_s is not None and self._watched_s > self._drained_at_s:
            return f"The workers did not finish within {self._drain_s:g} s and were killed."
        return None

    def _is_over(self) -> bool:
        finished = next(worker.finished for worker in self._workers if worker.process.output == OUTCOME)
        return finished is not None and self._received >= finished.sent

    def _last_messages(self) -> Iterator[bytes]:
        """End the run, and give what had arrived."""
        self._end_workers(_GRACE_S)
        while (data := self._inbox.receive_bytes(0.0)) is not None:
            yield data
        self._end(0.0)

    def _end(self, grace_s: float) -> None:
        self._end_workers(grace_s)
        self._open.close()

    def _end_workers(self, grace_s: float) -> None:
        workers, self._workers = self._workers, []
        deadline = time.monotonic() + grace_s
        try:
            for worker in workers:
                worker.let_go()
            for worker in workers:
                worker.end(max(0.0, deadline - time.monotonic()))
        finally:  # a second Ctrl-C
            for worker in workers:
                worker.popen.kill()
