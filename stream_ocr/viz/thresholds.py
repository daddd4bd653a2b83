"""Tuning values of annotated videos, reports and the dashboard. All chosen by hand unless noted."""

import math
from dataclasses import dataclass

TIME_RESOLUTION_S = 1e-6
"""Resolution of event times in seconds (``events.TIME_DIGITS``)."""


@dataclass(frozen=True, slots=True)
class DrawingThresholds:
    """Sizes of what is drawn into annotated videos, and of thumbnails."""

    outline_px: tuple[int, int] = (2, 360)
    """(least thickness of an outline in pixels, frame height divided by this)."""

    label_px: tuple[int, int] = (14, 45)
    """(least height of a label in pixels, frame height divided by this)."""

    ribbon_px: tuple[int, int] = (20, 18)
    """(least height of the ribbon below the frame in pixels, frame height divided by this)."""

    ribbon_text_height: float = 0.6
    """Height of the text in the ribbon, as a share of its height."""

    max_ribbon_changes: int = 6
    """Most changes listed in the ribbon."""

    max_label_chars: int = 200
    """Characters after which a label is cut; longer ones are wider than any frame."""

    dark_text_luma: int = 110
    """Labels on a ground brighter than this luma (0 to 255) get dark text."""

    thumbnail_height_px: int = 48
    """Largest height of a thumbnail in pixels."""

    thumbnail_width_px: int = 480
    """Largest width of a thumbnail in pixels."""

    thumbnail_margin: float = 0.15
    """Margin of a thumbnail on every side, as a share of the text height."""

    jpeg_quality: int = 80
    """JPEG quality of thumbnails and camera previews, 0 to 100."""


@dataclass(frozen=True, slots=True)
class ReportThresholds:
    """Limits of reports."""

    low_confidence: float = 0.8
    """Texts with a lower confidence are marked as unsure."""

    max_thumbnails: int = 500
    """Most texts that get a thumbnail; those shown longest come first."""

    max_title_chars: int = 200
    """A longer title is replaced by the number of sources."""

    max_row_chars: int = 80
    """Characters of a row's name on the timeline."""

    max_bar_chars: int = 200
    """Characters of the tooltip of a bar on the timeline."""

    min_bar_width: float = 0.15
    """Least width of a bar on the timeline, in percent."""

    max_ticks: int = 8
    """Most ticks on the time axis."""

    tick_steps_s: tuple[float, ...] = (
        *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
        *(60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400),
    )
    """Possible distances of ticks on the time axis in seconds: round numbers on a clock."""

    duration_bins_s: tuple[tuple[float, float], ...] = ((0, 1), (1, 3), (3, 10), (10, 60), (60, math.inf))
    """Bins of the histogram of times on screen in seconds, without their upper bounds."""

    confidence_bins: tuple[tuple[float, float], ...] = ((0.0, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 0.99), (0.99, 1.01))
    """Bins of the histogram of confidences, without their upper bounds; finer where most texts are."""

    last_tick_share: float = 0.97
    """No tick stands beyond this share of the time axis, where its label would be cut off."""

    max_leading_gap: float = 0.2
    """The axis starts at 0 if the first text starts before this share of the duration."""


@dataclass(frozen=True, slots=True)
class DashboardThresholds:
    """Limits and intervals of the dashboard."""

    max_events: int = 50_000
    """Events kept in memory; the oldest are dropped."""

    max_event_bytes: int = 128 << 20
    """JSON of the events kept in memory; 50,000 usual ones have 25 MB."""

    batch_events: int = 250
    """Most events in one server-sent message."""

    heartbeat_s: float = 5.0
    """A heartbeat is sent after this many seconds without events; the page reconnects after 15 s of silence."""

    max_socket_message_bytes: int = 1024
    """Longest message that a WebSocket client may send; all are ignored."""

    max_query_chars: int = 200
    """Characters of a search query; the rest is ignored."""

    max_results: int = 100
    """Most results of a search."""

    max_search_pages: int = 3
    """Pages of a stream's events that are searched for the end of a text."""

    max_crop_events: int = 8
    """Most events of a text that are searched for its crop."""

    day_texts: int = 1000
    """Most texts in one answer about a day."""

    day_text_chars: int = 2_000_000
    """Characters of the texts that are collected for one such answer; one text more may follow."""

    day_events: int = 20_000
    """Most events that are examined for the texts of one answer, and again for their ends; takes 0.1 s each."""

    day_count_events: int = 50_000
    """Most events that are examined to count the texts of each hour in one answer."""

    day_step_events: int = 1000
    """Events that are read at a time for this."""

    max_day_streams: int = 2000
    """Most cameras that the page offers for a day."""

    max_publication_delay_s: float = 60.0
    """A text that began longer before its publication counts from this long before: the camera's clock is wrong."""

    poll_s: float = 0.1
    """Interval at which a feed looks for new events, in seconds."""

    feed_batch_events: int = 500
    """Most events that a feed hands over at once."""

    read_bytes: int = 1 << 20
    """Bytes of a log file that are read at a time."""

    head_bytes: int = 512
    """Start of a log file that identifies its run."""

    history_s: float = 3600.0
    """A subscription starts this many seconds in the past."""

    max_cached_thumbnails: int = 512
    """Thumbnails of a video kept in memory."""

    remote_timeout_s: float = 3.0
    """Timeout of a request to another run's status address, in seconds."""

    min_token_chars: int = 16
    """Least length of an access token from a file."""

    token_bytes: int = 24
    """Random bytes in a generated access token."""

    max_connections: int = 256
    """Most connections at a time; a browser has up to six."""

    request_timeout_s: float = 10.0
    """Time for a request to arrive, in seconds; up to twice as long on a connection that is used again."""

    max_request_bytes: int = 64 << 10
    """Longest request."""

    max_areas_bytes: int = 256 << 10
    """Longest body of a request that changes areas: 100 areas of 100 corners."""

    max_areas: int = 100
    """Most regions, masks or fields of a camera that the page saves; as many corners of each."""

    shutdown_s: int = 2
    """Maximum time that the server waits for open connections on shutdown, in seconds."""

    join_s: float = 5.0
    """Maximum time to wait for a thread to end, in seconds."""


DRAWING = DrawingThresholds()
REPORT = ReportThresholds()
DASHBOARD = DashboardThresholds()
