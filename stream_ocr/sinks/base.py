"""The sink protocol. A sink that fails is logged once and counted, and never stops another sink."""

import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from stream_ocr.errors import EventsLostError, SinkError
from stream_ocr.events import Event
from stream_ocr.logs import get_logger
from stream_ocr.sinks.thresholds import THRESHOLDS

log = get_logger(__name__)


class Sink(Protocol):
    """Receives the events of a run in order."""

    name: str

    def open(self) -> None:
        """Prepare for writing. Raises SinkError when that is impossible."""
        ...

    def write(self, event: Event) -> None:
        """Write one event. Raises EventsLostError for lost events, and SinkError or OSError when the sink is broken."""
        ...

    def close(self) -> None:
        """Flush and release resources. Raises as ``write``. Called once, also after a failure."""
        ...


@runtime_checkable
class OriginSink(Sink, Protocol):
    """A sink whose times count from the start of a video."""

    def set_origin(self, stream: str, origin_s: float) -> None:
        """Take over the media time at which players show 0:00; called before the first event of a stream."""
        ...


@runtime_checkable
class CropSink(Sink, Protocol):
    """A sink that shows the pictures that texts were read from."""

    def set_crop(self, event_id: str, webp: bytes) -> None:
        """Take over the picture of an event that is written next."""
        ...


class Sinks:
    """Several sinks as one; opened on entering.

    lost: number of events lost, by the name of each sink that failed or lost events.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.lost: dict[str, int] = {}
        self._broken: set[str] = set()
        self._last_logged: dict[str, tuple[float, int]] = {}  # time of the last log line about losses, and their number
        self._sinks = tuple(sinks)
        self._open: list[Sink] = []

    @property
    def failures(self) -> int:
        """Return the number of sinks that failed or lost events."""
        return len(self.lost)

    def __enter__(self) -> Self:
        try:
            for sink in self._sinks:
                sink.open()
                self._open.append(sink)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, event: Event) -> None:
        """Write an event to every sink that still works."""
        for sink in self._open:
            if sink.name in self._broken:
                self.lost[sink.name] += 1
                continue
            try:
                sink.write(event)
            except Exception as error:  # noqa: BLE001 - no error of one sink may stop the others
                self._report(sink, error, lost=1)

    def set_origin(self, stream: str, origin_s: float) -> None:
        """Tell the sinks that count from the start of a video the media time of that start."""
        for sink in self._open:
            if isinstance(sink, OriginSink):
                sink.set_origin(stream, origin_s)

    def set_crop(self, event_id: str, webp: bytes) -> None:
        """Pass the picture of an event that is written next."""
        for sink in self._open:
            if isinstance(sink, CropSink):
                sink.set_crop(event_id, webp)

    def close(self) -> None:
        """Close every sink, broken ones included."""
        while self._open:
            sink = self._open.pop()
            try:
                sink.close()
            except Exception as error:  # noqa: BLE001 - as above
                self._report(sink, error, lost=0)
            if sink.name in self._last_logged:
                self._log_loss(sink, "total", interval_s=0.0)

    def _log_loss(self, sink: Sink, why: str, *, interval_s: float) -> None:
        """Log the number of lost events unless it was logged within the interval."""
        now, lost = time.monotonic(), self.lost[sink.name]
        last = self._last_logged.get(sink.name)
        if last is None or (now - last[0] >= interval_s and lost > last[1]):
            self._last_logged[sink.name] = now, lost
            log.error("sink loses events", sink=sink.name, reason=why, lost=lost)

    def _report(self, sink: Sink, error: Exception, *, lost: int) -> None:
        if isinstance(error, EventsLostError):
            self.lost[sink.name] = self.lost.get(sink.name, 0) + error.count
            self._log_loss(sink, str(error), interval_s=THRESHOLDS.loss_log_interval_s)
        elif sink.name not in self._broken:
            self._broken.add(sink.name)
            self.lost[sink.name] = self.lost.get(sink.name, 0) + lost
            log.error("sink failed and is disabled", sink=sink.name, reason=describe_error(error))


def describe_error(error: BaseException) -> str:
    """Return the text of an error without its errno, for use in a sentence."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that checks certificates against a file of authorities; None: those of the system.

    Raise SinkError if the file holds none.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise SinkError(f"{ca_file} holds no certificates: {describe_error(error)}.") from error


def encode_name(name: str, reserved: str) -> str:
    """Return the name of a stream with reserved and unprintable characters percent-encoded, and %."""
    return "".join(
        char if char.isprintable() and char not in reserved and char != "%" else _percent_encode(char) for char in name
    )


def _percent_encode(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode(errors="replace"))


def check_output_path(path: Path) -> None:
    """Raise SinkError where no file of that name can be created, before any work is done."""
    if path.is_dir():
        raise SinkError(f"{path} is a directory; name a file to write.")
    if not path.parent.is_dir():
        raise SinkError(f"{path} cannot be written: there is no directory {path.parent}; create it first.")
