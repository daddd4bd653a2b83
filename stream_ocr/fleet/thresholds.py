"""Limits and intervals of programs over many hosts. Chosen by hand."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FleetThresholds:
    """Tuning values of ``collect.py``, and of hosts and controller."""

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
    max_imbalance: float = 0.2
    """Difference between the shares of two hosts that are in use, up to which no camera is moved."""
    connect_timeout_s: float = 5.0
    """Time in seconds in which the head of a Ray cluster must answer."""
    narrowing: float = 0.99
    """Factor by which a move must at least change that difference."""
    report_s: float = 1.0
    """Time in seconds between two reports of a host."""
    report_timeout_s: float = 3.0
    """Time in seconds that a host waits for the answer to a report."""
    lease_s: float = 7.0
    """Time in seconds for which a host may read and publish after a report. It is longer than a restart of the
    controller (1 to 3 s), and short enough that the cameras of a lost host run elsewhere within 15 s."""
    lease_margin_s: float = 0.5
    """Time in seconds that the controller waits beyond a lease, for clocks that do not run equally fast and for the
    last batch of a sink."""
    tick_s: float = 0.5
    """Time in seconds between two looks of the controller at hosts, nodes and settings."""
    nodes_s: float = 2.0
    """Time in seconds between two looks at the nodes of the cluster."""
    measured_share: float = 0.6
    """Share of the frames per second that a host can read at full speed that it offers for cameras: beyond it the
    latency grows."""
    measured_s: float = 12.0
    """Length in seconds of the clip by which the capacity of a host is measured."""
    stop_s: float = 12.0
    """Time in seconds in which a run must end on request; it takes up to 8 s to deliver its events."""
    lock_poll_s: float = 0.1
    """Time in seconds between two attempts to lock the folder of a host."""
    start_s: float = 30.0
    """Time in seconds in which the controller must start and answer."""
    sync_s: float = 30.0
    """Time in seconds in which a run that has started must use changed settings; 1 to 3 s are usual."""
    signal_s: float = 0.5
    """Time in seconds in which a run has certainly seen a signal: it looks ten times a second."""
    dashboard_s: float = 2.0
    """Time in seconds between two looks of a dashboard at the fleet, and between two pictures of a camera on it."""
    silent_s: float = 10.0
    """A controller that has not answered a dashboard for so many seconds is reported."""
    ticket_key_bytes: int = 32
    """Length of the key with which tickets for pictures are made."""
    id_digits: int = 6
    """Digits of their ids by which the names of hosts on one machine differ."""
    first_restart_s: float = 1.0
    """Delay in seconds before a run that ended by itself is started again; doubled each time."""
    longest_restart_s: float = 30.0
    """Longest such delay in seconds."""
    healthy_s: float = 60.0
    """A run that has lasted for so many seconds is healthy: the next delay is the first one again."""


THRESHOLDS = FleetThresholds()
