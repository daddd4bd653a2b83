"""A bounded buffer of events for any number of viewers."""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from threading import Lock

import msgspec

from stream_ocr.events import Event
from stream_ocr.events.fields import LatestFields
from stream_ocr.events.visible import StreamState, apply_event
from stream_ocr.viz.thresholds import DASHBOARD

_MAX_DIGITS = 15  # of a position that is accepted from a viewer


@dataclass(frozen=True, slots=True)
class EventPosition:
    """Position of a viewer in the buffer. ``epoch`` identifies one numbering; a restart begins another."""

    epoch: str
    next: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.next}"

    @classmethod
    def parse(cls, text: str) -> "EventPosition":
        """Parse the result of ``str``; return the start of the buffer for anything else."""
        epoch, _, number = text.rpartition("-")
        return cls(epoch, int(number)) if number.isdecimal() and len(number) <= _MAX_DIGITS else cls("", 0)


class EventBuffer:
    """Keeps the latest events and notifies viewers in their event loops. Thread-safe."""

    def __init__(self, max_events: int = DASHBOARD.max_events, max_bytes: int = DASHBOARD.max_event_bytes) -> None:
        """max_events, max_bytes: of all events that are kept, as JSON."""
        self._lock = Lock()
        self._max_events, self._max_bytes = max_events, max_bytes
        self._events: deque[Event] = deque()
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._epoch = secrets.token_hex(4)
        self._next = 0
        self.closed = False
        self._fields, self._fields_json = LatestFields(), b"{}"
        self._visible: dict[str, StreamState] = {}
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def add(self, events: Iterable[Event], *, late: bool = False) -> None:
        """Append events in order; drop the oldest beyond the limits.

        late: they are of an earlier run than the latest events of their streams, and change neither texts nor fields.
        """
        with self._lock:
            for event in events:
                self._append(event)
                if late:
                    continue
                self._visible[event.stream] = apply_event(self._visible.get(event.stream), event)
                if self._fields.update(event):
                    self._fields_json = b""  # encoded when it is asked for
            self._notify()

    def restart(self) -> None:
        """Remove all events: another run begins."""
        with self._lock:
            self._events.clear()
            self._lines.clear()
            self._bytes = 0
            self._epoch, self._next = secrets.token_hex(4), 0
            self._fields, self._fields_json, self._visible = LatestFields(), b"{}", {}
            self._notify()

    def close(self) -> None:
        """End the streams of all viewers."""
        with self._lock:
            self.closed = True
            self._notify()

    def events(self) -> list[Event]:
        """Return all buffered events in order."""
        with self._lock:
            return list(self._events)

    def fields_json(self) -> bytes:
        """Return the latest texts of all named fields as JSON, by stream and field."""
        with self._lock:
            self._fields_json = self._fields_json or msgspec.json.encode(self._fields.values)
            return self._fields_json

    def visible(self) -> dict[str, StreamState]:
        """Return the texts on the screen by stream."""
        with self._lock:
            return dict(self._visible)

    def read_after(self, position: EventPosition) -> tuple[EventPosition, list[bytes], bool]:
        """Return the position after the next events, their JSON, and whether the viewer must discard its events."""
        with self._lock:
            first = self._next - len(self._lines)
            known = position.epoch == self._epoch and first <= position.next <= self._next
            begin = position.next if known else first
            lines = list(islice(self._lines, begin - first, begin - first + DASHBOARD.batch_events))
            return EventPosition(self._epoch, begin + len(lines)), lines, not known

    def numbered(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Return the JSON of at most ``limit`` events with a number greater than ``after``, and these numbers."""
        with self._lock:
            first = self._next - len(self._lines)
            begin = max(after + 1, first)
            return list(enumerate(islice(self._lines, begin - first, begin - first + limit), begin))

    @contextmanager
    def subscribe(self) -> Iterator[asyncio.Event]:
        """Provide an asyncio.Event that is set on every change. Use it in the event loop that entered this context."""
        listener = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            self._listeners.add(listener)
        try:
            yield listener[1]
        finally:
            with self._lock:
                self._listeners.remove(listener)

    def _append(self, event: Event) -> None:
        line = event.to_json()
        self._events.append(event)
        self._lines.append(line)
        self._next += 1
        self._bytes += len(line)
        while len(self._lines) > self._max_events or self._bytes > self._max_bytes:
            self._events.popleft()
            self._bytes -= len(self._lines.popleft())

    def _notify(self) -> None:
        for loop, changed in self._listeners:
            loop.call_soon_threadsafe(changed.set)
