"""Tuning values of the sinks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SinkThresholds:
    """Limits, intervals and buffer sizes of the sinks. All chosen by hand unless noted."""

    loss_log_interval_s: float = 60.0
    """Minimum time between two log lines about lost events of one sink, in seconds."""

    subtitle_snap_s: float = 0.15
    """Subtitle lines that start or end within this many seconds of each other do so together."""

    scene_snap_s: float = 0.2
    """A text that appears, changes or ends within this many seconds of a cut does so at the cut, in lists of scenes."""

    mqtt_crops: int = 100
    """Most pictures of texts that wait for the delivery of their event."""

    min_font_px: float = 8.0
    """Smallest letters of an ASS file, in pixels of the video."""

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

    delivery_events: int = 100
    """Events in a batch, for sinks without a setting of their own (MQTT), as the three below."""

    delivery_min_backoff_s: float = 0.5
    """Pause after the first failed delivery, in seconds; doubled with each further one."""

    delivery_max_backoff_s: float = 60.0
    """Longest pause after a failed delivery, in seconds."""

    delivery_flush_timeout_s: float = 5.0
    """Maximum time that ``close`` waits for undelivered events, in seconds."""

    webhook_body_s: float = 1.0
    """Maximum time to read the body of a webhook response, in seconds. It is read only to reuse the connection."""

    webhook_body_bytes: int = 1 << 16
    """Maximum size of a webhook response body; the connection is closed on longer ones."""

    mqtt_goodbye_s: float = 1.0
    """Maximum time that ``close`` waits for the broker to acknowledge the status ``offline``, in seconds."""

    mqtt_reconnect_s: tuple[int, int] = (1, 30)
    """Shortest and longest pause between two connection attempts to a broker, in seconds."""

    mqtt_poll_s: float = 0.1
    """Interval at which a delivery that waits for a connection checks for an interrupt, in seconds."""

    nats_timeout_s: float = 5.0
    """Time in seconds for a connection to a NATS server, and for its acknowledgement of a batch."""

    nats_reconnect_s: float = 1.0
    """Pause in seconds between two attempts to connect again."""

    nats_duplicate_window_s: float = 3600.0
    """Time in seconds for which a JetStream that we create remembers ids. After a longer outage an event whose
    acknowledgement was lost may be stored twice."""


@dataclass(frozen=True, slots=True)
class CaptionThresholds:
    """Subtitles among other texts (``captions.py``). Tuned on five clips with burnt-in captions."""

    max_off_centre: float = 0.05
    """Distance between the centres of a line and of the picture, as a share of its width."""

    max_shift: float = 1.0
    """Distance by which a subtitle may move, as a multiple of the line height: it may zoom in."""

    max_indent: float = 0.5
    """Distance of the left ends of two lines that are aligned there, as a multiple of the line height."""

    max_height_ratio: float = 1.7
    """Ratio of the heights of two lines in letters of one size: of "ace" and "Ál"."""

    max_row_offset: float = 0.6
    """Distance of the bottoms of two lines in one row, as a multiple of the line height."""

    max_line_gap: float = 0.8
    """Gap between two lines of a subtitle, as a multiple of the line height."""

    min_shared_time: float = 0.5
    """Share of the shorter time that two lines of a subtitle are shown together."""

    min_texts: int = 2
    """Different texts in one row that make it the row of the subtitles, wherever it is."""

    min_texts_elsewhere: int = 4
    """Different texts in another row that make it a second place of subtitles."""

    low: float = 0.6
    """Share of the height of the picture below which a single text counts as a subtitle."""

    max_s: float = 15.0
    """Longest time in seconds that a subtitle is shown."""

    max_flicker_s: float = 0.3
    """Seconds that a text may be gone and is still the same subtitle, or may outlast the start of the next one."""

    max_part_s: float = 0.5
    """Seconds by which a line of a subtitle may be found later, or lost earlier, than the others."""


THRESHOLDS = SinkThresholds()
CAPTIONS = CaptionThresholds()
