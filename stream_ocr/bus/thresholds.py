"""Limits and intervals of the event bus. Light to import: clients use it, too."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BusThresholds:
    """Chosen by hand unless a comment says otherwise."""

    # Limits of one connection; the bus disconnects a peer that exceeds them.
    max_subscriptions: int = 1000
    """Subscriptions at a time."""
    max_subscribed_bytes: int = 16 * 1024
    """Bytes of all topics; libzmq needs about 40 bytes of memory for each."""
    max_topic_bytes: int = 512
    """Bytes of one topic."""
    message_burst: int = 2000
    """Messages (subscriptions or requests) that a peer may send at once: twice all its subscriptions."""
    messages_per_s: int = 200
    """Messages per second in the long run; a replay of many pages needs this rate."""
    message_burst_bytes: int = 128 * 1024
    """Bytes that a peer may send at once."""
    message_bytes_per_s: int = 32 * 1024
    """Bytes per second in the long run."""
    receive_buffer_bytes: int = 8192
    """Bytes the system accepts from a subscriber before the bus counts them and disconnects it if need be."""

    # Limits of all connections of a socket.
    max_newcomers: int = 256
    """Peers that have not sent a message; the oldest is closed for the next."""
    max_subscribed_bytes_in_all: int = 32 * 1024
    """Bytes of all topics of all peers, each topic counted once; beyond that the peer with the most is disconnected.
    For each peer that leaves libzmq searches all of them, which took 7 ms on a busy machine."""
    max_reply_bytes_in_all: int = 32 * 2**20
    """Bytes of replies that wait to be read; beyond that the peer that has waited longest is disconnected."""
    send_buffer_bytes: int = 256 * 1024
    """Bytes that the system holds for a peer that does not read; without a limit it is up to 4 MiB."""
    handshake_ms: int = 5000
    """For a peer to complete its handshake."""
    unread_ms: int = 30_000
    """A peer that reads nothing for so long, while something is sent, is disconnected by the system (TCP)."""

    # The bus process.
    bind_s: float = 5.0
    """For the predecessor of a bus to release its ports."""
    bind_poll_s: float = 0.1
    """Between two attempts to bind."""
    linger_ms: int = 1000
    """For queued events to leave at the end."""
    peer_timeout_ms: int = 15_000
    """A peer that does not answer a ping for so long is gone."""
    max_files: int = 4096
    """File descriptors, each connection needs one."""
    messages_per_turn: int = 64
    """Messages of one socket before the others get their turn."""
    connection_events_per_turn: int = 10_000
    """Connections and disconnections of one socket before the others get their turn."""
    reply_backlog: int = 8
    """Replies queued for a slow peer; further ones are dropped, and the peer asks again."""
    max_catch_up: int = 20_000
    """Events of a stream that the bus publishes late by itself; subscribers request older ones."""

    # The publisher.
    restart_interval_s: float = 5.0
    """Shortest time between two starts of the bus process."""
    exit_s: float = 5.0
    """For the bus process to end by itself."""
    feed_buffer_bytes: int = 4 * 2**20
    """Events on their way to the bus process; beyond that it reads from the store."""


THRESHOLDS = BusThresholds()
