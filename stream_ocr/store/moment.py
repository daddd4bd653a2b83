"""Texts that were on the screen at a moment, from the events round it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from stream_ocr.events import Event, TextEvent, parse
from stream_ocr.store.reader import StoreReader
from stream_ocr.store.thresholds import THRESHOLDS


def texts_at(store: StoreReader, moment: datetime, streams: Sequence[str] = ()) -> Iterator[TextEvent]:
    """Yield the latest event of each text that was on the screen at a moment, stream by stream. Raises StoreError.

    A text that has been there for more than the last ``moment_events`` events of its stream is missed.
    """
    for stream in streams or store.streams():
        yield from _texts_at(_events_round(store, stream, moment), moment)


def _events_round(store: StoreReader, stream: str, moment: datetime) -> Iterator[Event]:
    """Yield the events before a moment, and those after it that may be about the time before."""
    last = store.last_before(stream, moment + timedelta(seconds=THRESHOLDS.moment_delay_s))
    through = max(-1, last - THRESHOLDS.moment_events)
    while through < last:
        page = store.replay(stream, through)
        for event in map(parse, page.events):
            if event.seq > last:
                return
            yield event
        if page.through <= through:
            return
        through = page.through


def _texts_at(events: Iterator[Event], moment: datetime) -> Iterator[TextEvent]:
    current: dict[int, TextEvent] = {}
    for event in events:
        if not isinstance(event, TextEvent):
            if event.kind == "source.up":  # the run before could not report their ends
                yield from (text for text in current.values() if _start(text) <= moment < _published(event))
                current.clear()
            continue
        before = current.pop(event.track, None)
        if before is not None and event.kind in ("changed", "ended") and _start(before) <= moment < _end(event):
            yield before
        if event.kind != "ended":
            current[event.track] = event
    yield from (event for event in current.values() if _start(event) <= moment)


def _start(event: TextEvent) -> datetime:
    return _time(event, event.start_utc)


def _end(event: TextEvent) -> datetime:
    """Return when the text before an event ended."""
    return _time(event, event.end_utc if event.kind == "ended" else event.start_utc)


def _time(event: TextEvent, media_utc: datetime | None) -> datetime:
    """Return a time of day; of a file, which may be of any time, that of the publication."""
    return _published(event) if media_utc is None or event.utc_source == "file" else media_utc


def _published(event: Event) -> datetime:
    assert event.emitted_utc is not None, "stored events are published"
    return event.emitted_utc
