"""Data for the dashboard: events, search, a video, and the status of a run."""

import http.client
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from stream_ocr.config.settings import Settings
from stream_ocr.viz.dashboard.area_endpoints import AreaEditor
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.dashboard.search import Search
from stream_ocr.viz.thresholds import DASHBOARD

PreviewHandler = Callable[[str, Mapping[str, str]], tuple[str, bytes] | None]
"""Return content type and body for a path (``/live``, ``/picture``) and its query, or None: see ``service.preview``."""


class Hosts(Protocol):
    """Many hosts, which serve the pictures of their cameras themselves. Called by several threads."""

    def status(self) -> Mapping[str, Any]:
        """Return the status of cameras and hosts, for JSON."""
        ...

    def picture_url(self, stream: str, width_px: str) -> str | None:
        """Return where the latest picture of a camera is now; None if there is none."""
        ...

    def picture_origins(self) -> Sequence[str]:
        """Return the origins of all such addresses."""
        ...


@dataclass(frozen=True)
class PageContext:
    """The content of a dashboard.

    video, stream: the video to play and the stream whose texts it shows (None: the only one).
    preview: status and latest images of cameras, where a run provides them. hosts: the same, where many hosts do.
    editor: of the areas in the settings file of a run, where viewers may change them.
    """

    title: str
    buffer: EventBuffer
    settings: Settings
    search: Search
    video: Path | None = None
    stream: str | None = None
    preview: PreviewHandler | None = None
    hosts: Hosts | None = None
    editor: AreaEditor | None = None


class RemoteStatus:
    """Status and camera images of a run in another process, from its HTTP address ``service.listen``."""

    def __init__(self, listen: str) -> None:
        """listen: HOST:PORT."""
        self._listen = listen

    def fetch(self, path: str, query: Mapping[str, str]) -> tuple[str, bytes] | None:
        """Return content type and body as a ``PreviewHandler``; None if nothing answers."""
        host, _, port = self._listen.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=DASHBOARD.remote_timeout_s)
        try:
            connection.request("GET", f"{path}?{urlencode(query)}")
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return (response.headers.get_content_type(), body) if response.status == HTTPStatus.OK else None
