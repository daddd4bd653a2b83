"""Search: among the events that the page remembers, or in a store, which has them all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from stream_ocr.events import Event, TextEvent, parse
from stream_ocr.events.spans import Span, build_spans
from stream_ocr.store.reader import Query, StoreReader
from stream_ocr.viz.dashboard.event_buffer import EventBuffer

MOST = 100
_PAGES = 3  # of a stream that are looked through for the end of a text


@dataclass(frozen=True, slots=True)
class Found:
    """A text. utc: of its start, where that is known.

    evidence: ``seq`` of the event with the picture that it was read from, where that is kept.
    """

    span: Span
    utc: datetime | None = None
    evidence: int | None = None


Search = Callable[[str], Sequence[Found]]


def in_history(history: EventBuffer) -> Search:
    """Search whatever the case; the latest first."""

    def search(wanted: str) -> Sequence[Found]:
        folded = wanted.casefold()
        found = (Found(span) for span in reversed(build_spans(history.events())) if folded in span.text.casefold())
        return list(islice(found, MOST))

    return search


def in_store(path: Path) -> Search:
    """As ``in_history``, in a store that may be written meanwhile. Raises StoreError where there is none."""
    StoreReader(path).close()

    def search(wanted: str) -> Sequence[Found]:
        with StoreReader(path) as reader:
            events: dict[tuple[str, int, float], list[TextEvent]] = {}
            for event in reader.search(Query(wanted, limit=MOST)):
                events.setdefault((event.stream, event.track, event.start), []).append(event)
            return [
                Found(_span(reader, latest), latest.start_utc, _evidence(reader, [latest, *rest]))
                for latest, *rest in events.values()
            ]

    return search


def crop_in(path: Path, stream: str, seq: int) -> bytes | None:
    """The picture (WebP) that an event's text was read from, where a store has it. Raises StoreError."""
    with StoreReader(path) as reader:
        return reader.crop(stream, seq)


def _evidence(reader: StoreReader, events: Sequence[TextEvent]) -> int | None:
    return next((event.seq for event in events if reader.has_crop(event.stream, event.seq)), None)


def _span(reader: StoreReader, event: TextEvent) -> Span:
    """The whole of a text: its events until it ends, as far as that can be found soon."""
    told: list[Event] = [event]
    after = event.seq
    for _ in range(_PAGES):
        page = reader.replay(event.stream, after)
        for line in page.events:
            later = parse(line)
            if isinstance(later, TextEvent) and later.track == event.track:
                told.append(later)
                if later.kind in ("changed", "ended"):
                    return build_spans(told)[0]
        if page.through >= page.last:
            break
        after = page.through
    return build_spans(told)[0]
