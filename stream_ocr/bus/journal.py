"""The journal: where an event gets its number, is committed, and only then published."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar

import msgspec

from stream_ocr.bus.protocol import requests_endpoint
from stream_ocr.bus.publisher import Publisher, Spec
from stream_ocr.config.settings import Settings
from stream_ocr.events import Event
from stream_ocr.store.retention import Limits
from stream_ocr.store.writer import NO_CROPS, StoreWriter

E = TypeVar("E", bound=Event)


class Journal(Protocol):
    """Numbers the events of each stream from 0, without gaps, and takes them in the order of their numbers."""

    @property
    def durable(self) -> bool | None:
        """What events are marked with as long as nothing goes wrong; None: nothing is kept."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def number(self, stream: str) -> int:
        """The next ``seq`` of a stream."""
        ...

    def commit(self, events: Sequence[E], crops: Mapping[str, bytes] = ..., /) -> Sequence[E]:
        """Make events facts; the same events, marked where they could not be kept.

        crops: pictures of texts, WebP, by the id of their event.
        """
        ...

    def close_stream(self, stream: str) -> None:
        """Nothing of this stream is in sight any more."""
        ...


class MemoryJournal:
    """A journal that keeps nothing: numbers alone."""

    durable = None

    def __init__(self) -> None:
        self._next: defaultdict[str, int] = defaultdict(int)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def number(self, stream: str) -> int:
        seq = self._next[stream]
        self._next[stream] += 1
        return seq

    def commit(self, events: Sequence[E], _crops: Mapping[str, bytes] = NO_CROPS, /) -> Sequence[E]:
        return events

    def close_stream(self, stream: str) -> None:
        pass  # it may come back, and no number is given twice


class DurableJournal:
    """A journal in a store, with a bus for those who listen, or without one."""

    durable = True

    def __init__(self, store: StoreWriter, publisher: Publisher | None = None) -> None:
        self._store, self._publisher = store, publisher
        self._given: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Open the store and start the bus. Raises StoreError and SinkError."""
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
        """Process id of the bus."""
        return self._publisher.pid if self._publisher else None

    def number(self, stream: str) -> int:
        seq = self._given.get(stream)
        seq = self._store.next_seq(stream) if seq is None else seq + 1
        self._given[stream] = seq
        return seq

    def commit(self, events: Sequence[E], crops: Mapping[str, bytes] = NO_CROPS, /) -> Sequence[E]:
        if not events:
            return events
        lines = self._store.append(events, crops)
        if lines is None:
            events = [msgspec.structs.replace(event, durable=False) for event in events]
        if self._publisher is not None:
            self._publisher.publish(lines or [event.to_json() for event in events])
        return events

    def close_stream(self, stream: str) -> None:
        self._store.forget_visible(stream)


def open_journal(settings: Settings) -> Journal:
    """The journal that the settings ask for; entered, it is ready. Raises SettingsError."""
    store, socket = settings.store, settings.socket
    if store.path is None:
        return MemoryJournal()
    writer = StoreWriter(
        store.path,
        durability=store.durability,
        limits=Limits(store.keep_days, store.keep_mb),
        when_full=store.when_full,
    )
    if socket.events is None:
        return DurableJournal(writer)
    return DurableJournal(
        writer,
        Publisher(
            Spec(
                store=str(store.path.absolute()),
                events=socket.events,
                requests=socket.requests or requests_endpoint(socket.events),
                keys=None if socket.keys is None else str(socket.keys.absolute()),
                form=socket.format,
                max_peers=socket.max_peers,
                backlog=socket.backlog,
                feed=-1,
            )
        ),
    )
