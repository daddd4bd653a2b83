"""The latest events, numbered as they came, for any number of viewers."""

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from threading import Lock

from stream_ocr.events import Event

MOST = 50_000
BATCH = 250


@dataclass(frozen=True, slots=True)
class EventPosition:
    """How far a viewer has come. epoch: names one numbering; another one begins anew."""

    epoch: str
    next: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.next}"

    @classmethod
    def parse(cls, text: str) -> "EventPosition":
        """What ``str`` made; anything else is the very beginning."""
        epoch, _, number = text.rpartition("-")
        return cls(epoch, int(number)) if number.isdecimal() and len(number) < 16 else cls("", 0)


class EventBuffer:
    """Takes events in any thread; tells viewers in their event loops. The oldest are forgotten."""

    def __init__(self, most: int = MOST) -> None:
        self._lock = Lock()
        self._events: deque[Event] = deque(maxlen=most)
        self._lines: deque[bytes] = deque(maxlen=most)
        self._epoch = secrets.token_hex(4)
        self._next = 0
        self.closed = False
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    def add(self, events: Iterable[Event]) -> None:
        """Take events, in order."""
        with self._lock:
            for event in events:
                self._events.append(event)
                self._lines.append(event.to_json())
                self._next += 1
            self._tell()

    def restart(self) -> None:
        """Forget everything: what comes now is another run."""
        with self._lock:
            self._events.clear()
            self._lines.clear()
            self._epoch, self._next = secrets.token_hex(4), 0
            self._tell()

    def close(self) -> None:
        """Let the viewers go."""
        with self._lock:
            self.closed = True
            self._tell()

    def events(self) -> list[Event]:
        """All that is remembered, in order."""
        with self._lock:
            return list(self._events)

    def after(self, place: EventPosition) -> tuple[EventPosition, list[bytes], bool]:
        """(place behind them, the JSON of the next events, whether the viewer must forget what it has)."""
        with self._lock:
            first = self._next - len(self._lines)
            known = place.epoch == self._epoch and first <= place.next <= self._next
            begin = place.next if known else first
            lines = list(islice(self._lines, begin - first, begin - first + BATCH))
            return EventPosition(self._epoch, begin + len(lines)), lines, not known

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever there is news; to be used in an event loop."""
        listener = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            self._listeners.add(listener)
        try:
            yield listener[1]
        finally:
            with self._lock:
                self._listeners.remove(listener)

    def _tell(self) -> None:
        for loop, news in self._listeners:
            loop.call_soon_threadsafe(news.set)
