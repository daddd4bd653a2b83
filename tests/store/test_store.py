"""A store on a real disk: what was committed is there, in order, and can be found."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stream_ocr.errors import StoreError
from stream_ocr.events import SourceEvent, parse
from stream_ocr.store.reader import Query, StoreReader
from stream_ocr.store.retention import Limits
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import published_event


@pytest.fixture
def path(tmp_path):
    return tmp_path / "events.db"


@pytest.fixture
def store(path):
    writer = StoreWriter(path)
    writer.open()
    yield writer
    writer.close()


def seqs(lines):
    return [parse(line).seq for line in lines]


def found(path: Path, text: str, **query) -> list[str]:
    with StoreReader(path) as reader:
        return [event.text for event in reader.search(Query(text, **query))]


def test_what_is_committed_is_replayed_byte_for_byte(store, path):
    events = [published_event(seq, f"GATE {seq}") for seq in range(3)]
    gap = SourceEvent(id="x", seq=3, kind="source.gap", stream="gate", start=3.0, frames=25)
    assert store.append([*events, gap])
    with StoreReader(path) as reader:
        page = reader.replay("gate", -1)
    assert page.events == [event.to_json() for event in (*events, gap)]
    assert (page.through, page.last) == (3, 3)


def test_numbers_go_on_over_restarts_though_the_events_are_gone(path):
    for _ in range(2):
        writer = StoreWriter(path, limits=Limits(days=1))
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


def test_replay_comes_in_pages(store, path):
    store.append([published_event(seq) for seq in range(25)])
    with StoreReader(path) as reader:
        page = reader.replay("gate", 3, limit=10)
        assert (seqs(page.events), page.through, page.last) == (list(range(4, 14)), 13, 24)
        assert reader.replay("gate", 24) == ([], 24, 24)
        assert reader.replay("nobody", -1) == ([], -1, -1)


def test_a_page_has_a_limit_of_bytes_but_always_gets_on(store, path):
    store.append([published_event(seq, "x" * 400_000) for seq in range(3)])
    with StoreReader(path) as reader:
        assert [seqs(reader.replay("gate", after).events) for after in (-1, 0, 1)] == [[0], [1], [2]]


def test_what_follows_a_time(store, path):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    store.append([published_event(seq, emitted_utc=start + timedelta(seconds=seq)) for seq in range(10)])
    with StoreReader(path) as reader:
        assert reader.before("gate", start + timedelta(seconds=3.5)) == 3
        assert reader.before("gate", start) == -1
        assert reader.before("gate", start + timedelta(days=1)) == 9
        with pytest.raises(ValueError, match="no time zone"):
            reader.before("gate", datetime(2026, 1, 1))  # noqa: DTZ001


def test_what_is_in_sight(store, path):
    store.append([published_event(0, "GATE 4", track=1), published_event(1, "PLATFORM 7", track=2)])
    store.append([published_event(2, "GATE 5", track=1, kind="changed"), published_event(0, "EXIT", stream="hall")])
    store.append([published_event(3, "PLATFORM 7", track=2, kind="ended", end=4.0)])
    with StoreReader(path) as reader:
        shots = {shot.stream: shot for shot in reader.visible()}
        assert {name: [parse(e).text for e in shot.events] for name, shot in shots.items()} == {
            "gate": ["GATE 5"],
            "hall": ["EXIT"],
        }
        assert (shots["gate"].last, shots["hall"].last) == (3, 0)
        store.forget_visible("gate")
        assert [shot.events for shot in reader.visible(["gate"])] == [[]]


def test_a_new_writer_begins_with_nothing_in_sight(store, path):
    store.append([published_event()])
    store.close()
    store.open()
    with StoreReader(path) as reader:
        assert [shot.events for shot in reader.visible()] == [[]]


@pytest.mark.parametrize("text", ["platform", "TFO", "form 7", "7", "M 7", "Übergang", "übergang", '"quoted"', "100%"])
def test_texts_are_found_whatever_their_case(store, path, text):
    store.append([published_event(0, "PLATFORM 7"), published_event(1, 'Übergang "quoted" 100% 7')])
    assert len(found(path, text)) >= 1


@pytest.mark.parametrize("text", ["PLATFROM", "_LATFORM", "%", "*", "GATE OR PLATFORM", "", "8"])
def test_nothing_else_is_found(store, path, text):
    store.append([published_event(0, "PLATFORM 7"), published_event(1, "GATE 4")])
    assert found(path, text) == ([] if text else ["GATE 4", "PLATFORM 7"])


def test_the_latest_are_found_first_and_only_what_brought_the_text(store, path):
    kinds = ["appeared", "updated", "changed", "ended"]
    store.append([published_event(n, f"GATE {n}", kind=kind) for n, kind in enumerate(kinds)])
    assert found(path, "gate") == ["GATE 2", "GATE 1", "GATE 0"]
    assert found(path, "gate", limit=2) == ["GATE 2", "GATE 1"]


def test_search_in_streams_and_times(store, path):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for stream in ("gate", "hall"):
        store.append(
            [
                published_event(n, f"{stream} {n}", stream=stream, emitted_utc=start + timedelta(hours=n))
                for n in range(4)
            ]
        )
    assert found(path, "gate", streams=["hall"]) == []
    assert found(path, "hall", streams=["hall", "gate"], since=start + timedelta(hours=2)) == ["hall 3", "hall 2"]
    assert found(path, "gate", until=start + timedelta(hours=1)) == ["gate 0"]
    assert found(path, "gate", since_s=1.0, until_s=3.0) == ["gate 2", "gate 1"]
    assert found(path, "g", since_s=1.0, until_s=2.0) == ["gate 1"]
    store.append([published_event(4, "gate again", emitted_utc=start)])  # the clock was put back
    assert found(path, "gate", until=start + timedelta(hours=1)) == ["gate again", "gate 0"]
    assert found(path, "gate", streams=["gate"], since=start + timedelta(hours=3)) == ["gate 3"]


def test_misread_letters_are_forgiven_when_asked(store, path):
    store.append(
        [published_event(n, text) for n, text in enumerate(["PLATF0RM 7", "PLATF0RN 7", "PIATF0RN 7", "GATE 4"])]
    )
    assert found(path, "platform") == []
    assert found(path, "platform", fuzzy=True) == ["PLATF0RN 7", "PLATF0RM 7"]
    assert found(path, "gste", fuzzy=True) == ["GATE 4"]
    assert found(path, "abc", fuzzy=True) == []


def test_all_events_in_order(store, path):
    store.append([published_event(0), published_event(0, stream="hall"), published_event(1)])
    with StoreReader(path) as reader:
        assert [(e.stream, e.seq) for e in reader.events()] == [("gate", 0), ("hall", 0), ("gate", 1)]
        assert [(e.stream, e.seq) for e in reader.events(["gate"])] == [("gate", 0), ("gate", 1)]


def test_old_events_are_forgotten_and_no_longer_found(path):
    writer = StoreWriter(path, limits=Limits(days=1))
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


def test_crops_are_kept_with_their_events_and_forgotten_with_them(path):
    writer = StoreWriter(path, limits=Limits(days=1))
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


def test_a_store_does_not_grow_beyond_its_limit(path):
    writer = StoreWriter(path, limits=Limits(megabytes=4))
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


def test_a_second_writer_is_refused(store, path):
    with pytest.raises(StoreError, match="being written by another process"):
        StoreWriter(path).open()


def test_a_store_is_private(store, path):
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("place", ["none/events.db", "."])
def test_a_place_where_no_file_can_be_made_is_refused(tmp_path, place):
    with pytest.raises(StoreError, match=r"no directory|is a directory"):
        StoreWriter(tmp_path / place).open()


def test_files_of_others_are_left_alone(path):
    path.write_text("hello, this is no database")
    with pytest.raises(StoreError, match="is no store"):
        StoreWriter(path).open()
    with pytest.raises(StoreError, match="cannot be read as a store"):
        StoreReader(path)
    assert path.read_text() == "hello, this is no database"


def test_databases_of_others_are_left_alone(path):
    make = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('CREATE TABLE theirs (x)')"
    subprocess.run([sys.executable, "-c", make, path], check=True)
    with pytest.raises(StoreError, match="another program"):
        StoreWriter(path).open()


def test_a_missing_store_is_named(path):
    with pytest.raises(StoreError, match=r"There is no store .*--set store\.path="):
        StoreReader(path)
