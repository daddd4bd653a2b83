"""A dashboard whose events the test adds itself."""

import time
from threading import Thread
from typing import Any

from stream_ocr.config.settings import DashboardSettings, Settings
from stream_ocr.events import Event
from stream_ocr.testing import text_event
from stream_ocr.viz.dashboard import server as serving
from stream_ocr.viz.dashboard.address import open_listener
from stream_ocr.viz.dashboard.area_endpoints import AreaEditor
from stream_ocr.viz.dashboard.context import PageContext, PreviewHandler
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.dashboard.search import search_buffer


class Served:
    """Serves until ``end``. host: HOST:PORT."""

    def __init__(
        self, token: str | None = None, editor: AreaEditor | None = None, preview: PreviewHandler | None = None
    ) -> None:
        self.buffer = EventBuffer()
        search = search_buffer(self.buffer)
        page = PageContext("test", self.buffer, Settings.load(), search, preview=preview, editor=editor)
        self._server = serving.create_server(page, token)
        listener = open_listener(DashboardSettings(port=0))
        self.host = f"127.0.0.1:{listener.getsockname()[1]}"
        self._thread = Thread(target=self._server.run, kwargs={"sockets": [listener]})
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def show(self, text: str, field: str, seq: int = 0, **more: Any) -> None:
        self.buffer.add([text_event(seq, track=seq, text=text, field=field, **more)])

    def add(self, *events: Event) -> None:
        self.buffer.add(events)

    def end(self) -> None:
        self._server.should_exit = True
        self._thread.join()
