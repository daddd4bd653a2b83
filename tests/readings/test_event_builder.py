"""The event builder: appeared, updated, changed and ended, with readings that are scripted frame by frame."""

from datetime import UTC, datetime
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from readings.scripted_events import SIZE, build_events, summary

from stream_ocr.config.settings import Settings
from stream_ocr.core.geometry import rectangle, to_flat
from stream_ocr.core.messages import Readings, Rest, Stamp
from stream_ocr.readings.event_builder import EventBuilder
from stream_ocr.testing import reading


def test_event_builder_reports_the_start_and_the_end_of_a_text() -> None:
    events = build_events(
        reading(start_s=-0.2, x=25, start_x=20),
        reading("GATE 4", start_s=-0.2, x=25, start_x=20),
        reading("GATE 4", start_s=-0.2, x=40, start_x=20),
        reading("GATE 4", start_s=-0.2, x=50, start_x=20, end_s=0.1),
    )
    appeared, ended = events
    assert summary(events) == [("appeared", "GATE 4"), ("ended", "GATE 4")]
    assert (appeared.start, appeared.end, appeared.previous) == (-0.2, None, None)
    assert (ended.start, ended.end, ended.previous) == (-0.2, 0.1, None)
    assert appeared.polygon[0] == (20, 300), "where it was in its first frame"
    assert ended.polygon[0] == (50, 300), "where it was last"
    assert (appeared.track, appeared.stream, appeared.size, appeared.utc_source) == (1, "clip.mp4", SIZE, "file")
    assert appeared.char_confidences == (0.95,) * 6


def test_event_builder_places_a_text_that_flies_in_and_out_where_it_rests() -> None:
    rest = Rest(to_flat(rectangle(60, 300, 200, 30)), 0.4, 2.0)
    text = structs.replace(reading("GATE 4", x=60, start_x=20), rest=rest)
    last = structs.replace(reading("GATE 4", x=95, start_x=20, end_s=2.3), rest=rest)
    assert [event.polygon[0] for event in build_events(text, last)] == [(60, 300), (60, 300)]


def test_event_builder_places_a_text_that_rests_long_after_its_start_where_it_started() -> None:
    rest = Rest(to_flat(rectangle(60, 300, 200, 30)), 1.4, 2.0)
    text = structs.replace(reading("GATE 4", x=60, start_x=20), rest=rest)
    last = structs.replace(reading("GATE 4", x=95, start_x=20, end_s=3.3), rest=rest)
    assert [event.polygon[0] for event in build_events(text, last)] == [(20, 300), (95, 300)]


def test_event_builder_reports_a_better_reading_of_the_same_pixels_as_updated() -> None:
    events = build_events(
        reading("CATE 4", 0.9),
        reading("GATE 4", 0.97, crops_read=2, x=90),
        reading("GATE 4", 0.98, crops_read=3, x=95),
        reading("GATE 4", 0.98, crops_read=3, end_s=2.0),
    )
    assert summary(events) == [("appeared", "CATE 4"), ("updated", "GATE 4"), ("ended", "GATE 4")]
    assert [event.previous for event in events] == [None, "CATE 4", None]
    assert {event.start for event in events} == {0.0}
    assert events[1].polygon[0] == (90, 300), "where it is now"


def test_event_builder_reports_another_text_in_other_pixels_as_changed() -> None:
    events = build_events(
        reading("Good morning"),
        reading("", revision=1, start_s=1.0, x=60, start_x=55),
        reading("The train is late", revision=1, start_s=1.0, x=62, start_x=55),
        reading("The train is late", revision=1, start_s=1.0, end_s=2.0),
    )
    assert summary(events) == [
        ("appeared", "Good morning"),
        ("changed", "The train is late"),
        ("ended", "The train is late"),
    ]
    assert [(event.start, event.end, event.previous) for event in events] == [
        (0.0, None, None),
        (1.0, None, "Good morning"),
        (1.0, 2.0, None),
    ]
    assert events[1].polygon[0] == (55, 300), "where it was in the first frame of the new text"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("12:01", "12:02"),
        ("12:34:56", "12:34:57"),
        ("Chapter 1", "Chapter 11"),
        ("Chapter 1", "Chapter 2"),
        ("HOME 3 : 2 GUESTS", "HOME 3 : 3 GUESTS"),
        ("PLATFORM 7", "PLATFORM 77"),
        ("1 234.50", "1 234.05"),
        ("LEFT", "LIFT"),
        ("Good morning", "Good evening"),
    ],
)
def test_event_builder_distinguishes_similar_texts(before: str, after: str) -> None:
    for one, other in ((before, after), (after, before)):
        events = build_events(reading(one), *[reading(other, revision=1, start_s=0.04)] * 15)
        assert summary(events) == [("appeared", one), ("changed", other)]
        assert events[1].previous == one
        assert events[1].start == 0.04


