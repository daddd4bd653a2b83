"""A server in a process of its own, on its own port, which can be killed and started again."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

TIMEOUT_S = 30.0


def eventually(condition: Callable[[], object]) -> bool:
    """Return whether the condition becomes true within TIMEOUT_S seconds."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class ServerProcess:
    """Runs ``program -c FILE``; leaving the context kills it."""

    def __init__(self, program: str | None, file: Path, settings: str) -> None:
        """settings: content of the file, in which PORT stands for the port."""
        with socket.create_server(("127.0.0.1", 0)) as placeholder:
            self.port = placeholder.getsockname()[1]
        file.parent.mkdir()
        file.write_text(settings.replace("PORT", str(self.port)))
        assert program is not None
        self._command = [program, "-c", str(file)]
        self.process: subprocess.Popen[bytes]
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(signal.SIGKILL)

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        if not eventually(listens):
            self.end(signal.SIGKILL)
            raise AssertionError(f"{self._command} does not listen")

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(number)
        self.process.wait(10)
