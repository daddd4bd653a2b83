"""Serves the dashboard: ``stream-ocr dashboard`` until Ctrl-C, or the web process of ``stream-ocr run``."""

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

import uvicorn

from stream_ocr.config.settings import Settings
from stream_ocr.events import read_jsonl
from stream_ocr.events.spans import events_of_video
from stream_ocr.sources.files import open_file
from stream_ocr.viz.dashboard.address import dashboard_url, open_listener, resolve_token
from stream_ocr.viz.dashboard.app import create_app
from stream_ocr.viz.dashboard.connections import server_config
from stream_ocr.viz.dashboard.context import Hosts, PageContext, RemoteStatus
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.dashboard.event_sources import Feed, FeedThread, LogFileFeed, SubscriptionFeed
from stream_ocr.viz.dashboard.search import search_buffer, search_store
from stream_ocr.viz.thresholds import DASHBOARD


def serve(
    feed: Feed, video: Path | None, settings: Settings, report: Callable[[str], None], hosts: Hosts | None = None
) -> None:
    """Serve the dashboard of a feed, optionally with its video or the state of many hosts, until Ctrl-C.

    report: called with a line that names the URL.
    Raises SourceError, SettingsError, SinkError and StoreError.
    """
    buffer = EventBuffer()
    search = search_store(settings.store.path) if settings.store.path else search_buffer(buffer)
    stream = _video_stream(video, feed, settings) if video else None
    status_address = settings.service.listen if isinstance(feed, SubscriptionFeed) and video is None else None
    preview = RemoteStatus(status_address).fetch if status_address else None
    page = PageContext(video.name if video else feed.name, buffer, settings, search, video, stream, preview, hosts)
    token = resolve_token(settings.dashboard)
    with open_listener(settings.dashboard) as listener, FeedThread(feed, buffer), suppress(KeyboardInterrupt):
        report(f"{dashboard_url(listener, token)} shows {page.title}; press Ctrl-C to stop.")
        create_server(page, token).run(sockets=[listener])


class DashboardServer:
    """Serves the dashboard of a feed in a thread while it is entered."""

    def __init__(self, listener: socket.socket, token: str | None, page: PageContext, feed: Feed) -> None:
        """listener: from ``open_listener``; the server closes it. token: see ``AuthMiddleware``."""
        self._server = create_server(page, token)
        self._feed = FeedThread(feed, page.buffer)
        self._thread = Thread(target=self._server.run, args=([listener],), name="dashboard", daemon=True)

    def __enter__(self) -> Self:
        self._feed.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._feed.__exit__(kind, error, trace)
        self._thread.join(timeout=DASHBOARD.join_s)

    @property
    def is_alive(self) -> bool:
        """True while it serves and follows its feed."""
        return self._thread.is_alive() and self._feed.is_alive


def open_feed(source: str, key: Path | None = None, server_key: Path | None = None) -> Feed:
    """Return the feed of a .jsonl file or an endpoint. Raises SourceError and SubscribeError."""
    if "://" in source:
        return SubscriptionFeed(source, key=key, server_key=server_key)
    return LogFileFeed(Path(source))


def create_server(page: PageContext, token: str | None) -> uvicorn.Server:
    """Return the HTTP server of a page."""
    return _Server(server_config(create_app(page, token=token), shutdown_s=DASHBOARD.shutdown_s), page)


class _Server(uvicorn.Server):
    """Ends event streams before it waits for connections to close."""

    def __init__(self, config: uvicorn.Config, page: PageContext) -> None:
        super().__init__(config)
        self._page = page

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._page.buffer.close()
        await super().shutdown(sockets)


def _video_stream(video: Path, feed: Feed, settings: Settings) -> str | None:
    """Return the stream that the video shows, None for the only one.

    Raises SourceError when there is no such stream, or the video cannot be opened.
    """
    with open_file(video, stream=video.name, max_pixels=settings.decode.max_pixels):
        pass
    if not isinstance(feed, LogFileFeed):
        return video.name
    streams = {event.stream for event in events_of_video(list(read_jsonl(feed.path)), video)}
    return streams.pop() if streams else None
