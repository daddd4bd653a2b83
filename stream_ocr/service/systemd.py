"""Notifications for systemd: one datagram each, to the socket that it names in the environment (sd_notify)."""

import os
import socket
import time


class Notifier:
    """Reports that the service is ready, alive, or stopping; does nothing without NOTIFY_SOCKET."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._interval_s = int(os.environ.get("WATCHDOG_USEC") or 0) / 2e6  # half of what systemd waits
        self._sent_s = 0.0

    def ready(self) -> None:
        """Report that everything has started."""
        self._send("READY=1")

    def stopping(self) -> None:
        """Report that the service is about to end."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog, at half of the interval that systemd waits."""
        now = time.monotonic()
        if self._interval_s and now - self._sent_s >= self._interval_s:
            self._sent_s = now
            self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto(state.encode(), address)
