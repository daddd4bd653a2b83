"""Search: among the events that the page remembers, or in a store, which has them all."""

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from stream_ocr.dashboard.history import History
from stream_ocr.events import Event, TextEvent, parse
from stream_ocr.spans import Span, spans
from stream_ocr.store.reader import Query, StoreReader

MOST = 100
_PAGES = 3  # of a stream that are looked through for the end of a text

Search = Callable[[str], Sequence[Span]]


def in_history(history: History) -> Search:
    """Search whatever the case; the latest first."""

    def search(wanted: str) -> Sequence[Span]:
        folded = wanted.casefold()
        found = (span for span in reversed(spans(history.events())) if folded in span.text.casefold())
        return list(islice(found, MOST))

    return search


def in_store(path: Path) -> Search:
    """As ``in_history``, in a store that may be written meanwhile. Raises StoreError where there is none."""
    StoreReader(path).close()

    def search(wanted: str) -> Sequence[Span]:
        with StoreReader(path) as reader:
            found: dict[tuple[str, int, float], Span] = {}
            for event in reader.search(Query(wanted, limit=MOST)):
                if (key := (event.stream, event.track, event.start)) not in found:
                    found[key] = _span(reader, event)
            return list(found.values())

    return search


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
                    return spans(told)[0]
        if page.through >= page.last:
            break
        after = page.through
    return spans(told)[0]
