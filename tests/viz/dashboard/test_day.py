"""Texts of a day from a store and from the buffer: their times, pages, filters and numbers by hour."""

import sqlite3
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta

import pytest
from viz.dashboard.day_events import DAY, DELAY, DayEvents, at

from stream_ocr.config.settings import Settings
from stream_ocr.viz.dashboard.day import DayQuery, count_hours, read_page
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.dashboard.history_sources import open_history
from stream_ocr.viz.thresholds import DASHBOARD

WHOLE = DayQuery(DAY, DAY + timedelta(days=1))


@pytest.fixture
def made():
    return DayEvents()


@pytest.fixture(params=["store", "buffer"])
def opened(request, made, tmp_path):
    """Return a context with the source of the events made so far."""

    @contextmanager
    def opened():
        buffer, settings = EventBuffer(), Settings()
        if request.param == "store":
            path = tmp_path / "events.db"
            settings = Settings.load(None, [f"store.path={path if path.exists() else made.write_store(path)}"])
        else:
            buffer.add(made.events())
        with open_history(settings, buffer) as source:
            yield source

    return opened


def query(**fields):
    return DayQuery(**{"since": WHOLE.since, "until": WHOLE.until, **fields})


def all_pages(source, **fields):
    pages = [read_page(source, query(**fields))]
    while pages[-1].next is not None:
        pages.append(read_page(source, query(**{**fields, "after": pages[-1].next})))
    return pages


def all_hours(source, **fields):
    counts: Counter[int] = Counter()
    answer = count_hours(source, query(**fields))
    while True:
        counts.update(dict(answer.hours))
        if answer.next is None:
            return dict(counts)
        answer = count_hours(source, query(**{**fields, "after": answer.next}))


def test_texts_have_their_times_and_final_readings(made, opened):
    made.show("EXIT", at(9), None, track=70)
    made.add("appeared", "GATF 4", at(10), at(10) + DELAY, track=71)
    made.add("updated", "GATE 4", at(10), at(10, 0, 2), track=71, confidence=0.99, previous="GATF 4")
    made.add("changed", "GATE 5", at(10, 0, 7), at(10, 0, 7.3), track=71, previous="GATE 4")
    end_s = (at(10, 0, 9) - DAY).total_seconds()
    made.add("ended", "GATE 5", at(10, 0, 7), at(10, 0, 9.3), track=71, end=end_s)
    with opened() as source:
        (page,) = all_pages(source)
    exit_, four, five = page.texts
    assert (exit_.text, exit_.start_utc, exit_.end, exit_.end_utc, exit_.on_screen) == ("EXIT", at(9), None, None, True)
    assert (four.text, four.confidence, four.start_utc, four.end_utc) == ("GATE 4", 0.99, at(10), at(10, 0, 7))
    assert (five.text, five.previous, five.end_utc) == ("GATE 5", "GATE 4", at(10, 0, 9))
    assert (four.on_screen, four.previous, four.crop_seq) == (False, None, None)


def test_text_without_an_end_before_the_next_start_of_its_camera_has_none(made, opened):
    made.show("LOST", at(8), None, track=1)
    made.show("KEPT", at(8), None, track=1, stream="yard")
    made.come_up("gate", at(9))
    made.show("AGAIN", at(9, 1), 5.0, track=1)
    with opened() as source:
        (page,) = all_pages(source)
    found = {text.text: (text.end is None, text.on_screen) for text in page.texts}
    assert found == {"LOST": (True, False), "KEPT": (True, True), "AGAIN": (False, False)}


def test_assignments_of_a_fleet_do_not_share_tracks(made, opened):
    made.add("appeared", "FIRST", at(8), at(8), track=1, id="1-00000000000000aa")
    made.add("appeared", "SECOND", at(8, 1), at(8, 1), track=1, id="2-00000000000000bb")
    end_s = (at(8, 5) - DAY).total_seconds()
    made.add("ended", "FIRST", at(8), at(8, 5), track=1, id="1-00000000000000cc", end=end_s)
    with opened() as source:
        (page,) = all_pages(source)
    assert [(text.text, text.end_utc) for text in page.texts] == [("FIRST", at(8, 5)), ("SECOND", None)]


def test_pages_have_each_text_once(made, opened):
    count = 2 * DASHBOARD.day_texts + 77
    for n in range(count):
        made.show(f"TEXT {n}", at(0, 0, n * 20), 3.0, stream=f"camera {n % 3}")
    with opened() as source:
        pages = all_pages(source)
        assert sum(all_hours(source).values()) == count
        one = all_pages(source, stream="camera 1")
    texts = [text for page in pages for text in page.texts]
    assert [text.text for text in texts] == [f"TEXT {n}" for n in range(count)]
    assert all(text.end == text.start + 3.0 for text in texts)
    assert [text.text for page in one for text in page.texts] == [f"TEXT {n}" for n in range(1, count, 3)]


