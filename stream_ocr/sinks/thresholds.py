"""Tuning values of the sinks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SinkThresholds:
    """Limits, intervals and buffer sizes of the sinks. All chosen by hand unless noted."""

    loss_log_interval_s: float = 60.0
    """Minimum time between two log lines about lost events of one sink, in seconds."""

    subtitle_snap_s: float = 0.15
    """Subtitle lines that start or end within this many seconds of each other do so together."""

    parquet_group_rows: int = 10_000
    """Rows in a Parquet row group."""

    tail_chunk_bytes: int = 1 << 16
    """Bytes read at a time when searching a file backwards for its last complete line."""

    compress_chunk_bytes: int = 1 << 20
    """Bytes copied at a time into a compressed file."""

    queue_min_segments: int = 16
    """A full disk queue has at least this many segments, so that delivered lines free space early."""

    queue_max_segment_bytes: int = 1 << 20
    """Size at which a segment of a disk queue is closed and the next one starts."""

    queue_reset_bytes: int = 1 << 16
    """The only segment of a disk queue is truncated once this many bytes of it are delivered."""

    queue_read_bytes: int = 1 << 18
    """Bytes read at a time from a disk queue; doubled for longer lines."""

    backoff_jitter: tuple[float, float] = (0.5, 1.0)
    """Range of the random factor on each pause after a failed delivery."""

    webhook_body_s: float = 1.0
    """Maximum time to read the body of a webhook response, in seconds. It is read only to reuse the connection."""

    webhook_body_bytes: int = 1 << 16
    """Maximum size of a webhook response body; the connection is closed on longer ones."""

    mqtt_goodbye_s: float = 1.0
    """How long ``close`` waits for the broker to acknowledge the status ``offline``, in seconds."""

    mqtt_reconnect_s: tuple[int, int] = (1, 30)
    """Shortest and longest pause between two connection attempts to a broker, in seconds."""

    mqtt_poll_s: float = 0.1
    """How often a delivery that waits for a connection checks whether it was interrupted, in seconds."""


THRESHOLDS = SinkThresholds()
