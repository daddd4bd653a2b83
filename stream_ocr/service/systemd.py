"""What systemd wants to know of a service: one datagram each, to the socket that it names in the environment."""

import os
import socket
import time


class Notifier:
    """Says that the service is ready, lives, or stops; nothing where nobody asked (no NOTIFY_SOCKET)."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._every_s = int(os.environ.get("WATCHDOG_USEC") or 0) / 2e6
        self._told_s = 0.0

    def ready(self) -> None:
        """Everything is up."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """All is well; told at half of the interval that systemd waits."""
        now = time.monotonic()
        if self._every_s and now - self._told_s >= self._every_s:
            self._told_s = now
            self._tell("WATCHDOG=1")

    def _tell(self, word: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto(word.encode(), address)
