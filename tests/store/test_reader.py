"""Tests of StoreReader: replay, texts on screen, search."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stream_ocr.errors import StoreError
from stream_ocr.events import SourceEvent, parse
from stream_ocr.store.reader import Query, StoreReader
from stream_ocr.testing import published_event


def seqs(lines):
    return [parse(line).seq for line in lines]


def found(path: Path, text: str, **query) -> list[str]:
    with StoreReader(path) as reader:
        return [event.text for event in reader.search(Query(text, **query))]


def test_replay_returns_committed_events_byte_for_byte(store, path):
    events = [published_event(seq, f"GATE {seq}") for seq in range(3)]
    gap = SourceEvent(id="x", seq=3, kind="source.gap", stream="gate", start=3.0, frames=25)
    assert store.append([*events, gap])
    with StoreReader(path) as reader:
        page = reader.replay("gate", -1)
    assert page.events == [event.to_json() for event in (*events, gap)]
    assert (page.through, page.last) == (3, 3)


def test_replay_returns_pages(store, path):
    store.append([published_event(seq) for seq in range(25)])
    with StoreReader(path) as reader:
        page = reader.replay("gate", 3, limit=10)
        assert (seqs(page.events), page.through, page.last) == (list(range(4, 14)), 13, 24)
        assert reader.replay("gate", 24) == ([], 24, 24)
        assert reader.replay("nobody", -1) == ([], -1, -1)


def test_replay_limits_bytes_of_a_page_but_returns_at_least_one_event(store, path):
    store.append([published_event(seq, "x" * 400_000) for seq in range(3)])
    with StoreReader(path) as reader:
        assert [seqs(reader.replay("gate", after).events) for after in (-1, 0, 1)] == [[0], [1], [2]]


def test_last_before_returns_last_seq_before_a_time(store, path):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    store.append([published_event(seq, emitted_utc=start + timedelta(seconds=seq)) for seq in range(10)])
    with StoreReader(path) as reader:
        assert reader.last_before("gate", start + timedelta(seconds=3.5)) == 3
        assert reader.last_before("gate", start) == -1
        assert reader.last_before("gate", start + timedelta(days=1)) == 9
        with pytest.raises(ValueError, match="no time zone"):
            reader.last_before("gate", datetime(2026, 1, 1))  # noqa: DTZ001


def test_visible_returns_texts_on_screen(store, path):
    store.append([published_event(0, "GATE 4", track=1), published_event(1, "PLATFORM 7", track=2)])
    store.append([published_event(2, "GATE 5", track=1, kind="changed"), published_event(0, "EXIT", stream="hall")])
    store.append([published_event(3, "PLATFORM 7", track=2, kind="ended", end=4.0)])
    with StoreReader(path) as reader:
        snapshots = {snapshot.stream: snapshot for snapshot in reader.visible()}
        assert {name: [parse(e).text for e in snapshot.events] for name, snapshot in snapshots.items()} == {
            "gate": ["GATE 5"],
            "hall": ["EXIT"],
        }
        assert (snapshots["gate"].last, snapshots["hall"].last) == (3, 0)
        store.clear_visible("gate")
        assert [snapshot.events for snapshot in reader.visible(["gate"])] == [[]]


@pytest.mark.parametrize("text", ["platform", "TFO", "form 7", "7", "M 7", "Übergang", "übergang", '"quoted"', "100%"])
def test_search_ignores_case(store, path, text):
    store.append([published_event(0, "PLATFORM 7"), published_event(1, 'Übergang "quoted" 100% 7')])
    assert len(found(path, text)) >= 1


@pytest.mark.parametrize("text", ["PLATFROM", "_LATFORM", "%", "*", "GATE OR PLATFORM", "", "8"])
def test_search_has_no_wildcards_or_operators(store, path, text):
    store.append([published_event(0, "PLATFORM 7"), published_event(1, "GATE 4")])
    assert found(path, text) == ([] if text else ["GATE 4", "PLATFORM 7"])


def test_search_returns_latest_first_and_only_events_with_a_new_text(store, path):
    kinds = ["appeared", "updated", "changed", "ended"]
    store.append([published_event(n, f"GATE {n}", kind=kind) for n, kind in enumerate(kinds)])
    assert found(path, "gate") == ["GATE 2", "GATE 1", "GATE 0"]
    assert found(path, "gate", limit=2) == ["GATE 2", "GATE 1"]


def test_search_filters_by_streams_and_times(store, path):
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
    store.append([published_event(4, "gate again", emitted_utc=start)])  # the clock was set back
    assert found(path, "gate", until=start + timedelta(hours=1)) == ["gate again", "gate 0"]
    assert found(path, "gate", streams=["gate"], since=start + timedelta(hours=3)) == ["gate 3"]


def test_fuzzy_search_tolerates_misread_letters(store, path):
    store.append(
        [published_event(n, text) for n, text in enumerate(["PLATF0RM 7", "PLATF0RN 7", "PIATF0RN 7", "GATE 4"])]
    )
    assert found(path, "platform") == []
    assert found(path, "platform", fuzzy=True) == ["PLATF0RN 7", "PLATF0RM 7"]
    assert found(path, "gste", fuzzy=True) == ["GATE 4"]
    assert found(path, "abc", fuzzy=True) == []


def test_events_yields_all_events_in_order(store, path):
    store.append([published_event(0), published_event(0, stream="hall"), published_event(1)])
    with StoreReader(path) as reader:
        assert [(e.stream, e.seq) for e in reader.events()] == [("gate", 0), ("hall", 0), ("gate", 1)]
        assert [(e.stream, e.seq) for e in reader.events(["gate"])] == [("gate", 0), ("gate", 1)]


def test_reader_reports_missing_store(path):
    with pytest.raises(StoreError, match=r"There is no store .*--set store\.path="):
        StoreReader(path)


@pytest.mark.parametrize("fuzzy", [False, True])
@pytest.mark.parametrize("text", ["GATE\0", "\0", "GATE\udcff", "\ud800"])
def test_search_for_what_no_text_contains_finds_nothing(store, path, text, fuzzy):
    store.append([published_event(0, "GATE 4")])
    assert found(path, text, fuzzy=fuzzy) == []


@pytest.mark.parametrize("fuzzy", [False, True])
def test_search_refuses_a_text_that_is_too_long(store, path, fuzzy):
    store.append([published_event(0, "GATE 4")])
    with pytest.raises(StoreError, match="has 1000000 characters; at most 1000 are allowed"):
        found(path, "x" * 1_000_000, fuzzy=fuzzy)
    assert found(path, "x" * 1000, fuzzy=fuzzy) == []


@pytest.mark.parametrize("content", [b"", b"not a database" * 100])
def test_reader_closes_a_file_that_it_cannot_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        StoreReader(path)
    assert path not in [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()], caught
