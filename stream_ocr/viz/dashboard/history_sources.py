"""Where the texts of a day come from: the store, or the buffered events."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from stream_ocr.config.settings import Settings
from stream_ocr.events import DECODE_ERRORS, Utc
from stream_ocr.store.history import HistoryReader
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.thresholds import DASHBOARD

_ALL = 2**62  # beyond the number of any event


class StoredEvent(msgspec.Struct, frozen=True):
    """The fields of an event that a list of texts needs; decoding all fields takes several times as long."""

    id: str
    seq: int
    kind: str
    stream: str
    track: int = -1
    text: str = ""
    confidence: float = 0.0
    start: float | None = None
    end: float | None = None
    start_utc: Utc | None = None
    utc_source: str | None = None
    emitted_utc: Utc | None = None
    previous: str | None = None


class Numbered(NamedTuple):
    """An event, its number in the source, and when it was published."""

    number: int
    published: datetime
    event: StoredEvent


OnScreen = set[tuple[str, int, float]]
"""Stream, track and start (media seconds) of texts."""


class HistorySource(Protocol):
    """Events by number, in the order in which they were published."""

    def numbers(self, since: datetime, until: datetime, /) -> tuple[int, int]:
        """Return bounds on the numbers of the events that were published from ``since`` until before ``until``."""
        ...

    def read(self, after: int, /) -> tuple[list[Numbered], int]:
        """Return the next events, and the number up to which the source has been read: ``after`` at its end."""
        ...

    def with_crop(self, first: int, last: int, /) -> Collection[int]:
        """Return the numbers from ``first`` to ``last`` of the events whose crop is stored."""
        ...

    def on_screen(self, streams: Collection[str], /) -> OnScreen:
        """Return the texts that are on the screen of some streams now."""
        ...

    def streams(self) -> list[str]:
        """Return the names of the streams, sorted."""
        ...

    def neighbours(self, since: datetime, until: datetime, /) -> tuple[datetime | None, datetime | None]:
        """Return when the last text before ``since`` and the first one from ``until`` on were published."""
        ...


@contextmanager
def open_history(settings: Settings, buffer: EventBuffer) -> Iterator[HistorySource]:
    """Open the store of a run, or else its buffer. Raises StoreError."""
    if settings.store.path is None:
        yield BufferHistory(buffer)
        return
    with HistoryReader(settings.store.path) as reader:
        yield StoreHistory(reader)


class StoreHistory:
    """The events of a store. Damaged ones are left out."""

    def __init__(self, reader: HistoryReader) -> None:
        self._reader = reader

    def numbers(self, since: datetime, until: datetime) -> tuple[int, int]:
        return self._reader.ids(since, until)

    def read(self, after: int) -> tuple[list[Numbered], int]:
        rows, end = self._reader.rows_after(after, DASHBOARD.day_step_events)
        found = []
        for row in rows:
            event, published = _decode(row.json), row.published
            if event is not None and published is not None:
                found.append(Numbered(row.id, published, event))
        return found, end

    def with_crop(self, first: int, last: int) -> Collection[int]:
        return self._reader.ids_with_crop(first, last)

    def on_screen(self, streams: Collection[str]) -> OnScreen:
        found: OnScreen = set()
        for snapshot in self._reader.visible(sorted(streams)):
            events = (_decode(json) for json in snapshot.events)
            found |= {(event.stream, event.track, event.start or 0.0) for event in events if event is not None}
        return found

    def streams(self) -> list[str]:
        return list(self._reader.streams(limit=DASHBOARD.max_day_streams))

    def neighbours(self, since: datetime, until: datetime) -> tuple[datetime | None, datetime | None]:
        return self._reader.neighbours(since, until)


class BufferHistory:
    """The events of a buffer. Those that were published at no known time are left out."""

    def __init__(self, buffer: EventBuffer) -> None:
        self._buffer = buffer

    def numbers(self, _since: datetime, _until: datetime) -> tuple[int, int]:
        return 0, _ALL

    def read(self, after: int) -> tuple[list[Numbered], int]:
        lines = self._buffer.numbered(after, DASHBOARD.day_step_events)
        found = []
        for number, line in lines:
            event = _decode(line)
            published = None if event is None else event.emitted_utc or event.start_utc
            if event is not None and published is not None:
                found.append(Numbered(number, published, event))
        return found, lines[-1][0] if lines else after

    def with_crop(self, _first: int, _last: int) -> Collection[int]:
        return ()

    def on_screen(self, streams: Collection[str]) -> OnScreen:
        states = self._buffer.visible()
        return {(name, text.track, text.start) for name in streams if name in states for text in states[name].texts}

    def streams(self) -> list[str]:
        return sorted(self._buffer.visible())[: DASHBOARD.max_day_streams]

    def neighbours(self, since: datetime, until: datetime) -> tuple[datetime | None, datetime | None]:
        before, after, position = None, None, -1
        while (step := self.read(position))[1] > position:
            for _, published, event in step[0]:
                if event.kind in ("appeared", "changed"):
                    before = max(before or published, published) if published < since else before
                    after = min(after or published, published) if published >= until else after
            position = step[1]
        return before, after


def _decode(json: object) -> StoredEvent | None:
    try:
        return msgspec.json.decode(json, type=StoredEvent) if isinstance(json, bytes) else None
    except DECODE_ERRORS:
        return None
