"""Stores of other versions: every released schema is read and written, an unknown one is refused unchanged."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stream_ocr.errors import StoreError
from stream_ocr.store.reader import Query, StoreReader
from stream_ocr.store.schema import VERSION
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import published_event

RELEASED = sorted(Path(__file__).parent.glob("schema_*.sql"))


def create(script: Path, path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script.read_text(encoding="utf-8"))


def test_the_current_schema_has_a_script() -> None:
    """A new schema needs a migration of the stores that exist, and a script for this test."""
    assert RELEASED[-1].stem == f"schema_{VERSION}"


@pytest.mark.parametrize("script", RELEASED, ids=lambda script: script.stem)
def test_a_store_of_a_released_schema_is_continued(script: Path, path: Path) -> None:
    create(script, path)
    writer = StoreWriter(path)
    writer.open()
    assert writer.next_seq("gate") == 2
    assert writer.append([published_event(2, "GATE 5")])
    writer.close()
    with StoreReader(path) as reader:
        assert reader.id == "0123456789abcdef"
        assert [event.kind for event in reader.events()] == ["appeared", "source.gap", "appeared"]
        assert [event.text for event in reader.search(Query("gate"))] == ["GATE 5", "GATE 4"]
        assert reader.crop("gate", 0) == b"RIFF"


@pytest.mark.parametrize("version", [1, VERSION + 1, 2**31 - 1])
def test_a_store_of_an_unknown_schema_is_refused_unchanged(path: Path, version: int) -> None:
    create(RELEASED[-1], path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    sentence = f"is a store of version {version}, but this program reads version {VERSION}"
    with pytest.raises(StoreError, match=sentence):
        StoreWriter(path).open()
    with pytest.raises(StoreError, match=sentence):
        StoreReader(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.glob(f"{path.name}.damaged*")] == []
