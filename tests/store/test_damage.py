"""Reading of a store with damaged rows, pages and indexes: a damaged event is a gap, all others are served."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stream_ocr.errors import StoreError
from stream_ocr.events import Event, SourceEvent, TextEvent, parse
from stream_ocr.store.reader import Query, StoreReader
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import published_event

COUNT = 3000
PAGE_BYTES = 4096


@pytest.fixture
def filled(path: Path) -> Path:
    writer = StoreWriter(path)
    writer.open()
    for n in range(0, COUNT, 100):
        writer.append([published_event(n + k, f"SIGN {n + k}", track=n + k) for k in range(100)])
    writer.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def overwrite_rows(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(sql)
        db.commit()


def overwrite_pages(path: Path, content: bytes) -> None:
    """Overwrite the pages that contain these bytes."""
    data = bytearray(path.read_bytes())
    starts = [at for at in range(0, len(data), PAGE_BYTES) if content in data[at : at + PAGE_BYTES]]
    assert starts
    for at in starts:
        data[at : at + PAGE_BYTES] = b"\xa5" * PAGE_BYTES
    path.write_bytes(data)


def replayed(reader: StoreReader) -> Iterator[Event]:
    after = -1
    while True:
        page = reader.replay("gate", after)
        yield from map(parse, page.events)
        if page.through >= page.last:
            return
        after = page.through


READS: list[Callable[[StoreReader], Iterator[Event]]] = [lambda reader: reader.events(), replayed]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    "damage",
    [
        "json = X'7b22'",
        "json = 'text'",
        "json = zeroblob(900)",
        "json = CAST(replace(CAST(json AS TEXT), '\"seq\":1500', '\"seq\":9') AS BLOB)",
        "json = CAST(replace(CAST(json AS TEXT), 'gate', CAST(X'ff' AS TEXT)) AS BLOB)",
        "utc_us = 'x', start_s = 'y', json = X''",
    ],
)
def test_damaged_row_is_a_gap(filled: Path, damage: str, read: Callable[[StoreReader], Iterator[Event]]) -> None:
    overwrite_rows(filled, f"UPDATE events SET {damage} WHERE seq = 1500")
    with StoreReader(filled) as reader:
        events = list(read(reader))
        assert [event.seq for event in events] == list(range(COUNT))
        gaps = [event for event in events if isinstance(event, SourceEvent)]
        assert [(gap.seq, gap.kind, gap.stream, gap.reason) for gap in gaps] == [
            (1500, "source.gap", "gate", "The event is damaged in the store.")
        ]
        assert [event.seq for event in reader.search(Query("sign", limit=COUNT))] == [
            seq for seq in reversed(range(COUNT)) if seq != 1500
        ]


@pytest.mark.parametrize("read", READS)
def test_damaged_page_is_some_gaps(filled: Path, read: Callable[[StoreReader], Iterator[Event]]) -> None:
    overwrite_pages(filled, b'"seq":1500,')
    with StoreReader(filled) as reader:
        events = list(read(reader))
        assert [event.seq for event in events] == list(range(COUNT))
        gaps = [event.seq for event in events if isinstance(event, SourceEvent)]
        assert 1500 in gaps
        assert len(gaps) < 20
        found = reader.search(Query("sign", limit=COUNT))
        assert [event.seq for event in found] == [seq for seq in reversed(range(COUNT)) if seq not in gaps]
        assert "SIGN 1700" in [event.text for event in reader.search(Query("SIGM 170O", fuzzy=True))]


def test_search_without_its_index_scans_the_events(filled: Path) -> None:
    overwrite_rows(filled, "UPDATE words_data SET block = X'ffffffffff'")
    with StoreReader(filled) as reader:
        assert [event.text for event in reader.search(Query("sign 17", limit=2))] == ["SIGN 1799", "SIGN 1798"]
        assert reader.search(Query("sign", limit=1, until_s=100.0))[0].start < 100


def test_damaged_text_column_does_not_raise(filled: Path) -> None:
    overwrite_rows(filled, "UPDATE events SET text = CAST(X'5349474eff' AS TEXT) WHERE seq = 1500")
    with StoreReader(filled) as reader:
        assert len(reader.search(Query("ig", limit=COUNT))) == COUNT


def test_damaged_text_on_screen_is_left_out(filled: Path) -> None:
    overwrite_rows(filled, "UPDATE visible SET json = X'7b22' WHERE track = 1500")
    with StoreReader(filled) as reader:
        (snapshot,) = reader.visible()
        shown = [parse(json) for json in snapshot.events]
        assert len(shown) == COUNT - 1
        assert all(isinstance(event, TextEvent) for event in shown)


@pytest.mark.parametrize("damage", ["next = 'x'", "next = X'00'", "next = 1e300", "name = X'ff'"])
def test_damaged_stream_does_not_raise(filled: Path, damage: str) -> None:
    overwrite_rows(filled, f"UPDATE streams SET {damage}")
    with StoreReader(filled) as reader:
        reader.streams()
        reader.replay("gate", -1)
        list(reader.visible())
        assert len(list(reader.events())) in (0, COUNT)


def test_damage_beyond_reading_is_a_store_error(filled: Path) -> None:
    overwrite_rows(filled, "DELETE FROM meta")
    with StoreReader(filled) as reader, pytest.raises(StoreError, match="has lost its id"):
        _ = reader.id
    overwrite_pages(filled, b"CREATE TABLE")
    with pytest.raises(StoreError, match="cannot be read"):
        StoreReader(filled)
