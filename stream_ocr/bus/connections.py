"""Connections of the bus, and limits on each. A peer that exceeds a limit is disconnected.

libzmq attaches the file descriptor of its connection to every message, and reports connections made and lost. Shutting
a connection down is all that is needed: libzmq then drops its subscriptions and its queue.
"""

import os
import socket as sockets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog
import zmq
from zmq.utils.monitor import recv_monitor_message

from stream_ocr.bus.thresholds import THRESHOLDS

_EVENTS_PER_TURN = 1000

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Peer:
    subscriptions: int = 0
    subscribed_bytes: int = 0
    requests: int = 0  # in the current second
    second: int = field(default_factory=lambda: int(time.monotonic()))


class Connections:
    """The peers of one socket.

    disconnects: number of peers disconnected, by reason.
    """

    def __init__(self, socket: zmq.Socket[bytes], limit: int) -> None:
        """limit: maximum number of peers."""
        self.disconnects: dict[str, int] = {}
        self._limit = limit
        self._peers: dict[int, _Peer] = {}
        self.monitor = socket.get_monitor_socket(zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED)

    def __len__(self) -> int:
        return len(self._peers)

    def update(self) -> None:
        """Register new connections and remove lost ones."""
        for _ in range(_EVENTS_PER_TURN):
            if not self.monitor.poll(0):
                return
            event = recv_monitor_message(self.monitor)
            fd = event["value"]
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._peers[fd] = _Peer()
                if len(self._peers) > self._limit:
                    self.disconnect(fd, "too many peers")
            else:
                self._peers.pop(fd, None)

    def allow_subscription(self, frame: zmq.Frame) -> bool:
        """Return whether a message to a publisher is a subscription, or its end, within the limits."""
        message, fd = frame.bytes, _descriptor(frame)
        if fd is None:  # libzmq ends the subscriptions of a peer that is gone
            return True
        peer = self._peers.setdefault(fd, _Peer())
        if message[:1] not in (b"\0", b"\1") or len(message) > THRESHOLDS.max_topic_bytes:
            return self.disconnect(fd, "no subscription")
        sign = 1 if message[0] else -1
        peer.subscriptions += sign
        peer.subscribed_bytes += sign * len(message)
        is_allowed = (
            peer.subscriptions <= THRESHOLDS.max_subscriptions
            and peer.subscribed_bytes <= THRESHOLDS.max_subscribed_bytes
        )
        return is_allowed or self.disconnect(fd, "too many subscriptions")

    def allow_request(self, frame: zmq.Frame) -> bool:
        """Return whether a request is within the rate limit."""
        fd = _descriptor(frame)
        if fd is None:
            return True
        peer, second = self._peers.setdefault(fd, _Peer()), int(time.monotonic())
        peer.requests = peer.requests + 1 if peer.second == second else 1
        peer.second = second
        return peer.requests <= THRESHOLDS.max_requests_per_s or self.disconnect(fd, "too many requests")

    def disconnect(self, fd: int, reason: str) -> bool:
        """Disconnect a peer. Return False."""
        if reason not in self.disconnects:
            log.warning("a peer was disconnected", reason=reason)
        self.disconnects[reason] = self.disconnects.get(reason, 0) + 1
        self._peers.pop(fd, None)
        for duplicate in _duplicates(fd):
            with sockets.socket(fileno=duplicate) as connection:
                try:
                    connection.getpeername()
                    connection.shutdown(sockets.SHUT_RDWR)
                except OSError:
                    pass  # it has closed meanwhile
        return False


def _descriptor(frame: zmq.Frame) -> int | None:
    try:
        return int(frame.get("__fd"))
    except (zmq.ZMQError, ValueError):
        return None


def _duplicates(fd: int) -> Iterator[int]:
    try:
        yield os.dup(fd)
    except OSError:
        return
