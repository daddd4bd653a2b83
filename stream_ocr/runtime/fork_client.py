"""Workers that begin as forks of one process which has imported what they need: at once, and with memory that they
share.

The fork server is a process of its own, with one thread and nothing open, because the program may be anybody's, with
threads that do not survive a fork. Its workers die with it, and it dies with the program (docs/decisions/0014).
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

AT_ONCE = 200  # file descriptors in a message; Linux takes 253
KILLED = -signal.SIGKILL


class Fork:
    """A process that the server has forked, with the methods of ``subprocess.Popen`` that are needed."""

    def __init__(self, outcome: int) -> None:
        """outcome: read end of a pipe in which the server says the process id and, once it has ended, how."""
        self._outcome, self._handle, self._code = outcome, -1, None if (line := _line(outcome)) else KILLED
        self.pid = int(line or 0)
        self._open = ExitStack()
        self._open.callback(os.close, outcome)
        with suppress(OSError):  # it has ended already
            self._handle = os.pidfd_open(self.pid)
            self._open.callback(os.close, self._handle)

    def poll(self) -> int | None:
        """The exit code, or the negative number of the signal that killed it; None while it runs."""
        return self._wait_ms(0)

    def wait(self, timeout: float | None = None) -> int:
        """As ``poll``, once it has ended. Raises subprocess.TimeoutExpired."""
        code = self._wait_ms(None if timeout is None else max(round(timeout * 1000), 0))
        if code is None:
            raise subprocess.TimeoutExpired("fork", timeout or 0.0)
        return code

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Forget a process that has ended."""
        self._open.close()
        self._handle = -1

    def _wait_ms(self, timeout_ms: int | None) -> int | None:
        if self._code is None and _readable(self._outcome, timeout_ms):
            self._code = int(_line(self._outcome) or KILLED)  # with the server, if that has not said it
        return self._code

    def _signal(self, number: signal.Signals) -> None:
        if self._code is None and self._handle >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)


class ForkServer:
    """Forks workers. Begins to import what they need at once, which takes about a second; it is replaced when it has
    died, or does not answer for ``answer_s``."""

    def __init__(self) -> None:
        self.answer_s = 30.0  # on a busy machine it imports for some seconds first
        self._start()

    def fork(self, stdin: int, fds: list[int]) -> Fork:
        """A worker that reads what it is to do from ``stdin``, and may use these file descriptors of the program."""
        outcome, told = os.pipe()
        try:
            self._ask([stdin, told, *fds])
        except ConnectionError:
            self.close()
            self._start()
            self._ask([stdin, told, *fds])
        finally:
            os.close(told)
        if not _readable(outcome, round(1000 * self.answer_s)):
            self._popen.kill()  # so that the fork is one that was killed, too
        return Fork(outcome)

    def close(self) -> None:
        """End it. Its workers end with it."""
        self._channel.close()
        self._popen.kill()
        self._popen.wait()

    def _start(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        with theirs:
            # -P and the search path: imports must find here what they find in this process, and nothing in the folder
            # that the user happens to be in. A fork keeps one thread, so that there must not be more.
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "stream_ocr.runtime.fork_server", str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                process_group=0,  # a Ctrl-C at the terminal is for the program, which ends its workers in good order
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
            )

    def _ask(self, fds: list[int]) -> None:
        numbers = json.dumps(fds).encode()
        for start in range(0, len(fds), AT_ONCE):
            socket.send_fds(self._channel, [numbers], fds[start : start + AT_ONCE])


_waiting: list[ForkServer] = []


@contextmanager
def early() -> Iterator[None]:
    """Begin to import what workers need while the program imports its own part; ``fork_server`` gives it away."""
    _waiting.append(ForkServer())
    try:
        yield
    finally:
        while _waiting:
            _waiting.pop().close()


def fork_server() -> ForkServer:
    """One that has begun early, or else a new one."""
    return _waiting.pop() if _waiting else ForkServer()


def _readable(fd: int, within_ms: int | None) -> bool:
    """Whether there is something to read, or the other side has gone."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(within_ms))


def _line(fd: int) -> bytes:
    """Up to the next line end; less when the other side has gone."""
    line = b""
    while (byte := os.read(fd, 1)) not in (b"", b"\n"):
        line += byte
    return line
