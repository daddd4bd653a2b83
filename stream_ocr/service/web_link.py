"""State that a run keeps for its web process: listening sockets, latest events, and its status.

All of it outlives the process, which is restarted like any worker: viewers reconnect at the same address, and the page
is complete again.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stream_ocr.config.settings import Settings, read_secret
from stream_ocr.core.messages import Published
from stream_ocr.runtime import topology
from stream_ocr.runtime.live_supervisor import LiveSupervisor
from stream_ocr.runtime.topology import Process, RingSize
from stream_ocr.service import http
from stream_ocr.service.camera_status import Camera
from stream_ocr.service.event_log import EventLog
from stream_ocr.service.run_status import STATUS, SettingsSnapshot, StatusWriter
from stream_ocr.service.thresholds import THRESHOLDS
from stream_ocr.stages.base import CROPS, FRAMES
from stream_ocr.viz.dashboard import address


class WebLink:
    """The side of the supervisor. Nobody listens, and nothing is kept, unless the settings ask for it.

    process: the web process to start, once this is entered. rings: those that it needs, by name. dashboard_url: of the
    dashboard, once this is entered. port: of ``service.listen``, once this is entered.
    """

    def __init__(
        self, settings: Settings, dashboard: str | None, config: Path | None = None, overrides: Sequence[str] = ()
    ) -> None:
        """dashboard: title of the dashboard to serve, if any. config, overrides: of the settings, for its editor."""
        self.process: Process | None = None
        self.dashboard_url: str | None = None
        self.port: int | None = None
        is_needed = dashboard is not None or settings.service.listen is not None
        self.rings = {STATUS: RingSize(2, THRESHOLDS.status_bytes)} if is_needed else {}
        self._settings, self._title = settings, dashboard
        is_editable = config is not None and settings.dashboard.edit
        self._edit = {"config": str(config), "overrides": list(overrides)} if is_editable else {}
        self._events: EventLog | None = None
        self._status = StatusWriter()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Listen. Raise SettingsError and SinkError if an address is not available."""
        fds: dict[str, int] = {}
        arguments: dict[str, Any] = {}
        with ExitStack() as opened:
            if listen := self._settings.service.listen:
                status = opened.enter_context(http.open_listener(listen))
                fds["status"], self.port = status.fileno(), status.getsockname()[1]
                if (location := self._settings.service.ticket_key) is not None:
                    arguments["ticket_key"] = read_secret(location).decode("latin-1")
            if self._title is not None:
                token = address.resolve_token(self._settings.dashboard)
                listener = opened.enter_context(address.open_listener(self._settings.dashboard))
                self.dashboard_url = address.dashboard_url(listener, token)
                self._events = EventLog()
                opened.callback(self._events.close)
                fds |= {"dashboard": listener.fileno(), "events": self._events.fd}
                arguments |= {"title": self._title, "token": token, **self._edit}
            self._open = opened.pop_all()
        if fds:
            rings = (FRAMES, CROPS, STATUS)
            self.process = topology.service("web", "stream_ocr.service.web:build", rings=rings, fds=fds, **arguments)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def show(self, message: Published) -> None:
        """Add the events of a message to the dashboard."""
        if self._events is not None:
            self._events.append([*message.events, *message.source_events])

    def show_status(
        self, supervisor: LiveSupervisor, cameras: Mapping[str, Camera], settings: SettingsSnapshot
    ) -> None:
        """Update the status."""
        if (ring := supervisor.rings.get(STATUS)) is not None:
            self._status.write(ring, supervisor, cameras, settings)
