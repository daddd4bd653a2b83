import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream_ocr.service.systemd import Notifier


@contextmanager
def environment(**values: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_notifier_sends_ready_watchdog_and_stopping(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(10)
        with environment(NOTIFY_SOCKET=str(path), WATCHDOG_USEC="1"):
            notifier = Notifier()
        notifier.ready()
        notifier.alive()
        notifier.stopping()
        assert [listener.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_notifier_does_nothing_without_notify_socket() -> None:
    notifier = Notifier()
    notifier.ready()
    notifier.alive()
