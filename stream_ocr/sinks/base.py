"""Where events go. A sink that breaks is reported once, counted, and never stops another."""

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import structlog

from stream_ocr.errors import EventsLostError, SinkError
from stream_ocr.events import Event

log = structlog.get_logger(__name__)
_SAY_S = 60.0


class Sink(Protocol):
    """Takes the events of a run in order."""

    name: str

    def open(self) -> None:
        """Make ready to write. Raises SinkError when that is impossible."""
        ...

    def write(self, event: Event) -> None:
        """Take one event. Raises EventsLostError when some are lost; SinkError or OSError when the sink is broken."""
        ...

    def close(self) -> None:
        """Write what is left and let go. Raises as ``write``; called once, also after a failure."""
        ...


class Sinks:
    """Several sinks as one, opened when entered.

    lost: for each sink that broke or lost events, by name, how many did not reach it.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.lost: dict[str, int] = {}
        self._broken: set[str] = set()
        self._told: dict[str, tuple[float, int]] = {}  # when a loss was last said, and how much it was
        self._sinks = tuple(sinks)
        self._open: list[Sink] = []

    @property
    def failures(self) -> int:
        """How many sinks broke or lost events."""
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
        """Hand an event to every sink that still works."""
        for sink in self._open:
            if sink.name in self._broken:
                self.lost[sink.name] += 1
                continue
            try:
                sink.write(event)
            except Exception as error:  # noqa: BLE001 - whatever a sink does, the others go on
                self._report(sink, error, lost=1)

    def close(self) -> None:
        """Close every sink, the broken ones too."""
        while self._open:
            sink = self._open.pop()
            try:
                sink.close()
            except Exception as error:  # noqa: BLE001 - as above
                self._report(sink, error, lost=0)
            if sink.name in self._told:
                self._say_loss(sink, "all in all", every_s=0.0)

    def _say_loss(self, sink: Sink, why: str, *, every_s: float) -> None:
        """How much is lost, unless that was just said."""
        now, lost = time.monotonic(), self.lost[sink.name]
        told = self._told.get(sink.name)
        if told is None or (now - told[0] >= every_s and lost > told[1]):
            self._told[sink.name] = now, lost
            log.error("sink loses events", sink=sink.name, reason=why, lost=lost)

    def _report(self, sink: Sink, error: Exception, *, lost: int) -> None:
        if isinstance(error, EventsLostError):
            self.lost[sink.name] = self.lost.get(sink.name, 0) + error.count
            self._say_loss(sink, str(error), every_s=_SAY_S)
        elif sink.name not in self._broken:
            self._broken.add(sink.name)
            self.lost[sink.name] = self.lost.get(sink.name, 0) + lost
            log.error("sink is broken and gets no further events", sink=sink.name, reason=reason(error))


def reason(error: BaseException) -> str:
    """What an error says, for a sentence."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def refuse_directory(path: Path) -> None:
    """Raise SinkError where no file of that name can be made, before anything else is tried."""
    if path.is_dir():
        raise SinkError(f"{path} is a directory; name a file to write.")
    if not path.parent.is_dir():
        raise SinkError(f"{path} cannot be written: there is no directory {path.parent}; make it first.")
