"""Tuning values of the runtime: intervals, timeouts, sizes of queues."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RuntimeThresholds:
    """Chosen by hand unless a comment says otherwise; the kill tests in ``tests/runtime`` hold them."""

    # Limits of a run, seconds.
    start_s: float = 120.0
    """For all workers, and later for each restarted one, to become ready: networks load slowly on a busy machine."""
    hang_s: float = 30.0
    """Without a heartbeat a worker of a run over files hangs."""
    stall_s: float = 90.0
    """Without progress of any worker a run over files is stuck."""
    drain_s: float = 10.0
    """From a stop to the end of a run over files."""
    live_hang_s: float = 8.0
    """Without a heartbeat a worker of a run over cameras hangs; runs pass ``service.heartbeat_timeout_s``."""
    live_drain_s: float = 8.0
    """From a stop to the end of a run over cameras; runs pass ``service.shutdown_timeout_s``."""

    # The supervisor's loop, seconds.
    watch_interval_s: float = 0.1
    """Between two checks of all workers."""
    end_interval_s: float = 0.005
    """The same once all streams have closed: the workers are about to finish."""
    start_poll_s: float = 0.02
    """Between two checks of workers that are starting."""
    shutdown_grace_s: float = 1.0
    """For workers to close what they hold before they are killed."""
    max_watch_step_s: float = 1.0
    """Longest step of the watch clock: workers are not blamed for time in which ``messages`` was not iterated."""
    source_stop_s: float = 5.0
    """For a source that is removed or replaced to close its stream before it is killed."""
    close_resend_s: float = 2.0
    """From the end of a source until the end of its stream must have passed all workers, before it is sent again."""
    fork_timeout_s: float = 30.0
    """For the fork server to answer; on a busy machine it imports for some seconds first."""

    # Restarts of one worker, seconds.
    restart_first_s: float = 0.25
    """Delay after the first failure; it doubles with each further one."""
    restart_longest_s: float = 30.0
    """Longest delay."""
    restart_healthy_s: float = 60.0
    """Time without a failure after which delays start from ``restart_first_s`` again."""
    degraded_failures: int = 5
    """Failures within ``restart_healthy_s`` from which a worker counts as degraded."""

    # Workers, seconds.
    poll_s: float = 0.1
    """Longest wait for a message or for room before the worker beats and checks for signals."""
    counters_interval_s: float = 1.0
    """Between two updates of a worker's counters."""
    watermark_interval_s: float = 1.0
    """Between two watermarks of a ring."""
    watermark_lease_s: float = 10.0
    """After so long no live worker can still hold a message of a dead predecessor (docs/decisions/0007)."""
    slot_first_poll_s: float = 0.0002
    """First wait for a free slot; it doubles up to ``slot_longest_poll_s``."""
    slot_longest_poll_s: float = 0.002
    """Longest wait between two checks for a free slot."""

    # Queues.
    file_slots: int = 64
    """Frames per file: enough to decode on while other stages load or compute."""
    camera_slots: int = 12
    """Frames per camera: more would only add latency."""
    crop_slots: int = 128
    """Crops of all streams; one frame must not need more."""
    recognize_items: int = 16
    """Messages per batch of recognize."""
    publish_items: int = 64
    """Messages per batch of publish, committed together; it does not wait for more."""
    high_water_mark: int = 1000
    """Messages queued by ZeroMQ on each side. Slots are the real bound; small values lose messages (libzmq #4660)."""
    reconnect_ms: tuple[int, int] = (20, 200)
    """First and longest delay before ZeroMQ connects to the successor of a dead receiver."""


THRESHOLDS = RuntimeThresholds()
