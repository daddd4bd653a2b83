"""Replies of the bus on their way to peers, bounded by their bytes."""

from collections import deque

import zmq

from stream_ocr.bus.connections import Connections, Peer
from stream_ocr.bus.thresholds import THRESHOLDS


class ReplyQueue:
    """Replies that libzmq has not yet passed to the system, of all peers. They are bounded by their bytes.

    A reply counts until libzmq has released its memory. If there is no room for another, the peer that has not read
    for the longest time is disconnected.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._queued: deque[tuple[Peer, int, zmq.MessageTracker]] = deque()  # oldest first
        self._bytes = 0

    def has_room(self, peer: Peer) -> bool:
        """Return whether a peer reads its replies; otherwise do not answer it."""
        if sum(each is peer for each, _, _ in self._queued) >= THRESHOLDS.reply_backlog:
            self._release()
        return sum(each is peer for each, _, _ in self._queued) < THRESHOLDS.reply_backlog

    def add(self, peer: Peer, size: int, tracker: zmq.MessageTracker | None) -> None:
        """Count a reply of ``size`` bytes that was sent to a peer."""
        assert tracker is not None, "the reply was sent with track=True"
        self._queued.append((peer, size, tracker))
        self._bytes += size
        if self._bytes > THRESHOLDS.max_reply_bytes_in_all:
            self._release()
        while self._bytes > THRESHOLDS.max_reply_bytes_in_all:
            self._connections.disconnect(self._queued[0][0], "replies not read")
            self._release()

    def _release(self) -> None:
        """Remove replies that are gone, and those of peers that were disconnected."""
        self._queued = deque(each for each in self._queued if not (each[0].disconnected or each[2].done))
        self._bytes = sum(size for _, size, _ in self._queued)
