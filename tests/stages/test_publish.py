"""What is said of readings that are scripted frame by frame."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from msgspec import structs

from stream_ocr.bus.journal import open_journal
from stream_ocr.config.settings import Settings
from stream_ocr.core.geometry import rectangle, to_flat
from stream_ocr.core.messages import Published, Reading, Readings, SourceChanged, Stamp, StreamClosed
from stream_ocr.events import TextEvent
from stream_ocr.sinks.base import Sinks
from stream_ocr.stages.publish import PublishStage
from stream_ocr.store.reader import StoreReader

FRAME_S = 0.04
SIZE = (640, 360)


def reading(
    text: str = "",
    confidence: float = 0.95,
    *,
    view: int = 0,
    start_s: float = 0.0,
    end_s: float | None = None,
    looks: int = 1,
    track: int = 1,
    x: float = 20,
    start_x: float = 20,
) -> Reading:
    quad, start_quad = to_flat(rectangle(x, 300, 200, 30)), to_flat(rectangle(start_x, 300, 200, 30))
    looks = looks if text else 0
    characters = (confidence,) * len(text)
    confidence = confidence if text else 0.0
    return Reading(track, quad, view, start_s, start_quad, end_s, text, confidence, characters, looks)


def messages(frames: Sequence[Sequence[Reading]], stream: str = "clip.mp4") -> Iterator[Readings]:
    """One message for each frame, 25 of them a second."""
    for seq, readings in enumerate(frames):
        yield Readings(Stamp(stream, 0, seq, seq, (1, 25), 1, 0, None, "file"), SIZE, tuple(readings))


def publish(*frames: Sequence[Reading] | Reading, settings: Sequence[str] = ()) -> list[TextEvent]:
    """The events of frames; each is what is read in it."""
    stage = PublishStage(Settings.load(overrides=settings), Sinks([]))
    listed = [[frame] if isinstance(frame, Reading) else frame for frame in frames]
    with stage:
        told = list(stage.process(list(messages(listed))))
    events = [event for message in told if isinstance(message, Published) for event in message.events]
    assert [event.seq for event in events] == list(range(len(events)))
    assert len({event.id for event in events}) == len(events)
    return events


def said(events: Sequence[TextEvent]) -> list[tuple[str, str]]:
    return [(event.kind, event.text) for event in events]


def test_a_text_appears_and_ends() -> None:
    events = publish(
        reading(start_s=-0.2, x=25, start_x=20),
        reading("GATE 4", start_s=-0.2, x=25, start_x=20),
        reading("GATE 4", start_s=-0.2, x=40, start_x=20),
        reading("GATE 4", start_s=-0.2, x=50, start_x=20, end_s=0.1),
    )
    appeared, ended = events
    assert said(events) == [("appeared", "GATE 4"), ("ended", "GATE 4")]
    assert (appeared.start, appeared.end, appeared.previous) == (-0.2, None, None)
    assert (ended.start, ended.end, ended.previous) == (-0.2, 0.1, None)
    assert appeared.polygon[0] == (20, 300), "where it was in its first frame"
    assert ended.polygon[0] == (50, 300), "where it was last"
    assert (appeared.track, appeared.stream, appeared.size, appeared.utc_source) == (1, "clip.mp4", SIZE, "file")
    assert appeared.char_confidences == (0.95,) * 6


def test_what_is_clear_is_said_at_the_first_look() -> None:
    assert said(publish(reading("GATE 4", 0.9))) == [("appeared", "GATE 4")]


def test_what_is_not_clear_waits_for_a_second_look() -> None:
    assert publish(reading("GATE 4", 0.85), reading("GATE 4", 0.85)) == []
    assert said(publish(reading("GATE 4", 0.85), reading("GATE 4", 0.85, looks=2))) == [("appeared", "GATE 4")]


def test_what_is_not_clear_is_said_when_the_text_goes() -> None:
    events = publish(reading("GATE 4", 0.8), reading("GATE 4", 0.8, end_s=1.0))
    assert said(events) == [("appeared", "GATE 4"), ("ended", "GATE 4")]


def test_what_is_not_clear_is_said_when_its_view_goes() -> None:
    events = publish(
        reading("Good morning", 0.8),
        reading("", view=1, start_s=1.0),
        reading("The train is late", view=1, start_s=1.0),
    )
    assert said(events) == [("appeared", "Good morning"), ("changed", "The train is late")]
    assert [event.start for event in events] == [0.0, 1.0]


def test_a_better_reading_of_the_same_pixels_is_an_update() -> None:
    events = publish(
        reading("CATE 4", 0.9),
        reading("GATE 4", 0.97, looks=2, x=90),
        reading("GATE 4", 0.98, looks=3, x=95),
        reading("GATE 4", 0.98, looks=3, end_s=2.0),
    )
    assert said(events) == [("appeared", "CATE 4"), ("updated", "GATE 4"), ("ended", "GATE 4")]
    assert [event.previous for event in events] == [None, "CATE 4", None]
    assert {event.start for event in events} == {0.0}
    assert events[1].polygon[0] == (90, 300), "where it is now"


def test_other_pixels_with_another_text_are_a_change() -> None:
    events = publish(
        reading("Good morning"),
        reading("", view=1, start_s=1.0, x=60, start_x=55),
        reading("The train is late", view=1, start_s=1.0, x=62, start_x=55),
        reading("The train is late", view=1, start_s=1.0, end_s=2.0),
    )
    assert said(events) == [
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
def test_texts_that_nearly_agree_stay_apart(before: str, after: str) -> None:
    for one, other in ((before, after), (after, before)):
        events = publish(reading(one), *[reading(other, view=1, start_s=0.04)] * 15)
        assert said(events) == [("appeared", one), ("changed", other)]
        assert events[1].previous == one
        assert events[1].start == 0.04


@pytest.mark.parametrize("rest", ["by the sea", "A day by"])
def test_what_is_left_of_a_text_that_is_wiped_out_is_no_text(rest: str) -> None:
    whole, left = reading("A day by the sea"), reading(rest, view=1, start_s=0.04)
    hidden = structs.replace(left, hidden_s=0.2)
    events = publish(whole, *[left] * 4, *[hidden] * 20, structs.replace(left, end_s=0.2))
    assert said(events) == [("appeared", "A day by the sea"), ("ended", "A day by the sea")]
    assert events[1].end == 0.04, "when it was cut"


def test_a_text_that_was_covered_for_a_moment_ends_when_it_ends() -> None:
    whole, left = reading("A day by the sea"), reading("A day by", view=1, start_s=0.04)
    again = reading("A day by the sea", view=2, start_s=0.2)
    events = publish(whole, *[left] * 4, *[again] * 20, structs.replace(again, end_s=1.0))
    assert said(events) == [("appeared", "A day by the sea"), ("ended", "A day by the sea")]
    assert events[1].end == 1.0


def test_what_is_read_of_a_half_of_the_letters_of_a_text_is_no_text() -> None:
    whole = reading("MUSEUM")
    half = structs.replace(reading("IUSEUM", track=2), quad=to_flat(rectangle(20, 314, 200, 16)))
    line = structs.replace(reading("MUSEUM", track=3), quad=to_flat(rectangle(20, 325, 200, 30)))
    events = publish(*[[whole, half, line]] * 5)
    assert [(event.track, event.text) for event in events] == [(1, "MUSEUM"), (3, "MUSEUM")]


def test_what_comes_where_a_text_has_gone_is_another_one() -> None:
    gone = structs.replace(reading("Chapter 1"), hidden_s=0.04)
    events = publish([reading("Chapter 1")], *[[gone, reading("Chapter 11", track=2, start_s=0.04)]] * 5)
    assert said(events) == [("appeared", "Chapter 1"), ("appeared", "Chapter 11")]


def test_a_shorter_text_that_stays_is_another_one() -> None:
    whole, shorter = reading("PLATFORM 77"), reading("PLATFORM 7", view=1, start_s=0.04)
    events = publish(whole, *[shorter] * 20, structs.replace(shorter, end_s=0.84))
    assert said(events) == [("appeared", "PLATFORM 77"), ("changed", "PLATFORM 7"), ("ended", "PLATFORM 7")]


def test_an_overlay_is_said_to_be_one_as_soon_as_that_is_known() -> None:
    logo = reading("NEWS 24")
    known = structs.replace(logo, overlay=True)
    events = publish(*[logo] * 3, *[known] * 3, structs.replace(known, end_s=0.2))
    assert [(event.kind, event.overlay) for event in events] == [
        ("appeared", False),
        ("updated", True),
        ("ended", True),
    ]


def test_figures_that_go_on_changing_are_a_display() -> None:
    events = publish(*(reading(f"12:00:0{n}", view=n, start_s=n * 0.04) for n in range(6)))
    assert [event.overlay for event in events] == [False, False, False, True, True, True]
    others = publish(*(reading(f"GATE {letter}", view=n, start_s=n * 0.04) for n, letter in enumerate("ABCDEF")))
    assert not any(event.overlay for event in others)


@pytest.mark.parametrize(
    ("text", "misread"),
    [
        ("Good morning everybody", "Good mornlng everybody"),
        ("Good morning everybody", "Good moming everybody"),
        ("Good morning everybody", "Goodmorning everybody"),
        ("ROOM 101", "ROOM IO1"),
        ("GATE 4", "GATE4"),
    ],
)
def test_a_misread_letter_is_no_change(text: str, misread: str) -> None:
    later = {"view": 1, "start_s": 1.0}
    unsure = publish(reading(text, 0.97), reading(misread, 0.88, **later), reading(misread, 0.88, end_s=2.0, **later))
    assert said(unsure) == [("appeared", text), ("ended", text)]
    assert unsure[-1].start == 0.0
    surer = publish(
        reading(misread, 0.88, looks=2), reading(text, 0.97, **later), reading(text, 0.97, end_s=2.0, **later)
    )
    assert said(surer) == [("appeared", misread), ("updated", text), ("ended", text)]
    assert {event.start for event in surer} == {0.0}, "the text has been there all the time"


def test_the_same_text_in_a_new_view_is_no_news() -> None:
    events = publish(
        reading("GATE 4"), reading("", view=1, start_s=1.0), reading("GATE 4", 0.99, view=1, start_s=1.0, end_s=2.0)
    )
    assert said(events) == [("appeared", "GATE 4"), ("ended", "GATE 4")]
    assert (events[1].start, events[1].end) == (0.0, 2.0)


def test_a_text_that_comes_back_is_a_change_each_time() -> None:
    texts = ["OPEN", "CLOSED", "OPEN", "CLOSED"]
    events = publish(*(reading(text, view=n, start_s=float(n)) for n, text in enumerate(texts)))
    assert said(events) == [("appeared", "OPEN"), *(("changed", text) for text in texts[1:])]
    assert [event.previous for event in events] == [None, *texts[:-1]]


@pytest.mark.parametrize("looks", [1, 3])
def test_low_confidence_is_not_published(looks: int) -> None:
    assert publish(reading("GATE 4", 0.54, looks=looks), reading("GATE 4", 0.54, looks=looks, end_s=1.0)) == []


def test_the_least_confidence_is_a_setting() -> None:
    frames = reading("GATE 4", 0.55, looks=2), reading("GATE 4", 0.55, looks=2, end_s=1.0)
    assert said(publish(*frames, settings=["events.min_confidence=0.5"])) == [
        ("appeared", "GATE 4"),
        ("ended", "GATE 4"),
    ]


def test_an_unsure_change_does_not_unsay_what_was_sure() -> None:
    events = publish(
        reading("GATE 4"),
        reading("6ATF 1", 0.4, looks=3, view=1, start_s=1.0),
        reading("6ATF 1", 0.4, looks=3, view=1, start_s=1.0, end_s=2.0),
    )
    assert said(events) == [("appeared", "GATE 4"), ("ended", "GATE 4")]


def test_a_single_unsure_glimpse_is_not_said() -> None:
    assert publish(reading("QYWWII", 0.7), reading("QYWWII", 0.7, end_s=1.0)) == []


def test_a_row_of_dots_is_no_text() -> None:
    assert publish(reading("y.........", 0.99), reading("y.........", 0.99, end_s=1.0)) == []


def test_one_wrong_letter_is_mended_though_the_mean_hardly_moves() -> None:
    def line(text: str, weakest: float) -> Reading:
        sure = (0.99,) * 8 + (weakest,)
        return structs.replace(reading(text, 0.97), char_confidences=sure)

    events = publish(line("OPEN FILF", 0.8), line("OPEN FILE", 0.99))
    assert said(events) == [("appeared", "OPEN FILF"), ("updated", "OPEN FILE")]


def test_lone_characters_need_two_sure_looks() -> None:
    assert publish(reading("I", 0.96, looks=3)) == []
    assert publish(reading("I", 0.99, looks=1)) == []
    assert publish(reading(" I ", 0.96, looks=3)) == []
    assert publish(reading("mm", 0.96, looks=2)) == [], "a row of windows"
    assert said(publish(reading("7", 0.99, looks=2))) == [("appeared", "7")]
    assert said(publish(reading("22", 0.96, looks=2))) == [("appeared", "22")]


def test_the_least_length_is_a_setting() -> None:
    texts = [reading("A B", track=1), reading("ABC", track=2)]
    assert said(publish(texts, settings=["events.min_characters=3"])) == [("appeared", "ABC")]


def test_what_was_never_read_is_never_mentioned() -> None:
    assert publish(reading(), reading(end_s=1.0)) == []


def test_texts_do_not_mix() -> None:
    events = publish(
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


def test_streams_do_not_mix() -> None:
    stage = PublishStage(Settings.load(), Sinks([]))
    frames = [[reading("GATE 4")], [reading("GATE 4", end_s=0.04)]]
    batch = [m for pair in zip(messages(frames, "a"), messages(frames, "b"), strict=True) for m in pair]
    with stage:
        told = [message for message in stage.process(batch) if isinstance(message, Published)]
    for stream in "ab":
        events = [event for message in told if message.stream == stream for event in message.events]
        assert said(events) == [("appeared", "GATE 4"), ("ended", "GATE 4")]
        assert [event.seq for event in events] == [0, 1]
        assert {event.stream for event in events} == {stream}
    assert len({event.id for message in told for event in message.events}) == 4


def test_ids_are_the_same_each_time() -> None:
    frames = reading("CATE 4"), reading("GATE 4", looks=2), reading("GATE 4", looks=2, end_s=0.5)
    assert [event.id for event in publish(*frames)] == [event.id for event in publish(*frames)]


def test_readings_that_go_to_and_fro_have_ids_of_their_own() -> None:
    frames = [reading("GATE 4" if n % 2 else "GATE A", looks=n + 1) for n in range(5)]
    assert [event.kind for event in publish(*frames)] == ["appeared", *["updated"] * 4]


def test_progress_is_told_though_nothing_happens() -> None:
    stage = PublishStage(Settings.load(), Sinks([]))
    with stage:
        told = [m for m in stage.process(list(messages([[]] * 51))) if isinstance(m, Published)]
        closed = StreamClosed("clip.mp4", "end", 0.0, 2.04, {"frames": 51})
        assert list(stage.close(closed)) == [closed.with_counts(sink_failures=0)]
    assert [(message.frames, message.events) for message in told] == [(1 + n, ()) for n in (0, 13, 26, 39)]
    assert [message.time_s for message in told] == pytest.approx([0.0, 0.52, 1.04, 1.56])


def test_a_text_that_was_read_before_it_was_whole_is_updated() -> None:
    later = {"view": 1, "start_s": 0.4}
    events = publish(reading("THE PEACH OPE"), reading("THE PEACH OPEN MOVIE", **later), reading("", **later))
    assert said(events)[:2] == [("appeared", "THE PEACH OPE"), ("updated", "THE PEACH OPEN MOVIE")]
    assert events[1].start == 0.0


def test_a_text_that_is_longer_much_later_has_changed() -> None:
    later = {"view": 1, "start_s": 4.0}
    events = publish(reading("THE PEACH"), reading("THE PEACH OPEN MOVIE", **later))
    assert said(events) == [("appeared", "THE PEACH"), ("changed", "THE PEACH OPEN MOVIE")]


def test_utc_comes_from_the_clock_of_the_frames() -> None:
    stage = PublishStage(Settings.load(), Sinks([]))
    with stage:
        told = []
        for seq in range(3):
            stamp = Stamp(
                "gate", 2, seq, 100 + seq, (1, 25), 1, 0, 1_700_000_000_000_000_000 + seq * 40_000_000, "rtcp"
            )
            end_s = 4.12 if seq == 2 else None
            told += stage.process([Readings(stamp, SIZE, (reading("GATE 4", start_s=3.0, end_s=end_s),))])
    appeared, ended = (event for message in told for event in message.events)
    assert (appeared.utc_source, ended.utc_source) == ("rtcp", "rtcp")
    assert appeared.start_utc == ended.start_utc == datetime.fromtimestamp(1_700_000_000 - 1.0, UTC)
    assert appeared.end_utc is None
    assert ended.end_utc == datetime.fromtimestamp(1_700_000_000.12, UTC)


def test_changes_of_a_source_are_events_and_counted_with_the_others() -> None:
    stage = PublishStage(Settings.load(), Sinks([]))
    changes = [
        SourceChanged("gate", "up", 0, 0.0, utc_ns=1_700_000_000_000_000_000),
        SourceChanged("gate", "gap", 0, 1.0, 3.5, 61, "Too slow."),
        SourceChanged("gate", "down", 0, 4.0, reason="The camera ended the stream."),
    ]
    with stage:
        told = [message for change in changes for message in stage.process([change])]
        (closed,) = stage.close(StreamClosed("gate", "interrupted", 0.0, 4.0, {}))
    events = [event for message in told for event in message.source_events]
    assert [event.kind for event in events] == ["source.up", "source.gap", "source.down"]
    assert [event.seq for event in events] == [0, 1, 2]
    assert [(event.start, event.end, event.frames) for event in events] == [
        (0.0, None, None),
        (1.0, 3.5, 61),
        (4.0, None, None),
    ]
    assert events[0].start_utc == datetime.fromtimestamp(1_700_000_000, UTC)
    assert events[2].reason == "The camera ended the stream."
    assert len({event.id for event in events}) == 3
    assert closed.reason == "interrupted"


def test_the_picture_that_a_text_was_read_from_is_kept_with_its_event(tmp_path) -> None:
    settings = Settings.load(overrides=[f"store.path={tmp_path}/events.db", "store.crops=true"])
    frames = [
        structs.replace(reading("GATE 4"), crop=b"gate"),
        reading("GATE 4"),
        structs.replace(reading("EXIT", view=1, start_s=0.08), crop=b"exit"),
        reading("EXIT", view=2, start_s=0.12),
        reading("GATE 5", view=3, start_s=0.16),
        reading("GATE 5", view=3, start_s=0.16, end_s=0.24),
    ]
    with PublishStage(settings, Sinks([]), open_journal(settings)) as stage:
        list(stage.process(list(messages([[frame] for frame in frames]))))
    with StoreReader(tmp_path / "events.db") as store:
        kept = [(event.kind, event.text, store.crop(event.stream, event.seq)) for event in store.events()]
    assert kept == [
        ("appeared", "GATE 4", b"gate"),
        ("changed", "EXIT", b"exit"),
        ("changed", "GATE 5", None),
        ("ended", "GATE 5", None),
    ]


def test_numbers_go_on_where_the_store_stands(tmp_path) -> None:
    settings = Settings.load(overrides=[f"store.path={tmp_path}/events.db"])
    frames = [reading("GATE 4"), reading("GATE 4", end_s=0.04)]
    published = []
    for _ in range(2):
        with PublishStage(settings, Sinks([]), open_journal(settings)) as stage:
            told = list(stage.process(list(messages([[frame] for frame in frames]))))
            published += [event for message in told if isinstance(message, Published) for event in message.events]
    assert [event.seq for event in published] == [0, 1, 2, 3]
    assert {event.durable for event in published} == {True}
    with StoreReader(tmp_path / "events.db") as store:
        assert list(store.events()) == published
