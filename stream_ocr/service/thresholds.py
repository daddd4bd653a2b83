"""Tuning values of a run over cameras, in seconds unless the name says otherwise. Chosen by hand."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServiceThresholds:
    """Intervals and limits of ``stream-ocr run``."""

    liveness_s: float = 15.0
    """Without a check by the supervisor, /healthz fails after so long."""
    config_poll_s: float = 2.0
    """Between two checks whether the settings file has changed."""
    settings_timeout_s: int = 30
    """For the process that reads a changed settings file; 2 seconds of processor time are usual for 1000 cameras."""
    settings_memory_bytes: int = 1 << 30
    """Address space of that process; 0.3 GiB are usual."""
    max_settings_bytes: int = 16 << 20
    """Longest JSON of the settings that it may return."""
    recent_s: float = 5.0
    """Window over which frames per second are averaged."""
    recent_texts: int = 3
    """Latest texts that the camera table shows."""
    preview_cache_s: float = 0.4
    """A JPEG is served to everybody for so long before a newer frame is encoded."""
    max_preview_lead_ms: int = 5000
    """A frame that is further ahead of the text positions belongs to another epoch, and its lead is not reported."""
    status_interval_s: float = 0.25
    """Between two snapshots of the status for the web process; one takes 0.05 ms with 3 cameras, 14 ms with 1000."""
    status_bytes: int = 16 << 20
    """Longest snapshot; 0.4 KB for a camera. Pages that are not written take no memory."""
    report_interval_s: float = 1.0
    """Between two reports of the status to the program that started the run."""
    event_log_bytes: int = 16 << 20
    """Events that the web process gets after its start; about 30,000."""
    http_timeout_s: float = 5.0
    """For a client to send its request, and again to receive the answer."""
    http_head_bytes: int = 16 << 10
    """Longest request."""
    http_connections: int = 64
    """Most connections at a time; a further one ends the oldest."""
    ticket_s: int = 60
    """Time for which a ticket for a picture is valid, and by which the clocks of two machines may differ."""
    http_poll_s: float = 0.2
    """Between two looks of the HTTP server whether to stop."""
    web_descriptors: int = 2048
    """Most open files and connections of the web process; it has one for each camera."""
    web_memory_bytes: int = 512 << 20
    """Memory that the web process may take on top of what it starts with."""
    web_stack_bytes: int = 1 << 20
    """Stack of a thread of the web process; they count as memory."""
    web_niceness: int = 5
    """Reading goes before serving."""
    latency_buckets_s: tuple[float, ...] = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 2, 5, 10)
    """Buckets of the latency histogram, finest around the latencies measured with cameras (0.1 to 0.5 s)."""


THRESHOLDS = ServiceThresholds()
