"""Events of a span of time."""

from datetime import UTC, datetime, timedelta

import pytest

from stream_ocr.errors import StoreError
from stream_ocr.store.history import HistoryReader
from stream_ocr.testing import published_event

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def reader(store, path):
    events = [published_event(n, f"TEXT {n}", track=n, emitted_utc=NOON + n * HOUR) for n in range(5)]
    ended = published_event(5, track=0, kind="ended", end=9.0, emitted_utc=NOON + 5 * HOUR)
    assert store.append([*events, ended], {events[1].id: b"one", events[3].id: b"three"})
    with HistoryReader(path) as reader:
        yield reader


def test_ids_are_those_of_the_span(reader):
    first, last = reader.ids(NOON + HOUR, NOON + 3 * HOUR)
    rows, _ = reader.rows_after(first - 1, 100)
    assert [row.event().text for row in rows if row.id <= last] == ["TEXT 1", "TEXT 2"]
    assert rows[0].published == NOON + HOUR
    first, last = reader.ids(NOON - 2 * HOUR, NOON - HOUR)
    assert first > last


def test_ids_of_a_span_in_which_the_clock_was_set_back(store, path):
    times = [NOON + HOUR, NOON - 2 * HOUR, NOON + 2 * HOUR, NOON + HOUR]
    assert store.append([published_event(n, emitted_utc=time) for n, time in enumerate(times)])
    with HistoryReader(path) as reader:
        first, last = reader.ids(NOON, NOON + 9 * HOUR)
        rows, _ = reader.rows_after(first - 1, 100)
    assert [row.seq for row in rows if row.id <= last] == [0, 1, 2, 3]


def test_ids_with_crop(reader):
    first, last = reader.ids(NOON, NOON + 10 * HOUR)
    with_crop = reader.ids_with_crop(first, last)
    rows, _ = reader.rows_after(first - 1, 100)
    assert [row.event().text for row in rows if row.id in with_crop] == ["TEXT 1", "TEXT 3"]
    assert reader.ids_with_crop(first + 2, first + 2) == set()


def test_neighbours_are_texts(reader):
    assert reader.neighbours(NOON + HOUR, NOON + 2 * HOUR) == (NOON, NOON + 2 * HOUR)
    assert reader.neighbours(NOON, NOON + 4.5 * HOUR) == (None, None)


def test_damaged_index_is_one_sentence(store, path):
    assert store.append([published_event(n, emitted_utc=NOON + n * HOUR) for n in range(500)])
    store.close()
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(8192)
        file.write(b"x" * (size - 8192))
    with HistoryReader(path) as reader, pytest.raises(StoreError, match="cannot be read"):
        reader.ids(NOON, NOON + HOUR)
