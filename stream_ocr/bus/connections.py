"""Who is connected, and what each of them may do. A peer that goes too far is hung up on.

libzmq gives every message the descriptor of the connection that it came through, and tells of connections made and
lost. Shutting the connection down is all that is needed: libzmq then forgets its subscriptions and its queue.
"""

import os
import socket as sockets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog
import zmq
from zmq.utils.monitor import recv_monitor_message

MAX_SUBSCRIPTIONS = 1000  # of one peer at a time
MAX_SUBSCRIBED_BYTES = 32 * 1024  # of the topics of one peer; libzmq takes some forty bytes of memory for each
MAX_TOPIC_BYTES = 512
MAX_REQUESTS_PER_S = 200

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Peer:
    subscriptions: int = 0
    subscribed_bytes: int = 0
    requests: int = 0
    second: int = field(default_factory=lambda: int(time.monotonic()))


class Connections:
    """The peers of one socket.

    refused: how many were hung up on, for what.
    """

    def __init__(self, socket: zmq.Socket[bytes], limit: int) -> None:
        self.refused: dict[str, int] = {}
        self._limit = limit
        self._peers: dict[int, _Peer] = {}
        self.monitor = socket.get_monitor_socket(zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED)

    def __len__(self) -> int:
        return len(self._peers)

    def watch(self) -> None:
        """Take note of who came and went."""
        for _ in range(1000):
            if not self.monitor.poll(0):
                return
            event = recv_monitor_message(self.monitor)
            fd = event["value"]
            if event["event"] == zmq.EVENT_ACCEPTED:
                self._peers[fd] = _Peer()
                if len(self._peers) > self._limit:
                    self.refuse(fd, "too many peers")
            else:
                self._peers.pop(fd, None)

    def subscribes(self, frame: zmq.Frame) -> bool:
        """Whether a message to a publisher is a subscription, or its end, that is within the limits."""
        message, fd = frame.bytes, _descriptor(frame)
        if fd is None:  # the end of subscriptions of a peer that is gone
            return True
        peer = self._peers.setdefault(fd, _Peer())
        if message[:1] not in (b"\0", b"\1") or len(message) > MAX_TOPIC_BYTES:
            return self.refuse(fd, "no subscription")
        sign = 1 if message[0] else -1
        peer.subscriptions += sign
        peer.subscribed_bytes += sign * len(message)
        few = peer.subscriptions <= MAX_SUBSCRIPTIONS and peer.subscribed_bytes <= MAX_SUBSCRIBED_BYTES
        return few or self.refuse(fd, "too many subscriptions")

    def asks(self, frame: zmq.Frame) -> bool:
        """Whether a request comes not too soon after too many others."""
        fd = _descriptor(frame)
        if fd is None:
            return True
        peer, second = self._peers.setdefault(fd, _Peer()), int(time.monotonic())
        peer.requests = peer.requests + 1 if peer.second == second else 1
        peer.second = second
        return peer.requests <= MAX_REQUESTS_PER_S or self.refuse(fd, "too many requests")

    def refuse(self, fd: int, why: str) -> bool:
        """Hang up on a peer; False."""
        if why not in self.refused:
            log.warning("a peer was hung up on", reason=why)
        self.refused[why] = self.refused.get(why, 0) + 1
        self._peers.pop(fd, None)
        for copy in _copied(fd):
            with sockets.socket(fileno=copy) as connection:
                try:
                    connection.getpeername()
                    connection.shutdown(sockets.SHUT_RDWR)
                except OSError:
                    pass  # it has gone meanwhile
        return False


def _descriptor(frame: zmq.Frame) -> int | None:
    try:
        return int(frame.get("__fd"))
    except (zmq.ZMQError, ValueError):
        return None


def _copied(fd: int) -> Iterator[int]:
    try:
        yield os.dup(fd)
    except OSError:
        return