@pytest.mark.parametrize("rest", ["by the sea", "A day by"])
def test_event_builder_ignores_the_remnant_of_a_text_that_is_wiped_out(rest: str) -> None:
    whole, left = reading("A day by the sea"), reading(rest, revision=1, start_s=0.04)
    hidden = structs.replace(left, hidden_s=0.2)
    events = build_events(whole, *[left] * 4, *[hidden] * 20, structs.replace(left, end_s=0.2))
    assert summary(events) == [("appeared", "A day by the sea"), ("ended", "A day by the sea")]
    assert events[1].end == 0.04, "when it was cut"


def test_event_builder_ends_a_text_that_was_partly_covered_when_it_ends() -> None:
    whole, left = reading("A day by the sea"), reading("A day by", revision=1, start_s=0.04)
    again = reading("A day by the sea", revision=2, start_s=0.2)
    events = build_events(whole, *[left] * 4, *[again] * 20, structs.replace(again, end_s=1.0))
    assert summary(events) == [("appeared", "A day by the sea"), ("ended", "A day by the sea")]
    assert events[1].end == 1.0


def test_event_builder_ignores_a_fragment_of_a_reported_text() -> None:
    whole = reading("MUSEUM")
    half = structs.replace(reading("IUSEUM", track=2), quad=to_flat(rectangle(20, 314, 200, 16)))
    line = structs.replace(reading("MUSEUM", track=3), quad=to_flat(rectangle(20, 325, 200, 30)))
    events = build_events(*[[whole, half, line]] * 5)
    assert [(event.track, event.text) for event in events] == [(1, "MUSEUM"), (3, "MUSEUM")]


def test_event_builder_reports_a_similar_text_in_the_place_of_a_hidden_one() -> None:
    gone = structs.replace(reading("Chapter 1"), hidden_s=0.04)
    events = build_events([reading("Chapter 1")], *[[gone, reading("Chapter 11", track=2, start_s=0.04)]] * 5)
    assert summary(events) == [("appeared", "Chapter 1"), ("appeared", "Chapter 11")]


def test_event_builder_reports_a_shorter_text_that_stays_as_changed() -> None:
    whole, shorter = reading("PLATFORM 77"), reading("PLATFORM 7", revision=1, start_s=0.04)
    events = build_events(whole, *[shorter] * 20, structs.replace(shorter, end_s=0.84))
    assert summary(events) == [("appeared", "PLATFORM 77"), ("changed", "PLATFORM 7"), ("ended", "PLATFORM 7")]


def test_event_builder_reports_an_overlay_once_it_is_detected() -> None:
    logo = reading("NEWS 24")
    known = structs.replace(logo, overlay=True)
    events = build_events(*[logo] * 3, *[known] * 3, structs.replace(known, end_s=0.2))
    assert [(event.kind, event.overlay) for event in events] == [
        ("appeared", False),
        ("updated", True),
        ("ended", True),
    ]


def test_event_builder_marks_a_counter_as_overlay() -> None:
    events = build_events(*(reading(f"12:00:0{n}", revision=n, start_s=n * 0.04) for n in range(6)))
    assert [event.overlay for event in events] == [False, False, False, True, True, True]
    others = build_events(
        *(reading(f"GATE {letter}", revision=n, start_s=n * 0.04) for n, letter in enumerate("ABCDEF"))
    )
    assert not any(event.overlay for event in others)


def test_event_builder_ignores_a_new_revision_with_the_same_text() -> None:
    events = build_events(
        reading("GATE 4"),
        reading("", revision=1, start_s=1.0),
        reading("GATE 4", 0.99, revision=1, start_s=1.0, end_s=2.0),
    )
    assert summary(events) == [("appeared", "GATE 4"), ("ended", "GATE 4")]
    assert (events[1].start, events[1].end) == (0.0, 2.0)


def test_event_builder_reports_each_change_of_alternating_texts() -> None:
    texts = ["OPEN", "CLOSED", "OPEN", "CLOSED"]
    events = build_events(*(reading(text, revision=n, start_s=float(n)) for n, text in enumerate(texts)))
    assert summary(events) == [("appeared", "OPEN"), *(("changed", text) for text in texts[1:])]
    assert [event.previous for event in events] == [None, *texts[:-1]]


