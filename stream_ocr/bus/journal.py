"""The journal: numbers events, commits them, and publishes them only then."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import msgspec

from stream_ocr.config.settings import Settings
from stream_ocr.events import Event, TextEvent
from stream_ocr.store import NO_CROPS

if TYPE_CHECKING:
    from stream_ocr.bus.publisher import Publisher
    from stream_ocr.store.writer import StoreWriter

E = TypeVar("E", bound=Event)


class Journal(Protocol):
    """Numbers the events of each stream from 0 without gaps, and commits them in that order."""

    @property
    def durable(self) -> bool | None:
        """Value of ``Event.durable`` while nothing goes wrong; None if nothing is stored."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def next_seq(self, stream: str) -> int:
        """Return the next sequence number of a stream."""
        ...

    def commit(self, events: Sequence[E], crops: Mapping[str, bytes] = ..., /) -> Sequence[E]:
        """Store and publish events. Return them, with ``durable=False`` if they could not be stored.

        crops: WebP images of texts, by event id.
        """
        ...

    def take_left_open(self, stream: str, /) -> Sequence[TextEvent]:
        """Return, once, the latest event of each text that was on screen when the last journal of the store died."""
        ...

    def close_stream(self, stream: str) -> None:
        """Record that no text of a stream is on screen any more."""
        ...


class MemoryJournal:
    """A journal that only numbers events."""

    durable = None

    def __init__(self) -> None:
        self._next_seq: defaultdict[str, int] = defaultdict(int)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def next_seq(self, stream: str) -> int:
        seq = self._next_seq[stream]
        self._next_seq[stream] += 1
        return seq

    def commit(self, events: Sequence[E], _crops: Mapping[str, bytes] = NO_CROPS, /) -> Sequence[E]:
        return events

    def take_left_open(self, _stream: str) -> Sequence[TextEvent]:
        return ()

    def close_stream(self, stream: str) -> None:
        pass  # it may come back, and its numbers must go on


class DurableJournal:
    """A journal in a store, with or without an event bus."""

    durable = True

    def __init__(self, store: "StoreWriter", publisher: "Publisher | None" = None) -> None:
        self._store, self._publisher = store, publisher
        self._last_seq: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Open the store and start the bus. Raise StoreError and SinkError."""
        self._store.open()
        if self._publisher is not None:
            try:
                self._publisher.open()
            except BaseException:
                self._store.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()
        if self._publisher is not None:
            self._publisher.close()

    @property
    def bus_pid(self) -> int | None:
        """Process id of the bus, if there is one."""
        return self._publisher.pid if self._publisher else None

    def next_seq(self, stream: str) -> int:
        seq = self._last_seq.get(stream)
        seq = self._store.next_seq(stream) if seq is None else seq + 1
        self._last_seq[stream] = seq
        return seq

    def commit(self, events: Sequence[E], crops: Mapping[str, bytes] = NO_CROPS, /) -> Sequence[E]:
        lines = self._store.append(events, crops) if events else []
        if lines is None:
            events = [msgspec.structs.replace(event, durable=False) for event in events]
        if self._publisher is not None:
            self._publisher.publish(lines or [event.to_json() for event in events])  # none: restarts a dead bus
        return events

    def take_left_open(self, stream: str) -> Sequence[TextEvent]:
        return self._store.take_left_open(stream)

    def close_stream(self, stream: str) -> None:
        self._store.clear_visible(stream)


def open_journal(settings: Settings) -> Journal:
    """Return the journal that the settings ask for, not entered yet. Raise SettingsError."""
    store, socket = settings.store, settings.socket
    if store.path is None:
        return MemoryJournal()
    # Imported here: most runs over files have no store.
    from stream_ocr.bus.protocol import requests_endpoint
    from stream_ocr.bus.publisher import BusSpec, Publisher
    from stream_ocr.store.retention import RetentionLimits
    from stream_ocr.store.writer import StoreWriter

    writer = StoreWriter(
        store.path,
        durability=store.durability,
        limits=RetentionLimits(store.keep_days, store.keep_mb),
        when_full=store.when_full,
    )
    if socket.events is None:
        return DurableJournal(writer)
    return DurableJournal(
        writer,
        Publisher(
            BusSpec(
                store=str(store.path.absolute()),
                events=socket.events,
                requests=socket.requests or requests_endpoint(socket.events),
                keys=None if socket.keys is None else str(socket.keys.absolute()),
                format=socket.format,
                max_peers=socket.max_peers,
                backlog=socket.backlog,
                feed_fd=-1,
            )
        ),
    )
