"""Tests of StoreWriter on a real disk."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from stream_ocr.errors import StoreError
from stream_ocr.store.reader import StoreReader
from stream_ocr.store.retention import RetentionLimits
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import published_event


def test_next_seq_continues_over_restarts_after_events_were_deleted(path):
    for _ in range(2):
        writer = StoreWriter(path, limits=RetentionLimits(days=1))
        writer.open()
        old = datetime.now(UTC) - timedelta(days=2)
        first = writer.next_seq("gate")
        writer.append([published_event(first + n, emitted_utc=old) for n in range(5)])
        writer.append([published_event(0, stream="other")] if not first else [])
        writer.close()
    writer = StoreWriter(path)
    writer.open()
    assert (writer.next_seq("gate"), writer.next_seq("other"), writer.next_seq("new")) == (10, 1, 0)
    writer.close()


def test_writer_starts_with_no_texts_on_screen(store, path):
    store.append([published_event()])
    store.close()
    store.open()
    with StoreReader(path) as reader:
        assert [snapshot.events for snapshot in reader.visible()] == [[]]


def test_open_rejects_second_writer(store, path):
    with pytest.raises(StoreError, match="being written by another process"):
        StoreWriter(path).open()


def test_store_file_is_private(store, path):
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["none/events.db", "."])
def test_open_rejects_unusable_path(tmp_path, name):
    with pytest.raises(StoreError, match=r"no directory|is a directory"):
        StoreWriter(tmp_path / name).open()


def test_open_leaves_other_files_alone(path):
    path.write_text("hello, this is no database")
    with pytest.raises(StoreError, match="is not a store"):
        StoreWriter(path).open()
    with pytest.raises(StoreError, match="cannot be read as a store"):
        StoreReader(path)
    assert path.read_text() == "hello, this is no database"


def test_open_leaves_other_databases_alone(path):
    make = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('CREATE TABLE theirs (x)')"
    subprocess.run([sys.executable, "-c", make, path], check=True)
    with pytest.raises(StoreError, match="another program"):
        StoreWriter(path).open()


def test_close_leaves_all_events_in_the_main_file(store, path):
    store.append([published_event(seq) for seq in range(5)])
    with StoreReader(path) as reader:  # a reader keeps SQLite from doing so by itself
        assert len(list(reader.events())) == 5
        store.close()
        copy = path.with_name("copy.db")
        copy.write_bytes(path.read_bytes())
    with StoreReader(copy) as reader:
        assert [event.seq for event in reader.events()] == list(range(5))