def test_event_builder_takes_min_characters_from_the_settings() -> None:
    texts = [reading("A B", track=1), reading("ABC", track=2)]
    assert summary(build_events(texts, settings=["events.min_characters=3"])) == [("appeared", "ABC")]


def test_event_builder_reports_nothing_without_a_reading() -> None:
    assert build_events(reading(), reading(end_s=1.0)) == []


def test_event_builder_keeps_tracks_apart() -> None:
    events = build_events(
        [reading("GATE 4", track=1), reading("PLATFORM 7", track=2, start_s=0.0)],
        [reading("GATE 4", track=1, end_s=0.04), reading("PLATFORM 7", track=2)],
        [reading("PLATFORM 7", track=2, end_s=0.08)],
    )
    assert [(event.track, event.kind) for event in events] == [
        (1, "appeared"),
        (2, "appeared"),
        (1, "ended"),
        (2, "ended"),
    ]


def test_event_builder_gives_deterministic_ids() -> None:
    frames = reading("CATE 4"), reading("GATE 4", crops_read=2), reading("GATE 4", crops_read=2, end_s=0.5)
    assert [event.id for event in build_events(*frames)] == [event.id for event in build_events(*frames)]


def test_event_builder_gives_unique_ids_to_alternating_readings() -> None:
    frames = [reading("GATE 4" if n % 2 else "GATE A", 0.9 + n / 100, crops_read=n + 1) for n in range(5)]
    assert [event.kind for event in build_events(*frames)] == ["appeared", *["updated"] * 4]


def test_event_builder_reports_a_growing_text_as_updated() -> None:
    later = {"revision": 1, "start_s": 0.4}
    events = build_events(reading("THE PEACH OPE"), reading("THE PEACH OPEN MOVIE", **later), reading("", **later))
    assert summary(events)[:2] == [("appeared", "THE PEACH OPE"), ("updated", "THE PEACH OPEN MOVIE")]
    assert events[1].start == 0.0


def test_event_builder_reports_a_text_that_grows_late_as_changed() -> None:
    later = {"revision": 1, "start_s": 4.0}
    events = build_events(reading("THE PEACH"), reading("THE PEACH OPEN MOVIE", **later))
    assert summary(events) == [("appeared", "THE PEACH"), ("changed", "THE PEACH OPEN MOVIE")]


def test_event_builder_takes_utc_from_the_frames() -> None:
    builder = EventBuilder(Settings.load(), count().__next__)
    events = []
    for seq in range(3):
        utc_ns = 1_700_000_000_000_000_000 + seq * 40_000_000
        stamp = Stamp("gate", 2, seq, 100 + seq, (1, 25), 1, 0, utc_ns, "rtcp")
        end_s = 4.12 if seq == 2 else None
        readings = Readings(stamp, SIZE, (reading("GATE 4", start_s=3.0, end_s=end_s),))
        events += [event for event, _ in builder.update(readings)]
    appeared, ended = events
    assert (appeared.utc_source, ended.utc_source) == ("rtcp", "rtcp")
    assert appeared.start_utc == ended.start_utc == datetime.fromtimestamp(1_700_000_000 - 1.0, UTC)
    assert appeared.end_utc is None
    assert ended.end_utc == datetime.fromtimestamp(1_700_000_000.12, UTC)


@given(
    st.lists(
        st.tuples(st.sampled_from(["CNBC", "CNEC", "CNBC LIVE", "NBC"]), st.integers(50, 99), st.integers(0, 2)),
        min_size=1,
        max_size=12,
    )
)
def test_event_builder_reports_only_better_readings_as_updated(shown: list[tuple[str, int, int]]) -> None:
    frames, revision = [], 0
    for crops_read, (text, percent, step) in enumerate(shown, start=1):
        revision += step == 2
        frames.append(reading(text, percent / 100, revision=revision, start_s=revision / 25, crops_read=crops_read))
    events = build_events(*frames)
    for before, event in pairwise(events):
        if event.kind == "updated":
            longer = before.text in event.text and len(event.text) > len(before.text)
            assert longer or event.confidence > before.confidence, events


