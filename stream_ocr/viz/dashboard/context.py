"""What the page shows, and where it comes from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stream_ocr.config.settings import Settings
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.dashboard.search import Search

Show = Callable[[str, Mapping[str, str]], tuple[str, bytes] | None]
"""``/live`` and ``/picture`` of a run, as of ``operation.onlook.Onlook.show``."""


@dataclass(frozen=True)
class PageContext:
    """What the page shows. stream: the one that the video shows; search: finds texts, the latest first.

    show: how cameras do and their latest pictures, where a run can be asked.
    """

    title: str
    history: EventBuffer
    settings: Settings
    search: Search
    video: Path | None = None
    stream: str | None = None
    show: Show | None = None
