"""Serves ``POST /read`` until SIGINT or SIGTERM."""

import asyncio
import math
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import uvicorn

from stream_ocr import confinement
from stream_ocr.config.settings import Settings
from stream_ocr.config.storage import SocketSettings, StoreSettings
from stream_ocr.errors import SettingsError
from stream_ocr.models import presets
from stream_ocr.models.devices import usable_cores
from stream_ocr.models.thresholds import THRESHOLDS as MODELS
from stream_ocr.runtime.fork_client import ForkServer
from stream_ocr.serve.app import create_app
from stream_ocr.serve.read_endpoint import ReadEndpoint
from stream_ocr.serve.reader_handle import READER_MODULES
from stream_ocr.serve.thresholds import THRESHOLDS
from stream_ocr.viz.dashboard.address import dashboard_url, open_listener, resolve_token
from stream_ocr.viz.dashboard.connections import server_config


def serve(settings: Settings, report: Callable[[str], None]) -> None:
    """Read files that are sent, until SIGINT or SIGTERM. report: called with lines for the user.

    Raises SettingsError, SinkError, WeightsError, DeviceError and WorkerError.
    """
    settings = prepare(settings)
    for part, text in presets.describe(settings):
        report(f"{part}: {text}")
    if settings.decode.confined and confinement.missing():
        report(f"confinement: {confinement.describe()}")
    token = resolve_token(settings.serve, "serve")
    max_pixels = {"OPENCV_IO_MAX_IMAGE_PIXELS": str(settings.decode.max_pixels)}  # OpenCV reads it when it is loaded
    with closing(ForkServer(READER_MODULES, max_pixels)) as forks, open_listener(settings.serve, "serve") as listener:
        endpoint = ReadEndpoint(settings, forks)
        asyncio.run(endpoint.check())
        report(f"{dashboard_url(listener, None)}read reads files that are sent by POST; press Ctrl-C to stop.")
        if token and settings.serve.token_file is None:
            report(f"token: {token}")
        server = _Server(endpoint, token, settings.serve.shutdown_timeout_s)
        with suppress(KeyboardInterrupt), server.handling_termination():
            server.run(sockets=[listener])


def prepare(settings: Settings) -> Settings:
    """Return the settings of the readers, which share the cores and write nothing. Raise SettingsError."""
    settings.check_files()
    if settings.decode.confined and presets.uses_cuda(settings):
        raise SettingsError(
            "The networks would run on CUDA, which readers that are confined cannot open; set device: cpu, or"
            " decode.confined: false."
        )
    folder = settings.serve.folder
    if folder is not None and not folder.is_dir():
        raise SettingsError(f"serve.folder: there is no folder {str(folder)!r}; create it.")
    threads = settings.threads or min(MODELS.max_threads, max(1, usable_cores() // settings.serve.readings))
    quiet = {"store": StoreSettings(), "socket": SocketSettings(), "threads": threads}
    return settings.without_sinks().model_copy(update=quiet)


class _Server(uvicorn.Server):
    """Gives running requests some time at a stop, and then ends them with an error."""

    def __init__(self, endpoint: ReadEndpoint, token: str | None, shutdown_s: float) -> None:
        margin_s = math.ceil(shutdown_s) + THRESHOLDS.stop_margin_s
        super().__init__(server_config(create_app(endpoint, token=token), shutdown_s=margin_s))
        self._endpoint, self._shutdown_s = endpoint, shutdown_s

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        timer = asyncio.get_running_loop().call_later(self._shutdown_s, self._endpoint.stop)
        await super().shutdown(sockets)
        timer.cancel()

    @contextmanager
    def handling_termination(self) -> Iterator[None]:
        """Handle SIGTERM outside ``run``, and that which uvicorn raises once more after it has stopped."""

        def handle(_number: int, _frame: object) -> None:
            if not self.should_exit:
                raise KeyboardInterrupt

        before = signal.signal(signal.SIGTERM, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