def test_answers_examine_a_bounded_number_of_events(made, tmp_path):
    made.show("STAYS", at(0), None)
    for n in range(30_000):
        made.show(f"TEXT {n}", at(1, 0, n), 0.5, stream="yard")
    settings = Settings.load(None, [f"store.path={made.write_store(tmp_path / 'events.db')}"])
    with open_history(settings, EventBuffer()) as source:
        nothing = read_page(source, query(text="nowhere"))
        assert nothing.texts == []
        assert nothing.next == DASHBOARD.day_events, "more may follow"
        first, later = read_page(source, query(until=at(1))), all_pages(source, text="nowhere")
        assert (first.texts[0].text, first.texts[0].on_screen) == ("STAYS", True)
        assert len(later) == 4
        assert count_hours(source, WHOLE).next == DASHBOARD.day_count_events
        assert sum(all_hours(source).values()) == 30_001


def test_filter_ignores_case_and_knows_the_final_reading(made, opened):
    made.add("appeared", "GATF 4", at(10), at(10), track=71)
    made.add("updated", "STRASSE 4", at(10), at(10, 0, 2), track=71, previous="GATF 4")
    made.show("EXIT", at(11))
    with opened() as source:
        assert [text.text for page in all_pages(source, text="straße") for text in page.texts] == ["STRASSE 4"]
        assert [page.texts for page in all_pages(source, text="gatf")] == [[]]


def test_hours_count_by_the_first_frame_unless_the_clock_of_the_camera_is_wrong(made, opened):
    made.show("JUST BEFORE", at(12, 59, 59.9))
    made.show("TOMORROW'S", at(24))
    made.show("YESTERDAY'S", at(0) - timedelta(seconds=0.1))
    made.add("appeared", "FAST CLOCK", at(20), at(15), track=90, utc_source="rtcp")
    made.add("appeared", "SLOW CLOCK", at(2), at(16), track=91, utc_source="rtcp")
    made.add("appeared", "OLD FILE", at(0) - timedelta(days=900), at(17), track=92, utc_source="file")
    with opened() as source:
        assert all_hours(source) == {12: 1, 15: 2, 17: 1}
        (page,) = all_pages(source)
        (hour,) = all_pages(source, since=at(12), until=at(13))
    times = {text.text: text.start_utc for text in page.texts}
    assert times["FAST CLOCK"] == at(15)
    assert times["SLOW CLOCK"] == at(15, 59)
    assert times["OLD FILE"] == at(17)
    assert [text.text for text in hour.texts] == ["JUST BEFORE"]


def test_first_answer_about_hours_names_cameras_and_neighbours(made, opened):
    made.show("BEFORE", at(0) - timedelta(days=3), stream="yard")
    made.show("NOW", at(12))
    made.show("AFTER", at(24) + timedelta(days=2))
    with opened() as source:
        counts = count_hours(source, WHOLE)
        empty = count_hours(source, query(since=at(0) - timedelta(days=1), until=at(0)))
    assert counts.streams == ["gate", "yard"]
    assert (counts.earlier, counts.later) == (at(0) - timedelta(days=3) + DELAY, at(24) + timedelta(days=2) + DELAY)
    assert (empty.hours, empty.next, empty.later) == ([], None, at(12) + DELAY)


def test_crop_is_that_of_the_latest_reading(made, tmp_path):
    made.add("appeared", "WITF", at(9), at(9), track=70, crop=True)
    made.add("updated", "WITH", at(9), at(9, 0, 1), track=70, crop=True)
    made.add("updated", "WITH", at(9), at(9, 0, 2), track=70, overlay=True)
    made.show("WITHOUT", at(10))
    settings = Settings.load(None, [f"store.path={made.write_store(tmp_path / 'events.db')}"])
    with open_history(settings, EventBuffer()) as source:
        (page,) = all_pages(source)
    assert [(text.text, text.crop_seq) for text in page.texts] == [("WITH", 1), ("WITHOUT", None)]


def test_damaged_events_are_left_out(made, tmp_path):
    for n in range(3):
        made.show(f"TEXT {n}", at(9, n))
    path = made.write_store(tmp_path / "events.db")
    with sqlite3.connect(path) as db:
        db.execute("UPDATE events SET json = X'7B' WHERE id = 3")
    db.close()
    with open_history(Settings.load(None, [f"store.path={path}"]), EventBuffer()) as source:
        (page,) = all_pages(source)
    assert [text.text for text in page.texts] == ["TEXT 0", "TEXT 2"]
