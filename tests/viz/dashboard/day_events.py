"""Events of a day with known times, and a store of them."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from stream_ocr.events import Event, SourceEvent
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import text_event

DAY = datetime(2026, 3, 10, tzinfo=UTC)
DELAY = timedelta(seconds=0.3)  # from the start of a text to its publication


def at(hour: int, minute: int = 0, second: float = 0.0, day: datetime = DAY) -> datetime:
    """Return a time of a day."""
    return day + timedelta(hours=hour, minutes=minute, seconds=second)


def picture() -> bytes:
    """Return a WebP picture of 80×20 pixels."""
    return cv2.imencode(".webp", np.full((20, 80, 3), 200, np.uint8))[1].tobytes()


class DayEvents:
    """Collects events in any order. Media time is seconds since ``DAY``."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._crops: set[str] = set()
        self._tracks, self._ids = count(1), count()

    def add(
        self, kind: str, text: str, start: datetime, published: datetime, *, crop: bool = False, **fields: Any
    ) -> None:
        """Add one event of a text, with a crop in the store or without."""
        more = {"stream": "gate", "track": 1, "utc_source": "arrival", "start_utc": start, **fields}
        more = {"id": f"{next(self._ids):016x}", "start": (start - DAY).total_seconds(), **more}
        event = text_event(0, kind=kind, text=text, emitted_utc=published, **more)
        self._events.append(event)
        if crop:
            self._crops.add(event.id)

    def show(self, text: str, start: datetime, shown_s: float | None = 5.0, **fields: Any) -> None:
        """Add a text that is shown for so long, None: on and on."""
        fields = {"track": next(self._tracks), **fields}
        self.add("appeared", text, start, start + DELAY, **fields)
        fields.pop("crop", None)
        if shown_s is not None:
            end = start + timedelta(seconds=shown_s)
            self.add("ended", text, start, end + DELAY, **fields, end=(end - DAY).total_seconds())

    def tick(self, texts: list[str], start: datetime, **fields: Any) -> None:
        """Add a text that changes each second, and ends."""
        track, previous = next(self._tracks), None
        for n, text in enumerate(texts):
            now = start + timedelta(seconds=n)
            kind = "appeared" if previous is None else "changed"
            self.add(kind, text, now, now + DELAY, track=track, previous=previous, **fields)
            previous = text
        now += timedelta(seconds=1)
        last = now - timedelta(seconds=1)
        self.add("ended", texts[-1], last, now + DELAY, track=track, end=(now - DAY).total_seconds(), **fields)

    def come_up(self, stream: str, published: datetime) -> None:
        """Add a start of a camera."""
        up = SourceEvent(id=f"{next(self._ids):016x}", seq=0, kind="source.up", stream=stream, emitted_utc=published)
        self._events.append(up)

    def events(self) -> list[Event]:
        """Return the events in the order in which they were published."""
        seqs: Counter[str] = Counter()
        numbered: list[Event] = []
        for event in sorted(self._events, key=lambda each: each.emitted_utc):  # type: ignore[arg-type,return-value]
            numbered.append(msgspec.structs.replace(event, seq=seqs[event.stream]))
            seqs[event.stream] += 1
        return numbered

    def write_store(self, path: Path) -> Path:
        """Write a store with these events."""
        writer = StoreWriter(path)
        writer.open()
        events = self.events()
        crops = {event.id: picture() for event in events if event.id in self._crops}
        assert writer.append(events, crops) is not None
        writer.close()
        return path
