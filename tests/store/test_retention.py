"""Tests of the retention limits."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from stream_ocr.events import parse
from stream_ocr.store.reader import Query, StoreReader
from stream_ocr.store.retention import RetentionLimits
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import published_event


def seqs(lines):
    return [parse(line).seq for line in lines]


def found(path: Path, text: str, **query) -> list[str]:
    with StoreReader(path) as reader:
        return [event.text for event in reader.search(Query(text, **query))]


def test_retention_deletes_old_events_and_their_index(path):
    writer = StoreWriter(path, limits=RetentionLimits(days=1))
    writer.open()
    old = datetime.now(UTC) - timedelta(days=2)
    writer.append([published_event(n, "OLD SIGN", emitted_utc=old) for n in range(10)])
    for n in range(10, 250):
        writer.append([published_event(n, "NEW SIGN")])
    writer.close()
    assert found(path, "old sign") == []
    assert len(found(path, "new sign", limit=1000)) == 240
    with StoreReader(path) as reader:
        assert reader.streams() == {"gate": 249}
        assert seqs(reader.replay("gate", -1, limit=1).events) == [10]


def test_retention_deletes_crops_with_their_events(path):
    writer = StoreWriter(path, limits=RetentionLimits(days=1))
    writer.open()
    old = published_event(0, "OLD", emitted_utc=datetime.now(UTC) - timedelta(days=2))
    new = [published_event(seq, "NEW") for seq in range(1, 5)]
    writer.append([old], {old.id: b"old"})
    writer.append(new, {new[1].id: b"new"})
    for seq in range(5, 250):
        writer.append([published_event(seq, "LATER")])
    writer.close()
    with StoreReader(path) as reader:
        assert [reader.crop("gate", seq) for seq in range(4)] == [None, None, b"new", None]
        assert reader.crop("hall", 2) is None
        assert [reader.has_crop("gate", seq) for seq in range(4)] == [False, False, True, False]


def test_retention_limits_size_of_the_store(path):
    writer = StoreWriter(path, limits=RetentionLimits(megabytes=4))
    writer.open()
    sizes = []
    for n in range(0, 40_000, 200):
        writer.append([published_event(n + k, f"SIGN {n + k}") for k in range(200)])
        sizes.append(path.stat().st_size)
    writer.close()
    assert max(sizes) < 8e6
    assert found(path, "sign 39999") == ["SIGN 39999"]
    with StoreReader(path) as reader:
        (first,), last = seqs(reader.replay("gate", -1, limit=1).events), reader.streams()["gate"]
    assert last == 39_999
    assert 2000 < last - first < 10_000