def test_event_builder_continues_a_text_that_another_track_took_up() -> None:
    """The tracker loses a text on a flash and finds it again as another track: still one text."""
    before = structs.replace(reading("GATE 4"), hidden_s=0.04)
    after = structs.replace(reading("GATE 4", 0.98, track=2, start_s=0.12, revision=3))
    moved_on = structs.replace(after, revision=4, start_s=0.8, text="GATE 7")
    events = build_events(
        reading("GATE 4"),
        before,
        [before, reading(track=2, start_s=0.12, revision=3)],
        [before, after],
        [structs.replace(before, end_s=0.04), after],
        after,
        moved_on,
        structs.replace(moved_on, end_s=1.2),
    )
    assert summary(events) == [("appeared", "GATE 4"), ("changed", "GATE 7"), ("ended", "GATE 7")]
    assert [event.track for event in events] == [1, 1, 1]
    assert [event.start for event in events] == [0.0, 0.8, 0.8]


def test_event_builder_continues_a_text_whose_marks_are_read_differently() -> None:
    before = structs.replace(reading("qu'il aurait"), hidden_s=0.04)
    after = reading("qu il aurait", 0.9, track=2, start_s=0.12)
    better = structs.replace(reading("qu'il aurait", 0.97, track=2, revision=1, start_s=0.9))
    events = build_events(
        reading("qu'il aurait"), before, [before, after], after, better, structs.replace(better, end_s=1.2)
    )
    assert summary(events) == [("appeared", "qu'il aurait"), ("ended", "qu'il aurait")]
    assert (events[1].start, events[1].end) == (0.0, 1.2)


def test_event_builder_continues_a_text_in_the_frame_in_which_its_first_track_ends() -> None:
    before, after = structs.replace(reading("GATE 4"), hidden_s=0.04), reading("GATE 4", track=2, start_s=0.12)
    ended = structs.replace(before, end_s=0.04)
    events = build_events(reading("GATE 4"), before, [after, ended], after, structs.replace(after, end_s=0.5))
    assert summary(events) == [("appeared", "GATE 4"), ("ended", "GATE 4")]


def test_event_builder_ends_a_continued_text_before_its_first_track() -> None:
    before = structs.replace(reading("GATE 4"), hidden_s=0.04)
    after = reading("GATE 4", track=2, start_s=0.04)
    events = build_events(
        reading("GATE 4"),
        [before, after],
        [before, structs.replace(after, end_s=0.08)],
        structs.replace(before, end_s=0.04),
    )
    assert summary(events) == [("appeared", "GATE 4"), ("ended", "GATE 4")]
    assert events[1].end == 0.08


@pytest.mark.parametrize(
    "again",
    [
        reading("GATE 4", track=2, start_s=0.5),  # after a pause
        reading("GATE 4", track=2, start_s=0.04, x=300, start_x=300),  # beside it
        reading("GATE 5", track=2, start_s=0.04),
    ],
)
def test_event_builder_reports_a_text_that_starts_later_or_elsewhere_or_reads_differently(again) -> None:
    gone = structs.replace(reading("GATE 4"), hidden_s=0.04)
    events = build_events(reading("GATE 4"), [gone, again], [structs.replace(gone, end_s=0.04), again])
    assert summary(events) == [("appeared", "GATE 4"), ("appeared", again.text), ("ended", "GATE 4")]


@pytest.mark.parametrize(("x", "kinds"), [(180, ["appeared", "ended"]), (60, ["appeared", "appeared", "ended"])])
def test_event_builder_continues_a_text_that_moves_where_it_is_expected(x: float, kinds: list[str]) -> None:
    seen = reading("GATE 4", x=100, start_x=20)  # 80 pixels in 0.8 seconds
    gone = structs.replace(seen, hidden_s=0.8)
    again = reading("GATE 4", track=2, start_s=1.6, x=x, start_x=x)
    events = build_events(seen, gone, [gone, again], again, structs.replace(again, end_s=2.0))
    assert [event.kind for event in events if event.track == 1 or event.kind == "appeared"] == kinds


@pytest.mark.parametrize(
    ("text", "x", "kinds"),
    [
        ("2025-02-04", 100, ["appeared", "ended"]),
        ("2025-02-04", 180, ["appeared", "appeared", "ended"]),  # too far
        ("GATE 4", 100, ["appeared", "appeared", "ended"]),  # too short
    ],
)
def test_event_builder_continues_a_long_text_that_jumps(text: str, x: float, kinds: list[str]) -> None:
    """A title begins to fly out, 80 pixels from one frame to the next; it is 30 pixels high."""
    seen = reading(text)
    gone = structs.replace(seen, hidden_s=0.8)
    again = reading(text, track=2, start_s=0.8, x=x, start_x=x)
    events = build_events(seen, gone, [gone, again], again, structs.replace(again, end_s=2.0))
    assert [event.kind for event in events if event.track == 1 or event.kind == "appeared"] == kinds
