"""Serves the dashboard over HTTP: ``stream-ocr dashboard`` until Ctrl-C, or as a part of ``stream-ocr run``."""

import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

import uvicorn

from stream_ocr.config.settings import DashboardSettings, Settings
from stream_ocr.errors import SettingsError, SinkError
from stream_ocr.events import Event, read_jsonl
from stream_ocr.events.spans import events_of_video
from stream_ocr.sinks.base import describe_error
from stream_ocr.sources.files import open_file
from stream_ocr.viz.dashboard.app import create_app
from stream_ocr.viz.dashboard.auth import is_loopback
from stream_ocr.viz.dashboard.context import PageContext, PreviewHandler, RemoteStatus
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.dashboard.event_sources import Feed, FeedThread, LogFileFeed, SubscriptionFeed
from stream_ocr.viz.dashboard.search import search_buffer, search_store
from stream_ocr.viz.thresholds import DASHBOARD


def serve(feed: Feed, video: Path | None, settings: Settings, report: Callable[[str], None]) -> None:
    """Serve the dashboard of a feed, optionally with its video, until Ctrl-C.

    report: called with a line that names the URL.
    Raises SourceError, SettingsError, SinkError and StoreError.
    """
    buffer = EventBuffer()
    search = search_store(settings.store.path) if settings.store.path else search_buffer(buffer)
    stream = _video_stream(video, feed, settings) if video else None
    status_address = settings.service.listen if isinstance(feed, SubscriptionFeed) and video is None else None
    preview = RemoteStatus(status_address).fetch if status_address else None
    page = PageContext(video.name if video else feed.name, buffer, settings, search, video, stream, preview)
    token = resolve_token(settings.dashboard)
    with open_listener(settings.dashboard) as listener, FeedThread(feed, buffer), suppress(KeyboardInterrupt):
        report(f"{dashboard_url(listener, token)} shows {page.title}; press Ctrl-C to stop.")
        create_server(page, token).run(sockets=[listener])


class DashboardServer:
    """Serves the dashboard of a run in a thread while it is entered."""

    def __init__(self, title: str, settings: Settings, preview: PreviewHandler, report: Callable[[str], None]) -> None:
        """Open the listening socket. Raises SettingsError and SinkError."""
        self._buffer = EventBuffer()
        token = resolve_token(settings.dashboard)
        store = settings.store.path  # the run creates it later
        search = search_buffer(self._buffer) if store is None else lambda query: search_store(store)(query)
        self._server = create_server(PageContext(title, self._buffer, settings, search, preview=preview), token)
        self._listener = open_listener(settings.dashboard)
        self._thread = Thread(target=self._server.run, args=([self._listener],), name="dashboard", daemon=True)
        self._report, self.url = report, dashboard_url(self._listener, token)

    def __enter__(self) -> Self:
        self._thread.start()
        self._report(f"{self.url} shows the dashboard")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=DASHBOARD.join_s)
        self._listener.close()

    def show(self, event: Event) -> None:
        """Add an event to the dashboard."""
        self._buffer.add([event])


def open_feed(source: str, key: Path | None = None, server_key: Path | None = None) -> Feed:
    """Return the feed of a .jsonl file or an endpoint. Raises SourceError and SubscribeError."""
    if "://" in source:
        return SubscriptionFeed(source, key=key, server_key=server_key)
    return LogFileFeed(Path(source))


def create_server(page: PageContext, token: str | None) -> uvicorn.Server:
    """Return the HTTP server of a page."""
    config = uvicorn.Config(
        create_app(page, token=token),
        log_level="warning",
        lifespan="off",
        server_header=False,
        access_log=False,  # it would contain the token
        timeout_graceful_shutdown=DASHBOARD.shutdown_s,
    )
    return _Server(config, page)


class _Server(uvicorn.Server):
    """Ends event streams before it waits for connections to close."""

    def __init__(self, config: uvicorn.Config, page: PageContext) -> None:
        super().__init__(config)
        self._page = page

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._page.buffer.close()
        await super().shutdown(sockets)


def open_listener(dashboard: DashboardSettings) -> socket.socket:
    """Return a socket that listens at the address of the settings. Raises SinkError."""
    family = socket.AF_INET6 if ":" in dashboard.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((dashboard.host, dashboard.port))
        listener.listen()  # from here on a browser waits for the server instead of being refused
    except OSError as error:
        listener.close()
        raise SinkError(
            f"The dashboard cannot listen at {dashboard.host}:{dashboard.port}: {describe_error(error)}; "
            "set dashboard.port to another port, or to 0 for any free one."
        ) from error
    return listener


def dashboard_url(listener: socket.socket, token: str | None) -> str:
    """Return the URL to open in a browser."""
    host, port = listener.getsockname()[:2]
    wildcards = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}
    name = wildcards.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


def resolve_token(dashboard: DashboardSettings) -> str | None:
    """Return the token that viewers need: from the token file, or else a new one, or None at a loopback address.

    Raises SettingsError when the file cannot be read or the token is too short.
    """
    if dashboard.token_file is not None:
        try:
            token = dashboard.token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"dashboard.token_file {dashboard.token_file} cannot be read: {describe_error(error)}."
            ) from error
        if len(token) < DASHBOARD.min_token_chars:
            raise SettingsError(
                f"dashboard.token_file {dashboard.token_file} has a token of {len(token)} characters; make it"
                f" {DASHBOARD.min_token_chars} or more."
            )
        return token
    return None if is_loopback(dashboard.host) else secrets.token_urlsafe(DASHBOARD.token_bytes)


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
