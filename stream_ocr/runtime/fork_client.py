"""Workers that start as forks of one process which has imported what they need: fast, and sharing memory.

The fork server is a process of its own with one thread and nothing open, because the program may be anybody's, with
threads that do not survive a fork. Its workers die with it, and it dies with the program (docs/decisions/0014).
"""

import json
import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress

from stream_ocr.runtime.python_process import module_command, module_environment
from stream_ocr.runtime.thresholds import THRESHOLDS

MAX_FDS = 200  # file descriptors per message; Linux allows 253
KILLED = -signal.SIGKILL
WORKER_MODULES = (
    "stream_ocr.runtime.worker",
    *(f"stream_ocr.stages.{name}" for name in ("decode_file", "decode_live", "detect", "recognize", "publish")),
)
"""Modules that workers share. Not ``stages.track``: scipy takes longer to import than all others together. Not
onnxruntime: it would start a thread."""


class Fork:
    """A process that the server forked, with the methods of ``subprocess.Popen`` that are needed."""

    def __init__(self, outcome: int) -> None:
        """outcome: read end of a pipe to which the server writes the process id and, at the end, the exit code."""
        self._outcome, self._pidfd, self._code = outcome, -1, None if (line := _read_line(outcome)) else KILLED
        self.pid = int(line or 0)
        self._open = ExitStack()
        self._open.callback(os.close, outcome)
        if self._code is not None:
            return
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return  # it has ended already
        except OSError:
            os.kill(self.pid, signal.SIGKILL)  # without a descriptor it could not be stopped later
            self._open.close()
            raise
        self._open.callback(os.close, self._pidfd)

    def poll(self) -> int | None:
        """Return the exit code, the negative number of the signal that killed it, or None while it runs."""
        return self._wait_ms(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return as ``poll``. Raise subprocess.TimeoutExpired."""
        code = self._wait_ms(None if timeout is None else max(round(timeout * 1000), 0))
        if code is None:
            raise subprocess.TimeoutExpired("fork", timeout or 0.0)
        return code

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Release the descriptors of a process that has ended."""
        self._open.close()
        self._pidfd = -1

    def _wait_ms(self, timeout_ms: int | None) -> int | None:
        if self._code is None and _readable(self._outcome, timeout_ms):
            self._code = int(_read_line(self._outcome) or KILLED)  # no code: it died with the server
        return self._code

    def _signal(self, number: signal.Signals) -> None:
        if self._code is None and self._pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)


class ForkServer:
    """Forks workers.

    The server process starts importing what they need at once, which takes about a second. It is replaced when it has
    died or does not answer within ``timeout_s``.
    """

    def __init__(self, modules: Sequence[str] = WORKER_MODULES, environment: Mapping[str, str] | None = None) -> None:
        """modules: to import before a fork, the first ones needed first; a fork calls ``main`` of the very first.

        environment: variables for the forks, in addition to those of this process.
        """
        self.timeout_s = THRESHOLDS.fork_timeout_s
        self._modules, self._environment = modules, environment or {}
        self._start()

    def fork(self, stdin: int, fds: list[int]) -> Fork:
        """Return a new process that reads what to do (a worker its ``WorkerSpec``) from ``stdin`` and inherits ``fds``.

        Raise OSError if the system has no descriptor, process or memory for it.
        """
        with ExitStack() as failed:
            outcome, reply = os.pipe()
            failed.callback(os.close, outcome)
            try:
                self._request([stdin, reply, *fds])
            finally:
                os.close(reply)
            failed.pop_all()
        if not _readable(outcome, round(1000 * self.timeout_s)):
            self._popen.kill()  # then the fork, if there is one, counts as killed
        return Fork(outcome)

    def close(self) -> None:
        """Kill the server; its workers die with it."""
        self._channel.close()
        self._popen.kill()
        self._popen.wait()

    def _start(self) -> None:
        channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, ExitStack() as failed:
            failed.enter_context(channel)
            arguments = str(theirs.fileno()), str(os.getpid()), *self._modules
            self._popen = subprocess.Popen(
                module_command("stream_ocr.runtime.fork_server", *arguments),
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C goes to the program only, which ends its workers in order
                pass_fds=[theirs.fileno()],
                # A fork keeps one thread, so OpenBLAS must not have more.
                env=module_environment({"OPENBLAS_NUM_THREADS": "1", **self._environment}),
            )
            failed.pop_all()
        self._channel = channel

    def _request(self, fds: list[int]) -> None:
        """Send a request to the server, or to another one if it has died."""
        if self._channel.fileno() >= 0:
            try:
                self._send(fds)
            except ConnectionError:
                self.close()
            else:
                return
        self._start()
        self._send(fds)

    def _send(self, fds: list[int]) -> None:
        numbers = json.dumps(fds).encode()
        for start in range(0, len(fds), MAX_FDS):
            socket.send_fds(self._channel, [numbers], fds[start : start + MAX_FDS])


_prestarted: list[ForkServer] = []


@contextmanager
def prestart() -> Iterator[None]:
    """Start a fork server while the program imports its own modules; ``fork_server`` takes it over."""
    _prestarted.append(ForkServer())
    try:
        yield
    finally:
        while _prestarted:
            _prestarted.pop().close()


def fork_server() -> ForkServer:
    """Return the prestarted server, or else a new one."""
    return _prestarted.pop() if _prestarted else ForkServer()


def _readable(fd: int, timeout_ms: int | None) -> bool:
    """Return whether there is something to read, or the other side has closed."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(timeout_ms))


def _read_line(fd: int) -> bytes:
    """Return the bytes up to the next line end, or up to the end of the stream."""
    line = b""
    while (byte := os.read(fd, 1)) not in (b"", b"\n"):
        line += byte
    return line
