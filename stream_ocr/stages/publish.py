"""Publish: from the state of every frame to what happened.

A reading becomes an event when it is sure: clear at once, or the same in two looks, or the best there was when the
text went. What has been said is only taken back for a reason: the pixels changed (``changed``), or the same pixels
were read better (``updated``).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from types import TracebackType
from typing import Any, Literal, Self

from msgspec import structs

from stream_ocr import logging_config
from stream_ocr.bus.journal import Journal, MemoryJournal, open_journal
from stream_ocr.config.settings import Settings
from stream_ocr.core.messages import Message, Published, Reading, Readings, SourceChanged, Stamp, StreamClosed
from stream_ocr.events import Event, Kind, SourceEvent, SourceKind, TextEvent, event_id, quad_to_polygon
from stream_ocr.models.recognition.calibration import calibrate, text_confidence
from stream_ocr.readings.similarity import without_spaces
from stream_ocr.readings.update_policy import echoes, is_rest, ticks, verdict
from stream_ocr.readings.word_filter import is_lone, is_writing
from stream_ocr.sinks import open_sinks
from stream_ocr.sinks.base import Sinks
from stream_ocr.stages.base import Slots, Stage

_CLEAR = 0.9
_PROGRESS_S = 0.5
_WIPING_S = 0.5  # a rest of a text that stays for longer is a text of its own
_ECHO_S = 0.5  # a part of a text that stays for longer than the whole is a text of its own
_TICKS = 3  # figures that changed so often are a display
_LONE, _SHORT, _GLIMPSED = 0.97, 0.8, 0.75
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SOURCE_KINDS: Mapping[str, SourceKind] = {"up": "source.up", "down": "source.down", "gap": "source.gap"}


@dataclass(slots=True)
class _Told:
    """What is known and what has been said of one track."""

    latest: Reading
    said: Reading | None = None
    cut_s: float | None = None  # since when only a rest of what was said is to be seen
    echo_s: float = float("-inf")  # when it was last seen to be a part of a text that is told
    ticks: int = 0
    overlay: bool = False
    crop: bytes | None = None  # of this view


@dataclass(slots=True)
class _Stream:
    tracks: dict[int, _Told] = field(default_factory=dict)
    frames: int = 0
    last: Stamp | None = None
    last_progress_s: float = float("-inf")


class PublishStage(Stage):
    """Turns readings into events, commits them to the journal, gives them to the sinks, and tells the caller.

    journal: by default one that counts and keeps nothing.
    """

    def __init__(self, settings: Settings, sinks: Sinks, journal: Journal | None = None) -> None:
        self._settings, self._sinks, self._journal = settings, sinks, journal or MemoryJournal()
        self._streams: dict[str, _Stream] = {}
        self._crops: dict[str, bytes] = {}  # by id of the event, until it is committed

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            entered.enter_context(self._journal)
            entered.enter_context(self._sinks)
            self._entered = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.__exit__(kind, error, trace)

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        """``Published`` whenever there is news, and now and then when there is none."""
        heard = [(message, list(self._events(message))) for message in batch]
        committed = iter(self._journal.commit([event for _, events in heard for event in events], self._crops))
        self._crops = {}
        for message, events in heard:
            yield from self._publish(message, list(islice(committed, len(events))))

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        self._streams.pop(closed.stream, None)
        self._journal.close_stream(closed.stream)
        yield closed.with_counts(sink_failures=self._sinks.failures)

    def _events(self, message: Message) -> Iterator[Event]:
        """What follows from a message, numbered."""
        if isinstance(message, Readings):
            stream = self._streams.setdefault(message.stamp.stream, _Stream())
            yield from self._miss(stream, message)
            for reading in message.readings:
                yield from self._hear(stream, message, reading)
            stream.last = message.stamp
        elif isinstance(message, SourceChanged):
            yield self._source_event(message)

    def _publish(self, message: Message, events: Sequence[Event]) -> Iterator[Published]:
        """Hand on what has been committed."""
        for event in events:
            self._sinks.write(event)
        texts = tuple(event for event in events if isinstance(event, TextEvent))
        sources = tuple(event for event in events if isinstance(event, SourceEvent))
        if isinstance(message, Readings):
            name, time_s = message.stamp.stream, message.stamp.time_s
            stream = self._streams[name]
            stream.frames += 1
            if events or time_s - stream.last_progress_s >= _PROGRESS_S:
                stream.last_progress_s = time_s
                places = tuple((t, told.latest.quad) for t, told in stream.tracks.items() if told.said is not None)
                yield Published(name, stream.frames, time_s, texts, sources, message.stamp.captured_ns, places)
        elif isinstance(message, SourceChanged):
            frames = self._streams.setdefault(message.stream, _Stream()).frames
            yield Published(message.stream, frames, message.start_s, (), sources)

    def _miss(self, stream: _Stream, message: Readings) -> Iterator[TextEvent]:
        """What is not told of any more ended unseen, with the last frame that told of it: its tracker was replaced."""
        told = {reading.track for reading in message.readings}
        for track in [track for track in stream.tracks if track not in told]:
            assert stream.last is not None, "it has told of the track"
            latest = structs.replace(stream.tracks[track].latest, end_s=stream.last.end_s)
            yield from self._hear(stream, message, latest)

    def _hear(self, stream: _Stream, message: Readings, reading: Reading) -> Iterator[TextEvent]:
        told = stream.tracks.get(reading.track)
        if told is None:
            told = stream.tracks[reading.track] = _Told(reading)
        if reading.revision != told.latest.revision and reading.start_s > told.latest.start_s:
            yield from self._say(message, told, told.latest, reading.start_s)  # the last chance of the view before
        told.crop = reading.crop or (told.crop if reading.revision == told.latest.revision else None)
        told.latest = reading
        if self._sure(reading) or reading.end_s is not None:
            known = (reading.end_s, reading.hidden_s, message.stamp.time_s)
            yield from self._say(message, told, reading, next(time_s for time_s in known if time_s is not None))
        if reading.overlay and not told.overlay and told.said is not None:
            told.overlay = True
            yield self._event(message, "updated", told, told.said.text, reading)
        if reading.end_s is not None:
            del stream.tracks[reading.track]
            if told.said is not None:
                end_s = reading.end_s if told.cut_s is None else told.cut_s
                yield self._event(message, "ended", told, None, structs.replace(reading, end_s=end_s))

    def _sure(self, reading: Reading) -> bool:
        return reading.crops_read > 0 and (reading.confidence >= _CLEAR or reading.crops_read >= 2)

    def _say(self, message: Readings, told: _Told, reading: Reading, until_s: float) -> Iterator[TextEvent]:
        """Say what a reading, which held until then, adds to what was said of its track, if anything."""
        said = told.said
        if said is not None and _same(said, reading):  # which is so in nearly all frames
            return
        if not self._worth_saying(reading) or (said is None and self._is_echo(message.stamp, told, until_s)):
            return
        if said is not None and is_rest(said, reading) and until_s - reading.start_s < _WIPING_S:
            told.cut_s = reading.start_s if told.cut_s is None else told.cut_s
            return
        told.cut_s = None
        kind: Kind | Literal["nothing"] = "appeared" if said is None else verdict(said, reading)
        if kind == "nothing":
            return
        told.said = reading
        told.ticks += said is not None and kind == "changed" and ticks(said, reading)
        told.overlay |= told.ticks >= _TICKS
        if said is not None and kind == "updated" and said.start_s < reading.start_s:
            told.said = structs.replace(reading, start_s=said.start_s, start_quad=said.start_quad)
        event = self._event(message, kind, told, said.text if said else None, reading)
        if told.crop is not None:
            self._crops[event.id] = told.crop
        yield event

    def _is_echo(self, stamp: Stamp, told: _Told, until_s: float) -> bool:
        for other in self._streams[stamp.stream].tracks.values():
            if other.said is None or other.latest.hidden_s is not None:
                continue
            if echoes(told.latest, other.latest, other.said.text):
                told.echo_s = stamp.time_s
        return until_s - told.echo_s < _ECHO_S

    def _worth_saying(self, reading: Reading) -> bool:
        events = self._settings.events
        characters = len(without_spaces(reading.text))
        if characters < events.min_characters or not is_writing(reading.text):
            return False
        if is_lone(reading.text):
            return reading.confidence >= _LONE and reading.crops_read >= 2 and self._clear(reading)
        least = _SHORT if characters < 4 else _GLIMPSED if reading.crops_read < 2 else 0
        return reading.confidence >= least and self._clear(reading)

    def _clear(self, reading: Reading) -> bool:
        """Whether the settings let it be reported."""
        characters = self._calibrated(reading)
        return text_confidence(characters) ** (1 / len(characters)) >= self._settings.events.min_confidence

    def _calibrated(self, reading: Reading) -> tuple[float, ...]:
        temperature = self._settings.recognition.temperature
        return reading.char_confidences if temperature is None else calibrate(reading.char_confidences, temperature)

    def _event(self, message: Readings, kind: Kind, told: _Told, previous: str | None, now: Reading) -> TextEvent:
        stamp, name, said = message.stamp, message.stamp.stream, told.said
        assert said is not None, "only what has been said is told of"
        end_s = now.end_s if kind == "ended" else None
        characters = self._calibrated(said)
        return TextEvent(
            id=event_id(
                name, now.track, kind, now.revision, now.crops_read, round(said.start_s, 6), said.text, previous
            ),
            seq=self._journal.number(name),
            kind=kind,
            stream=name,
            track=now.track,
            text=said.text,
            confidence=text_confidence(characters),
            char_confidences=characters,
            start=said.start_s,
            end=end_s,
            start_utc=_utc(stamp, said.start_s),
            end_utc=None if end_s is None else _utc(stamp, end_s),
            utc_source=stamp.utc_source,
            polygon=quad_to_polygon(now.start_quad if kind in ("appeared", "changed") else now.quad),
            size=message.size,
            previous=previous,
            emitted_utc=datetime.now(UTC),
            durable=self._journal.durable,
            overlay=told.overlay,
        )

    def _source_event(self, change: SourceChanged) -> SourceEvent:
        return SourceEvent(
            id=event_id(change.stream, change.kind, change.epoch, round(change.start_s, 6), change.reason),
            seq=self._journal.number(change.stream),
            kind=_SOURCE_KINDS[change.kind],
            stream=change.stream,
            start=change.start_s,
            end=change.end_s,
            frames=change.frames,
            reason=change.reason,
            emitted_utc=datetime.now(UTC),
            start_utc=None if change.utc_ns is None else _datetime(change.utc_ns),
            durable=self._journal.durable,
        )


def _same(one: Reading, other: Reading) -> bool:
    return (one.revision, one.crops_read, one.text) == (other.revision, other.crops_read, other.text)


def _utc(stamp: Stamp, time_s: float) -> datetime | None:
    """UTC of a media time, by the clock of a frame that is not far away."""
    return None if stamp.utc_ns is None else _datetime(stamp.utc_ns) + timedelta(seconds=time_s - stamp.time_s)


def _datetime(unix_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=unix_ns // 1000)


def build(settings: Mapping[str, Any], rings: Mapping[str, Slots], *, sinks: Sequence[str] = ()) -> PublishStage:
    """The stage for a worker process. sinks: paths, their kind told by the suffix; those of the settings come to it."""
    assert not rings, "publish sees no pixels"
    typed = Settings.model_validate(settings)
    logging_config.configure(typed)
    return PublishStage(typed, open_sinks(sinks, typed), open_journal(typed))
