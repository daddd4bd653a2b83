"""Watches the controller of a fleet from a program that is not part of it."""

import os
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import msgspec

from stream_ocr.core.backoff import Backoff
from stream_ocr.errors import WorkerError
from stream_ocr.events import DECODE_ERRORS
from stream_ocr.fleet.messages import Answer, DashboardView
from stream_ocr.fleet.thresholds import THRESHOLDS
from stream_ocr.logs import get_logger
from stream_ocr.runtime.python_process import module_command, module_environment

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Watch:
    """The last answer of a controller. number: of the answer. answered_s: its monotonic time.

    mistake: why there is no later one.
    """

    view: DashboardView
    number: int
    answered_s: float
    mistake: str | None = None

    @property
    def age_s(self) -> float:
        """Seconds since the answer."""
        return time.monotonic() - self.answered_s


class FleetWatcher:
    """Asks the controller every two seconds while it is entered, by a process that is started again when it ends.

    latest: the last answer; None before the first.
    """

    def __init__(self, address: str) -> None:
        """address: of the Ray cluster."""
        self.latest: Watch | None = None
        self._mistake: str | None = None
        self._address = address
        self._backoff = Backoff(THRESHOLDS.first_restart_s, THRESHOLDS.longest_restart_s)
        self._popen: subprocess.Popen[bytes] | None = None
        self._stopping, self._answered = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)

    def __enter__(self) -> Self:
        """Wait for the first answer. Raise WorkerError if there is no cluster or no fleet."""
        self._thread.start()
        self._answered.wait(2 * THRESHOLDS.start_s)
        if self.latest is None:
            self.__exit__(None, None, None)
            raise WorkerError(self._mistake or f"The Ray cluster at {self._address!r} does not answer.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        if self._popen is not None:
            self._popen.kill()
        self._thread.join(THRESHOLDS.timeout_s)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            before = self.latest
            try:
                self._follow()
            except OSError as error:
                self._note_mistake(f"The process that asks the fleet cannot be started: {error}.")
            failures = 1 if self.latest is not before else failures + 1
            delay_s = self._backoff.delay_s(failures)
            if not self._stopping.is_set():
                log.warning("the process that asks the fleet has ended", restart_in_s=round(delay_s, 1))
            self._stopping.wait(delay_s)

    def _follow(self) -> None:
        """Take the answers of a process until it ends. Raises OSError."""
        with self._start() as self._popen:
            assert self._popen.stdout is not None
            if self._stopping.is_set():
                self._popen.kill()
            for line in self._popen.stdout:
                self._take(line)

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the process; it ends with this thread. Raises OSError."""
        return subprocess.Popen(
            module_command("stream_ocr.fleet.status_process", self._address, str(os.getpid())),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            process_group=0,
            env=module_environment(),
        )

    def _take(self, line: bytes) -> None:
        with suppress(*DECODE_ERRORS):  # cut off by the end of the process
            answer = msgspec.json.decode(line, type=Answer)
            if answer.view is not None:
                number = 1 if self.latest is None else self.latest.number + 1
                self.latest = Watch(answer.view, number, time.monotonic())
            self._note_mistake(answer.mistake)

    def _note_mistake(self, mistake: str | None) -> None:
        """Note why there is no view, None if there is one."""
        if mistake is not None and self.latest is not None:
            self.latest = replace(self.latest, mistake=mistake)
        if mistake is not None and mistake != self._mistake:
            log.warning("the fleet does not answer", reason=mistake)
        self._mistake = mistake
        self._answered.set()
