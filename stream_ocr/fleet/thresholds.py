"""Limits and intervals of programs over many hosts. Chosen by hand."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FleetThresholds:
    """Tuning values of ``collect.py``."""

    batch_events: int = 500
    """Events that are fetched and stored together; so many may be read again after a kill."""
    max_known: int = 2000
    """Ids of a stream that are remembered."""
    consumer_s: float = 60.0
    """Time in seconds after which the server forgets a reader that has gone."""
    poll_s: float = 1.0
    """Time in seconds that a fetch waits for the first event."""
    timeout_s: float = 10.0
    """Time in seconds for a connection, and for the server to name its JetStream."""


THRESHOLDS = FleetThresholds()
