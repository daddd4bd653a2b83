"""The fork server process: ``python -m stream_ocr.runtime.fork_server FD PID MODULES``. See ``fork_client``."""

import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib import import_module
from typing import NoReturn

from stream_ocr.runtime.fork_client import MAX_FDS
from stream_ocr.runtime.parent_death import die_with_parent

_MAX_REQUEST_BYTES = 65536  # a request names a function and its settings


def main() -> None:
    """Fork a worker for each request, report the exit code of each, and end with the program."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    die_with_parent(int(sys.argv[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the supervisor decides
    gc.disable()  # until a worker is ready: collections must not touch, and thereby copy, what all share
    modules = sys.argv[3:]
    server = Server(channel, entry=modules[0])
    if all(server.serve_pending() for _ in _preload(modules)):
        server.serve()


def _preload(modules: Sequence[str]) -> Iterator[None]:
    """Import what workers need, a module at a time. What is missing is reported by the worker that needs it."""
    import cv2
    from setproctitle import setproctitle

    cv2.setNumThreads(1)
    setproctitle("stream-ocr: forks")
    for module in modules:
        with suppress(ImportError):
            import_module(module)
        yield


class Server:
    """Forks, and reports how its children end."""

    def __init__(self, channel: socket.socket, *, entry: str) -> None:
        """entry: module whose ``main`` a fork calls with its file descriptors, by their numbers in the program."""
        self._channel, self._entry = channel, entry
        self._children: dict[int, tuple[int, int]] = {}  # by pidfd: process id, descriptor for the exit code
        self._poller = select.poll()
        self._poller.register(channel, select.POLLIN)

    def serve(self) -> None:
        """Serve requests until the program closes the channel."""
        while self._serve(None):
            pass

    def serve_pending(self) -> bool:
        """Serve the requests that have arrived. Return False once the program has closed the channel."""
        return self._serve(0)

    def _serve(self, timeout_ms: int | None) -> bool:
        """Serve what arrives within a time, None for any time. Return False once the program has closed the channel."""
        for fd, _ in self._poller.poll(timeout_ms):
            if fd in self._children:
                self._reap(fd)
            elif (fds := self._receive_request()) is None:
                return False
            elif fds:
                self._fork(fds)
        return True

    def _receive_request(self) -> dict[int, int] | None:
        """Return file descriptors by their numbers in the program; None once the program has ended.

        Return none of them if this process has no room for all: to the program, the worker has been killed.
        """
        received: list[int] = []
        numbers: list[int] = []
        expected = 1
        is_complete = True
        while expected > 0:
            request, fds, flags, _ = socket.recv_fds(self._channel, _MAX_REQUEST_BYTES, MAX_FDS)
            if not request:
                return None
            expected = (expected if numbers else len(numbers := json.loads(request))) - MAX_FDS
            is_complete &= not flags & socket.MSG_CTRUNC
            received += fds
        if is_complete and len(received) == len(numbers):
            return dict(zip(numbers, received, strict=True))
        for fd in received:
            os.close(fd)
        return {}

    def _fork(self, fds: Mapping[int, int]) -> None:
        """Fork a worker. If that is impossible, it has been killed to the program."""
        stdin, reply, *others = fds
        server = os.getpid()
        with ExitStack() as failed:
            failed.callback(os.close, fds[reply])
            try:
                pid = os.fork()
            except OSError as error:
                sys.stderr.write(f"A worker cannot be forked: {error}.\n")
                pid = -1
            if pid == 0:
                self._become_worker(server, fds[stdin], fds[reply], {number: fds[number] for number in others})
            for number in (stdin, *others):
                os.close(fds[number])
            if pid > 0 and self._watch(pid, fds[reply]):
                failed.pop_all()
                _write_number(fds[reply], pid)

    def _watch(self, pid: int, reply: int) -> bool:
        """Let ``serve`` report the end of a child. If that is impossible, kill it and return False."""
        with suppress(ProcessLookupError):  # it died at once
            os.setpgid(pid, pid)
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return False
        self._children[pidfd] = pid, reply
        self._poller.register(pidfd, select.POLLIN)
        return True

    def _become_worker(self, server: int, stdin: int, reply: int, fds: Mapping[int, int]) -> NoReturn:
        die_with_parent(server)
        self._channel.close()
        for pidfd, (_, siblings_reply) in self._children.items():
            os.close(pidfd)
            os.close(siblings_reply)
        os.close(reply)
        os.dup2(stdin, 0)
        os.close(stdin)
        code = 1
        try:
            import_module(self._entry).main(fds)
        except SystemExit:  # asked to stop just after it had ended
            code = 0
        except BaseException:  # noqa: BLE001 no exception may reach the server's own loop
            traceback.print_exc()
        os._exit(code)

    def _reap(self, pidfd: int) -> None:
        pid, reply = self._children.pop(pidfd)
        self._poller.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        _write_number(reply, os.waitstatus_to_exitcode(status))
        os.close(reply)


def _write_number(fd: int, number: int) -> None:
    with suppress(BrokenPipeError):  # the program has closed its end
        os.write(fd, b"%d\n" % number)


if __name__ == "__main__":
    main()
