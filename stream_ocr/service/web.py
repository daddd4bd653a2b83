"""The web process of a run: dashboard, health, metrics and preview, with limits of its own.

Nothing here can harm the run: it reads shared memory, never answers the supervisor, and is restarted like any worker.
"""

import os
import resource
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from stream_ocr.config.settings import Settings
from stream_ocr.confinement import limits
from stream_ocr.errors import WorkerError
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.service import health
from stream_ocr.service.http import Admission, Response, StatusServer
from stream_ocr.service.metrics import Metrics
from stream_ocr.service.preview import Preview
from stream_ocr.service.run_status import STATUS, RunSnapshot, read_snapshot
from stream_ocr.service.thresholds import THRESHOLDS
from stream_ocr.service.ticket import Tickets

if TYPE_CHECKING:
    from stream_ocr.service.area_editor import AreaEditor


class WebService:
    """Serves while it is entered. fds: listening sockets "status" and "dashboard", and the file "events"."""

    def __init__(
        self,
        settings: Settings,
        rings: Mapping[str, Ring],
        fds: Mapping[str, int],
        title: str,
        token: str | None,
        ticket_key: str | None,
        editor: "AreaEditor | None" = None,
    ) -> None:
        self._view = _View(rings)
        preview = Preview(self._view)
        self._servers: list[Any] = []
        if "status" in fds:
            routes = {"/healthz": self._liveness, "/readyz": self._readiness, "/metrics": self._metrics}
            admits = _admission(ticket_key)
            self._servers.append(StatusServer(socket.socket(fileno=fds["status"]), routes, preview.handle, admits))
        if "dashboard" in fds:
            self._servers.append(_dashboard(settings, fds, title, token, preview, editor))
        self._collector = Metrics(self._view)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            for server in self._servers:
                opened.enter_context(server)
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def check(self) -> None:
        """Take over rings that were added or dropped. Raise WorkerError if a server has ended."""
        self._view.refresh()
        if not all(server.is_alive for server in self._servers):
            raise WorkerError("A web server has ended.")

    def _liveness(self) -> Response:
        return health.liveness(self._view.snapshot)

    def _readiness(self) -> Response:
        return health.readiness(self._view.snapshot)

    def _metrics(self) -> Response:
        return HTTPStatus.OK, self._collector.text()


class _View:
    """``RunView`` of the snapshots that the supervisor writes."""

    def __init__(self, rings: Mapping[str, Ring]) -> None:
        self._mapped = rings
        self._status = rings[STATUS]
        self._snapshot = RunSnapshot(0.0, ["supervisor"], {}, {}, {})  # until the first
        self.refresh()

    def refresh(self) -> None:
        """Take over the rings as they are mapped now. The mapping itself may only be used by the main thread."""
        self.rings = {name: self._mapped[name] for name in list(self._mapped) if name != STATUS}

    @property
    def snapshot(self) -> RunSnapshot:
        """Latest snapshot."""
        self._snapshot = read_snapshot(self._status) or self._snapshot
        return self._snapshot


def build(
    settings: Mapping[str, Any],
    rings: Mapping[str, Ring],
    *,
    fds: Mapping[str, int],
    title: str = "",
    token: str | None = None,
    ticket_key: str | None = None,
    config: str | None = None,
    overrides: Sequence[str] = (),
) -> WebService:
    """Return the service of a run, and limit the resources of this process.

    token: of the dashboard. ticket_key: of tickets for pictures; None: other machines get no pictures. config,
    overrides: of the run, if the dashboard may change them.
    """
    editor = None if config is None else _editor(Path(config), overrides)
    service = WebService(Settings.model_validate(settings), rings, fds, title, token, ticket_key, editor)
    _limit_resources()
    return service


def _admission(key: str | None) -> Admission:
    if key is None:
        return lambda *_: False
    tickets = Tickets(key.encode())
    return lambda path, query: tickets.admits(path, query, time.time())


def _editor(config: Path, overrides: Sequence[str]) -> "AreaEditor":
    from stream_ocr.service.area_editor import AreaEditor

    return AreaEditor(config, overrides)


def _dashboard(
    settings: Settings,
    fds: Mapping[str, int],
    title: str,
    token: str | None,
    preview: Preview,
    editor: "AreaEditor | None",
) -> AbstractContextManager:
    from stream_ocr.viz.dashboard.context import PageContext
    from stream_ocr.viz.dashboard.event_buffer import EventBuffer
    from stream_ocr.viz.dashboard.event_sources import LogFileFeed
    from stream_ocr.viz.dashboard.search import search_buffer, search_store
    from stream_ocr.viz.dashboard.server import DashboardServer

    buffer = EventBuffer()
    store = settings.store.path  # the run creates it later
    search = search_buffer(buffer) if store is None else lambda query: search_store(store)(query)
    page = PageContext(title, buffer, settings, search, preview=preview.handle, editor=editor)
    feed = LogFileFeed(Path(f"/proc/self/fd/{fds['events']}"))
    return DashboardServer(socket.socket(fileno=fds["dashboard"]), token, page, feed)


def _limit_resources() -> None:
    os.nice(THRESHOLDS.web_niceness)
    threading.stack_size(THRESHOLDS.web_stack_bytes)
    limits.lower(resource.RLIMIT_NOFILE, THRESHOLDS.web_descriptors)
    limits.lower(resource.RLIMIT_DATA, limits.data_bytes() + THRESHOLDS.web_memory_bytes)
