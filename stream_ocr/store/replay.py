"""Read recorded events from a store or a file of JSON lines."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from stream_ocr.events import Event, read_jsonl
from stream_ocr.store.reader import StoreReader

_SQLITE = b"SQLite format 3\0"


def read_events(path: Path, streams: Sequence[str] = ()) -> Iterator[Event]:
    """Yield the events of a file in order, optionally only of some streams. Raises SourceError and StoreError."""
    if not _is_store(path):
        yield from (event for event in read_jsonl(path) if not streams or event.stream in streams)
        return
    with StoreReader(path) as store:
        store.require_streams(streams)
        yield from store.events(streams)


def _is_store(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False  # read_jsonl reports the reason
