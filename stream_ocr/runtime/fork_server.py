"""The fork server's own side: ``python -m stream_ocr.runtime.fork_server FD PID``. See ``forks``."""

import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import NoReturn

from stream_ocr.runtime.fork_client import AT_ONCE

_PR_SET_PDEATHSIG = 1
_SHARED = (
    "runtime.worker",
    *(f"stages.{name}" for name in ("decode_file", "decode_live", "detect", "recognize", "publish")),
)
"""Modules. What track alone imports (scipy) takes longer than all of this, while the others could begin; onnxruntime
would start a thread."""


def main() -> None:
    """Fork a worker for each request, say how each has ended, and end with the program."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    _die_with_parent(int(sys.argv[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the supervisor decides
    _import()
    Server(channel).serve()


def _import() -> None:
    """What workers need. Where something lacks, a worker says so that wants it."""
    gc.disable()
    import cv2
    from setproctitle import setproctitle

    cv2.setNumThreads(1)
    setproctitle("stream-ocr: forks")
    for module in _SHARED:
        with suppress(ImportError):
            import_module(f"stream_ocr.{module}")
    gc.freeze()  # collections need not touch, and so copy, what all share
    gc.enable()


class Server:
    """Its children by the descriptor that becomes readable at their end: process id, and where to say how it was."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._children: dict[int, tuple[int, int]] = {}
        self._poller = select.poll()
        self._poller.register(channel, select.POLLIN)

    def serve(self) -> None:
        """Until nobody asks any more."""
        while True:
            for fd, _ in self._poller.poll():
                if fd in self._children:
                    self._bury(fd)
                elif fds := self._asked():
                    self._fork(fds)
                else:
                    return

    def _asked(self) -> dict[int, int]:
        """File descriptors by the numbers that the program has for them; none when it has gone."""
        received: list[int] = []
        numbers: list[int] = []
        while not numbers or len(received) < len(numbers):
            asked, fds, _, _ = socket.recv_fds(self._channel, 65536, AT_ONCE)
            if not asked:
                return {}
            numbers = json.loads(asked)
            received += fds
        return dict(zip(numbers, received, strict=True))

    def _fork(self, fds: Mapping[int, int]) -> None:
        stdin, told, *others = fds
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_worker(server, fds[stdin], fds[told], {number: fds[number] for number in others})
        for number in (stdin, *others):
            os.close(fds[number])
        with suppress(ProcessLookupError):  # it died at once
            os.setpgid(pid, pid)
        handle = os.pidfd_open(pid)
        self._children[handle] = pid, fds[told]
        self._poller.register(handle, select.POLLIN)
        _say(fds[told], pid)

    def _become_worker(self, server: int, stdin: int, told: int, fds: Mapping[int, int]) -> NoReturn:
        _die_with_parent(server)
        self._channel.close()
        for handle, (_, outcome) in self._children.items():
            os.close(handle)
            os.close(outcome)
        os.close(told)
        os.dup2(stdin, 0)
        os.close(stdin)
        from stream_ocr.runtime import worker

        code = 1
        try:
            worker.main(fds)
        except SystemExit:  # told to end when it had just ended
            code = 0
        except BaseException:  # noqa: BLE001 whatever it is, it must not go up into the server
            traceback.print_exc()
        os._exit(code)

    def _bury(self, handle: int) -> None:
        pid, told = self._children.pop(handle)
        self._poller.unregister(handle)
        os.close(handle)
        _, status = os.waitpid(pid, 0)
        _say(told, os.waitstatus_to_exitcode(status))
        os.close(told)


def _say(fd: int, number: int) -> None:
    with suppress(BrokenPipeError):  # nobody wants to know
        os.write(fd, b"%d\n" % number)


def _die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when the one that started it is gone."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before
        os._exit(1)


if __name__ == "__main__":
    main()
