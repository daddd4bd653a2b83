"""Limits and intervals of a subscriber. Chosen by hand."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ClientThresholds:
    """Tuning values of ``Sequencer``, ``Subscription`` and ``Cursor``."""

    request_timeout_s: float = 2.0
    """A request without a reply is repeated after so long."""
    crop_timeout_s: float = 5.0
    """``crop`` gives up after so long without a reply."""
    max_requests: int = 8
    """Requests pending at a time."""
    max_held: int = 10_000
    """Events of a stream that wait for an earlier one; further ones are dropped and requested later."""
    max_provisional: int = 1000
    """Events of a stream that were delivered although they were not stored, whose ids are kept; earlier ones may be
    delivered again once they are stored."""
    max_ready: int = 2000
    """Events waiting for the application; with more, nothing is requested."""
    heartbeats_behind: int = 3
    """Heartbeats in a row with a lower ``seq`` than ours, after which the publisher is assumed to have lost events."""
    messages_per_turn: int = 1000
    """Messages of a socket before the other one gets its turn."""
    poll_s: float = 0.25
    """Between two checks for requests to send or repeat."""
    peer_timeout_ms: int = 15_000
    """A bus that does not answer a ping for so long is gone."""
    receive_backlog: int = 10_000
    """Messages queued by ZeroMQ; the bus drops further ones, and they are requested later."""
    reconnect_ms: tuple[int, int] = (100, 2000)
    """First and longest delay before ZeroMQ reconnects."""
    connected_heartbeats: int = 3
    """Without a message for so many heartbeat intervals, a subscription is not connected."""
    cursor_interval_s: float = 0.2
    """Between two writes of a cursor file; events of so long may be delivered again after a kill."""


THRESHOLDS = ClientThresholds()
