"""Connections of the bus, and limits on each. A peer that exceeds a limit is disconnected.

libzmq attaches the file descriptor of its connection to every message, and reports connections made and lost. Shutting
a connection down is all that is needed: libzmq then drops its subscriptions and its queue.

libzmq does not report which connection has completed its handshake. The first message of a peer proves it, because
without a handshake, and without an allowed key where keys are required, no message gets through. Until then a peer
is a newcomer: newcomers take no place from established peers, and beyond their limit the oldest one is closed.
"""

import socket as sockets
import struct
import time
from collections import Counter
from dataclasses import dataclass, field

import zmq

from stream_ocr.bus.thresholds import THRESHOLDS
from stream_ocr.logs import get_logger

_EVENT = struct.Struct("=Hi")  # kind, file descriptor

log = get_logger(__name__)


@dataclass(slots=True)
class Allowance:
    """A token bucket: ``burst`` at once, and ``per_s`` in the long run."""

    burst: float
    per_s: float
    left: float
    updated_s: float

    @classmethod
    def full(cls, burst: float, per_s: float) -> "Allowance":
        """Return a bucket of which nothing has been spent."""
        return cls(burst, per_s, burst, time.monotonic())

    def spend(self, amount: float) -> bool:
        """Spend some. Return whether enough was left."""
        now_s = time.monotonic()
        self.left = min(self.burst, self.left + (now_s - self.updated_s) * self.per_s) - amount
        self.updated_s = now_s
        return self.left >= 0


@dataclass(slots=True, eq=False)
class Peer:
    """One connection. established: it has sent a message. topics: those that it subscribes to."""

    fd: int
    established: bool = False
    disconnected: bool = False
    topics: set[bytes] = field(default_factory=set)
    topic_bytes: int = 0
    messages: Allowance = field(
        default_factory=lambda: Allowance.full(THRESHOLDS.message_burst, THRESHOLDS.messages_per_s)
    )
    message_bytes: Allowance = field(
        default_factory=lambda: Allowance.full(THRESHOLDS.message_burst_bytes, THRESHOLDS.message_bytes_per_s)
    )


class Connections:
    """The peers of one socket.

    disconnects: number of peers disconnected, by reason.
    """

    def __init__(self, socket: zmq.Socket[bytes], max_peers: int) -> None:
        """max_peers: maximum number of established peers."""
        self.disconnects: dict[str, int] = {}
        self._max_peers = max_peers
        self._peers: dict[int, Peer] = {}
        self._newcomers: dict[int, Peer] = {}  # in the order of their arrival
        self._established = 0
        self._topics = Counter[bytes]()  # number of peers that subscribe to each
        self._topic_bytes = 0  # of all topics, each counted once
        self.monitor = socket.get_monitor_socket(zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED)

    def __len__(self) -> int:
        return len(self._peers)

    def update(self) -> None:
        """Register new connections and remove lost ones.

        Call it after messages were received and before they are checked: then their connections are known.
        """
        for _ in range(THRESHOLDS.connection_events_per_turn):
            try:
                event, _endpoint = self.monitor.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            kind, fd = _EVENT.unpack(event)
            self._remove(fd)
            if kind == zmq.EVENT_ACCEPTED:
                self._add(fd)

    def accept_subscription(self, frame: zmq.Frame) -> bool:
        """Return whether a message to a publisher is a subscription, or its end, within the limits."""
        peer = self._peer(frame)
        if peer is None:  # libzmq ends the subscriptions of a peer that is gone
            return True
        message = frame.bytes
        if message[:1] not in (b"\0", b"\1") or len(message) > THRESHOLDS.max_topic_bytes:
            return self.disconnect(peer, "no subscription")
        if not self._accept(peer, len(message)):
            return False
        if message[0] == 1:
            self._subscribe(peer, message[1:])
        else:
            self._unsubscribe(peer, message[1:])
        if len(peer.topics) > THRESHOLDS.max_subscriptions or peer.topic_bytes > THRESHOLDS.max_subscribed_bytes:
            return self.disconnect(peer, "too many subscriptions")
        if self._topic_bytes > THRESHOLDS.max_subscribed_bytes_in_all:
            largest = max(self._peers.values(), key=lambda each: each.topic_bytes)
            self.disconnect(largest, "too many subscriptions of all peers")
        return not peer.disconnected

    def accept_request(self, frame: zmq.Frame) -> Peer | None:
        """Return the peer that sent a request, or None if it is beyond the limits."""
        peer = self._peer(frame)
        return peer if peer is not None and self._accept(peer, len(frame)) else None

    def disconnect(self, peer: Peer, reason: str) -> bool:
        """Disconnect a peer. Return False."""
        if peer.disconnected:
            return False
        if reason not in self.disconnects:
            log.warning("a peer was disconnected", reason=reason)
        self.disconnects[reason] = self.disconnects.get(reason, 0) + 1
        self._forget(peer)
        _shut_down(peer.fd)
        return False

    def _peer(self, frame: zmq.Frame) -> Peer | None:
        """Return the peer that sent a message; None if libzmq made the message itself."""
        try:
            fd = int(frame.get("__fd"))
        except (zmq.ZMQError, ValueError):
            return None
        return self._peers.get(fd) or self._add(fd)

    def _accept(self, peer: Peer, size: int) -> bool:
        """Return whether a peer may send a message of ``size`` bytes."""
        if peer.disconnected:  # libzmq had received it before
            return False
        if not peer.established:
            del self._newcomers[peer.fd]
            peer.established = True
            self._established += 1
            if self._established > self._max_peers:
                return self.disconnect(peer, "too many peers")
        is_within = peer.messages.spend(1) & peer.message_bytes.spend(size)
        return is_within or self.disconnect(peer, "too many messages")

    def _subscribe(self, peer: Peer, topic: bytes) -> None:
        """Follow libzmq, which keeps a set of topics for each peer: a repetition changes nothing."""
        if topic not in peer.topics:
            peer.topics.add(topic)
            peer.topic_bytes += len(topic)
            self._topics[topic] += 1
            self._topic_bytes += len(topic) if self._topics[topic] == 1 else 0

    def _unsubscribe(self, peer: Peer, topic: bytes) -> None:
        """Follow libzmq: the end of a subscription that the peer does not have changes nothing."""
        if topic in peer.topics:
            peer.topics.remove(topic)
            peer.topic_bytes -= len(topic)
            self._topics[topic] -= 1
            if not self._topics[topic]:
                del self._topics[topic]
                self._topic_bytes -= len(topic)

    def _add(self, fd: int) -> Peer:
        peer = self._peers[fd] = self._newcomers[fd] = Peer(fd)
        if len(self._newcomers) > THRESHOLDS.max_newcomers:
            self.disconnect(next(iter(self._newcomers.values())), "too many peers without a message")
        return peer

    def _remove(self, fd: int) -> None:
        peer = self._peers.pop(fd, None)
        if peer is not None and not peer.disconnected:
            self._forget(peer)

    def _forget(self, peer: Peer) -> None:
        """Give back what a peer takes of the limits."""
        peer.disconnected = True
        if peer.established:
            self._established -= 1
        else:
            del self._newcomers[peer.fd]
        for topic in list(peer.topics):
            self._unsubscribe(peer, topic)


def _shut_down(fd: int) -> None:
    """Shut down a connection that libzmq owns and will close."""
    try:
        connection = sockets.socket(fileno=fd)
    except OSError:
        return  # it has closed meanwhile
    try:
        connection.getpeername()
        connection.shutdown(sockets.SHUT_RDWR)
    except OSError:
        pass  # as above
    finally:
        connection.detach()
