"""The publish stage: streams, numbers, progress, the store and source events. Readings are scripted."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from stream_ocr.bus.journal import open_journal
from stream_ocr.config.settings import Settings
from stream_ocr.core.messages import Published, Reading, Readings, SourceChanged, Stamp, StreamClosed
from stream_ocr.events import TextEvent
from stream_ocr.sinks.base import Sinks
from stream_ocr.stages.publish import PublishStage
from stream_ocr.store.reader import StoreReader
from stream_ocr.testing import reading

FRAME_S = 0.04
START_UTC = datetime(2026, 5, 4, 12, tzinfo=UTC)
SIZE = (640, 360)


def messages(frames: Sequence[Sequence[Reading]], stream: str = "clip.mp4") -> Iterator[Readings]:
    """Yield one message per frame, 25 per second."""
    for seq, readings in enumerate(frames):
        yield Readings(Stamp(stream, 0, seq, seq, (1, 25), 1, 0, None, "file"), SIZE, tuple(readings))


def at_utc(messages: Iterator[Readings]) -> Iterator[Readings]:
    """Yield the messages of a camera whose media time 0 is ``START_UTC``."""
    for message in messages:
        utc_ns = int((START_UTC.timestamp() + message.stamp.time_s) * 1e9)
        yield structs.replace(message, stamp=structs.replace(message.stamp, utc_ns=utc_ns, utc_source="rtcp"))


def summary(events: Sequence[TextEvent]) -> list[tuple[str, str]]:
    """Return (kind, text) of each event."""
    return [(event.kind, event.text) for event in events]


def test_publish_stage_keeps_streams_apart() -> None:
    stage = PublishStage(Settings.load(), Sinks([]))
    frames = [[reading("GATE 4")], [reading("GATE 4", end_s=0.04)]]
    batch = [m for pair in zip(messages(frames, "a"), messages(frames, "b"), strict=True) for m in pair]
    with stage:
        outputs = [message for message in stage.process(batch) if isinstance(message, Published)]
    for stream in "ab":
        events = [event for message in outputs if message.stream == stream for event in message.events]
        assert summary(events) == [("appeared", "GATE 4"), ("ended", "GATE 4")]
        assert [event.seq for event in events] == [0, 1]
        assert {event.stream for event in events} == {stream}
    assert len({event.id for message in outputs for event in message.events}) == 4


def test_publish_stage_reports_progress_without_events() -> None:
    stage = PublishStage(Settings.load(), Sinks([]))
    with stage:
        outputs = [m for m in stage.process(list(messages([[]] * 51))) if isinstance(m, Published)]
        closed = StreamClosed("clip.mp4", "end", 0.0, 2.04, {"frames": 51})
        assert list(stage.close(closed)) == [closed.with_counts(sink_failures=0)]
    assert [(message.frames, message.events) for message in outputs] == [(1 + n, ()) for n in (0, 13, 26, 39)]
    assert [message.time_s for message in outputs] == pytest.approx([0.0, 0.52, 1.04, 1.56])


def test_publish_stage_numbers_source_events_with_the_others() -> None:
    stage = PublishStage(Settings.load(), Sinks([]))
    changes = [
        SourceChanged("gate", "up", 0, 0.0, utc_ns=1_700_000_000_000_000_000),
        SourceChanged("gate", "gap", 0, 1.0, 3.5, 61, "Too slow."),
        SourceChanged("gate", "down", 0, 4.0, reason="The camera ended the stream."),
    ]
    with stage:
        outputs = [message for change in changes for message in stage.process([change])]
        (closed,) = stage.close(StreamClosed("gate", "interrupted", 0.0, 4.0, {}))
    events = [event for message in outputs for event in message.source_events]
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


def test_publish_stage_stores_the_crop_of_a_text_with_its_event(tmp_path) -> None:
    settings = Settings.load(overrides=[f"store.path={tmp_path}/events.db", "store.crops=true"])
    frames = [
        structs.replace(reading("GATE 4"), crop=b"gate"),
        reading("GATE 4"),
        structs.replace(reading("EXIT", revision=1, start_s=0.08), crop=b"exit"),
        reading("EXIT", revision=2, start_s=0.12),
        reading("GATE 5", revision=3, start_s=0.16),
        reading("GATE 5", revision=3, start_s=0.16, end_s=0.24),
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


def test_publish_stage_continues_the_numbers_of_the_store(tmp_path) -> None:
    settings = Settings.load(overrides=[f"store.path={tmp_path}/events.db"])
    frames = [reading("GATE 4"), reading("GATE 4", end_s=0.04)]
    published = []
    for _ in range(2):
        with PublishStage(settings, Sinks([]), open_journal(settings)) as stage:
            outputs = list(stage.process(list(messages([[frame] for frame in frames]))))
            published += [event for message in outputs if isinstance(message, Published) for event in message.events]
    assert [event.seq for event in published] == [0, 1, 2, 3]
    assert {event.durable for event in published} == {True}
    with StoreReader(tmp_path / "events.db") as store:
        assert list(store.events()) == published


def test_successor_ends_the_texts_that_are_gone_and_reports_the_others_again(tmp_path) -> None:
    settings = Settings.load(overrides=[f"store.path={tmp_path}/events.db"])
    both = [structs.replace(reading(text), track=track) for track, text in ((1, "GATE 4"), (2, "EXIT"))]
    with PublishStage(settings, Sinks([]), open_journal(settings)) as stage:  # and no StreamClosed: it dies
        list(stage.process(list(at_utc(messages([both])))))
    with PublishStage(settings, Sinks([]), open_journal(settings), resumes=True) as stage:
        gap = SourceChanged("clip.mp4", "gap", 0, 0.0, 0.04, reason="The publish worker was replaced.")
        left, *rest = list(at_utc(messages([[both[1]]] * 3)))[1:]
        outputs = list(stage.process([gap, left, *rest]))
    published = [event for message in outputs if isinstance(message, Published) for event in message.events]
    assert [(event.kind, event.track, event.text) for event in published] == [
        ("ended", 1, "GATE 4"),
        ("appeared", 2, "EXIT"),
    ]
    assert (published[0].start, published[0].end) == (0.0, FRAME_S)
    assert (published[0].start_utc, published[0].end_utc) == (START_UTC, START_UTC + timedelta(seconds=FRAME_S))
    assert [event.seq for event in published] == [3, 4], "the gap has number 2"


def test_successor_ends_all_texts_if_the_source_is_down(tmp_path) -> None:
    settings = Settings.load(overrides=[f"store.path={tmp_path}/events.db"])
    with PublishStage(settings, Sinks([]), open_journal(settings)) as stage:
        list(stage.process(list(messages([[reading("GATE 4")]]))))
    with PublishStage(settings, Sinks([]), open_journal(settings), resumes=True) as stage:
        (output,) = stage.process([SourceChanged("clip.mp4", "down", 0, 4.0, reason="It is off.")])
    assert isinstance(output, Published)
    assert [(event.kind, event.end) for event in output.events] == [("ended", 4.0)]
    assert [event.kind for event in output.source_events] == ["source.down"]


def test_successor_ends_all_texts_if_nothing_but_the_end_of_the_stream_follows(tmp_path) -> None:
    settings = Settings.load(overrides=[f"store.path={tmp_path}/events.db"])
    with PublishStage(settings, Sinks([]), open_journal(settings)) as stage:
        list(stage.process(list(messages([[reading("GATE 4")]]))))
    closed = StreamClosed("clip.mp4", "end", 0.0, 2.0, {"frames": 50})
    with PublishStage(settings, Sinks([]), open_journal(settings), resumes=True) as stage:
        output, last = stage.close(closed)
    assert isinstance(output, Published)
    assert [(event.kind, event.seq, event.end) for event in output.events] == [("ended", 1, 2.0)]
    assert last == closed.with_counts(sink_failures=0)
    with StoreReader(tmp_path / "events.db") as store:
        assert summary([event for event in store.events() if isinstance(event, TextEvent)]) == [
            ("appeared", "GATE 4"),
            ("ended", "GATE 4"),
        ]


def test_next_run_ends_no_texts_of_a_run_that_died(tmp_path) -> None:
    settings = Settings.load(overrides=[f"store.path={tmp_path}/events.db"])
    published = []
    for frames in ([[reading("GATE 4")]], [[]]):
        with PublishStage(settings, Sinks([]), open_journal(settings)) as stage:
            outputs = list(stage.process(list(messages(frames))))
            published += [event for message in outputs if isinstance(message, Published) for event in message.events]
    assert summary(published) == [("appeared", "GATE 4")], "its media times are of another clock"
