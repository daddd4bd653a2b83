"""The page at an address: ``stream-ocr dashboard`` until Ctrl-C, or as a part of ``stream-ocr run``."""

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
from stream_ocr.viz.dashboard.app import create
from stream_ocr.viz.dashboard.auth import is_loopback
from stream_ocr.viz.dashboard.context import PageContext, Show
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.dashboard.event_sources import Feed, LogFeed, Running, SocketFeed
from stream_ocr.viz.dashboard.remote_status import RemoteStatus
from stream_ocr.viz.dashboard.search import in_history, in_store

_SHORTEST_TOKEN = 16


def serve(feed: Feed, video: Path | None, settings: Settings, say: Callable[[str], None]) -> None:
    """Serve the page of a feed, with its video. Raises SourceError, SettingsError, SinkError and StoreError."""
    history = EventBuffer()
    search = in_store(settings.store.path) if settings.store.path else in_history(history)
    stream = _stream_of(video, feed, settings) if video else None
    beside = settings.service.listen if isinstance(feed, SocketFeed) and video is None else None
    show = RemoteStatus(beside).show if beside else None
    page = PageContext(video.name if video else feed.name, history, settings, search, video, stream, show)
    token = token_for(settings.dashboard)
    with listen(settings.dashboard) as listener, Running(feed, history), suppress(KeyboardInterrupt):
        say(f"{address(listener, token)} shows {page.title}; Ctrl-C ends it.")
        server(page, token).run(sockets=[listener])


class DashboardServer:
    """The page of a run, served by a thread while this is entered."""

    def __init__(self, title: str, settings: Settings, look: Show, say: Callable[[str], None]) -> None:
        """look: at the run. Raises SettingsError and SinkError."""
        self._history = EventBuffer()
        token = token_for(settings.dashboard)
        store = settings.store.path  # which the run makes, later
        search = in_history(self._history) if store is None else lambda wanted: in_store(store)(wanted)
        self._server = server(PageContext(title, self._history, settings, search, show=look), token)
        self._listener = listen(settings.dashboard)
        self._thread = Thread(target=self._server.run, args=([self._listener],), name="page", daemon=True)
        self._say, self.address = say, address(self._listener, token)

    def __enter__(self) -> Self:
        self._thread.start()
        self._say(f"{self.address} shows it")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=5)
        self._listener.close()

    def show(self, event: Event) -> None:
        """Something has happened."""
        self._history.add([event])


def feed_of(source: str, key: Path | None = None, server_key: Path | None = None) -> Feed:
    """The feed that a source names: a .jsonl file, or an endpoint. Raises SourceError and SubscribeError."""
    if "://" in source:
        return SocketFeed(source, key=key, server_key=server_key)
    return LogFeed(Path(source))


def server(page: PageContext, token: str | None) -> uvicorn.Server:
    """What answers, once it is run."""
    config = uvicorn.Config(
        create(page, token=token),
        log_level="warning",
        lifespan="off",
        server_header=False,
        access_log=False,  # which would write the token
        timeout_graceful_shutdown=2,
    )
    return _Server(config, page)


class _Server(uvicorn.Server):
    """Lets those who wait for events go before it waits for them to go."""

    def __init__(self, config: uvicorn.Config, page: PageContext) -> None:
        super().__init__(config)
        self._page = page

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._page.history.close()
        await super().shutdown(sockets)


def listen(dashboard: DashboardSettings) -> socket.socket:
    """A socket at the address of the settings. Raises SinkError."""
    family = socket.AF_INET6 if ":" in dashboard.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((dashboard.host, dashboard.port))
        listener.listen()  # from here on a browser waits for the answer; nobody is refused who opens it too soon
    except OSError as error:
        listener.close()
        raise SinkError(
            f"The page cannot be served at {dashboard.host}:{dashboard.port}: {describe_error(error)}; set dashboard.port"
            " to another, or to 0 for any that is free."
        ) from error
    return listener


def address(listener: socket.socket, token: str | None) -> str:
    """What to open in a browser."""
    host, port = listener.getsockname()[:2]
    named = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(
        host, f"[{host}]" if ":" in host else host
    )
    return f"http://{named}:{port}/" + (f"?token={token}" if token else "")


def token_for(dashboard: DashboardSettings) -> str | None:
    """What viewers have to show: nothing at a loopback address, unless a file has a token. Raises SettingsError."""
    if dashboard.token_file is not None:
        try:
            token = dashboard.token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"dashboard.token_file {dashboard.token_file} cannot be read: {describe_error(error)}."
            ) from error
        if len(token) < _SHORTEST_TOKEN:
            raise SettingsError(
                f"dashboard.token_file {dashboard.token_file} has a token of {len(token)} characters; make it"
                f" {_SHORTEST_TOKEN} or more."
            )
        return token
    return None if is_loopback(dashboard.host) else secrets.token_urlsafe(24)


def _stream_of(video: Path, feed: Feed, settings: Settings) -> str | None:
    """Which stream the video shows; None: the only one. Raises SourceError when it is none, or no video."""
    with open_file(video, stream=video.name, max_pixels=settings.decode.max_pixels):
        pass
    if not isinstance(feed, LogFeed):
        return video.name
    streams = {event.stream for event in events_of_video(list(read_jsonl(feed.path)), video)}
    return streams.pop() if streams else None
