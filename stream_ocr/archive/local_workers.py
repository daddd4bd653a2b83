"""Workers on this machine: a process for each unit that is read at a time."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from types import TracebackType
from typing import Self

from stream_ocr.archive.output import Output
from stream_ocr.archive.unit import Unit
from stream_ocr.archive.unit_reader import UnitReader, UnitResult
from stream_ocr.archive.workers import Finished
from stream_ocr.errors import WorkerError


class LocalWorkers:
    """Worker processes, started when they are needed.

    Each has a pool of its own, because a pool does not tell which of its units killed a process.
    """

    def __init__(self, count: int, output: Output, *, force: bool = False) -> None:
        """count: number of processes."""
        self._count, self._output, self._force = count, output, force
        self._idle: list[_Process] = []
        self._busy: dict[Future[UnitResult], tuple[_Process, Unit]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the processes; those that still read are killed."""
        for process, _ in self._busy.values():
            process.kill()
        for process in (*self._idle, *(process for process, _ in self._busy.values())):
            process.close()

    @property
    def has_room(self) -> bool:
        return len(self._busy) < self._count

    @property
    def is_busy(self) -> bool:
        return bool(self._busy)

    def start(self, unit: Unit) -> None:
        process = self._idle.pop() if self._idle else _Process(self._output, force=self._force)
        self._busy[process.read(unit)] = process, unit

    def wait(self) -> Sequence[Finished]:
        done, _ = wait(self._busy, return_when=FIRST_COMPLETED)
        return [self._finish(future) for future in done]

    def _finish(self, future: Future[UnitResult]) -> Finished:
        process, unit = self._busy.pop(future)
        try:
            result = future.result()
        except BrokenProcessPool:
            process.close()
            if not process.has_started:
                raise WorkerError("A worker process died while it started; there may be too little memory.") from None
            return Finished(unit, None)
        except BaseException:
            process.close()
            raise
        self._idle.append(process)
        return Finished(unit, result)


class _Process:
    """A process that reads one unit at a time."""

    def __init__(self, output: Output, *, force: bool) -> None:
        # spawn: a fork would copy the threads and locks of a program that may be anybody's.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, context, _prepare, (output, force))
        self._pid = self._pool.submit(os.getpid)

    @property
    def has_started(self) -> bool:
        return self._pid.done() and self._pid.exception() is None

    def read(self, unit: Unit) -> Future[UnitResult]:
        return self._pool.submit(_read, unit)

    def kill(self) -> None:
        """Kill the process as soon as it has started."""
        with suppress(ProcessLookupError, BrokenProcessPool):
            os.kill(self._pid.result(), signal.SIGKILL)

    def close(self) -> None:
        self._pool.shutdown()


_readers: list[UnitReader] = []
"""The reader of this process, if it is a worker. A pool passes functions, not objects, to its processes."""


def _prepare(output: Output, force: bool) -> None:  # noqa: FBT001 - a pool passes no keywords
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the program decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _readers.append(UnitReader(output, force=force))


def _read(unit: Unit) -> UnitResult:
    return _readers[0].read(unit)


def _end_with_parent() -> None:
    """End this process when the program has been killed: nobody would tell it."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    parent.join()
    os._exit(1)
