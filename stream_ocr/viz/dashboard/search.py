"""Search for texts in the event buffer or in a store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from stream_ocr.events import Event, TextEvent, parse
from stream_ocr.events.spans import Span, build_spans
from stream_ocr.store.reader import Query, StoreReader
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.thresholds import DASHBOARD


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A text that was found.

    utc: start of the text, if known. crop_seq: ``seq`` of the event whose crop is stored, if any.
    """

    span: Span
    utc: datetime | None = None
    crop_seq: int | None = None


Search = Callable[[str], Sequence[SearchResult]]


def search_buffer(buffer: EventBuffer) -> Search:
    """Return a case-insensitive search of the buffer, latest texts first."""

    def search(query: str) -> Sequence[SearchResult]:
        folded = query.casefold()
        spans = (span for span in reversed(build_spans(buffer.events())) if folded in span.text.casefold())
        return [SearchResult(span) for span in islice(spans, DASHBOARD.max_results)]

    return search


def search_store(path: Path) -> Search:
    """Return a search of a store, as ``search_buffer``; it may be written meanwhile. Raises StoreError."""
    StoreReader(path).close()

    def search(query: str) -> Sequence[SearchResult]:
        with StoreReader(path) as reader:
            events: dict[tuple[str, int, float], list[TextEvent]] = {}
            for event in reader.search(Query(query, limit=DASHBOARD.max_results)):
                events.setdefault((event.stream, event.track, event.start), []).append(event)
            return [
                SearchResult(_span(reader, latest), latest.start_utc, _crop_seq(reader, [latest, *rest]))
                for latest, *rest in events.values()
            ]

    return search


def read_crop(path: Path, stream: str, seqs: Sequence[int]) -> bytes | None:
    """Return the crop (WebP) of the first of some events whose crop a store has. Raises StoreError."""
    with StoreReader(path) as reader:
        return next((crop for seq in seqs if (crop := reader.crop(stream, seq)) is not None), None)


def _crop_seq(reader: StoreReader, events: Sequence[TextEvent]) -> int | None:
    return next((event.seq for event in events if reader.has_crop(event.stream, event.seq)), None)


def _span(reader: StoreReader, event: TextEvent) -> Span:
    """Build the span of a text from its events up to its end, as far as a few pages contain it."""
    events: list[Event] = [event]
    after = event.seq
    for _ in range(DASHBOARD.max_search_pages):
        page = reader.replay(event.stream, after)
        for line in page.events:
            later = parse(line)
            if isinstance(later, TextEvent) and later.track == event.track:
                events.append(later)
                if later.kind in ("changed", "ended"):
                    return build_spans(events)[0]
        if page.through >= page.last:
            break
        after = page.through
    return build_spans(events)[0]
