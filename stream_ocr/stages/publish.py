"""Publish stage: builds events from readings, commits them to the journal and writes them to the sinks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Any, Self

from stream_ocr import logging_config
from stream_ocr.bus.journal import Journal, MemoryJournal, open_journal
from stream_ocr.config.settings import Settings
from stream_ocr.core.messages import Message, Published, Readings, SourceChanged, StreamClosed
from stream_ocr.events import Event, SourceEvent, TextEvent
from stream_ocr.readings.event_builder import EventBuilder, build_source_event
from stream_ocr.readings.left_open import LeftOpen
from stream_ocr.sinks import open_sinks
from stream_ocr.sinks.base import Sinks
from stream_ocr.stages.base import Slots, Stage
from stream_ocr.stages.thresholds import PUBLISH


@dataclass(slots=True)
class _Stream:
    """State of one stream.

    left_open: texts of the predecessor. assignment: of the source to this host of a fleet. frames: number of frames so
    far. last_progress_s: media time of the last ``Published``.
    """

    builder: EventBuilder
    left_open: LeftOpen
    assignment: int | None
    frames: int = 0
    last_progress_s: float = float("-inf")


class PublishStage(Stage):
    """Turns readings into events, commits them to the journal, writes them to the sinks, and reports them."""

    def __init__(
        self, settings: Settings, sinks: Sinks, journal: Journal | None = None, *, resumes: bool = False
    ) -> None:
        """Create the stage. journal: by default one that numbers events and keeps none.

        resumes: this is the successor of a stage that died in the same run; texts that are gone meanwhile are ended.
        """
        self._resumes = resumes
        self._settings, self._sinks, self._journal = settings, sinks, journal or MemoryJournal()
        self._streams: dict[str, _Stream] = {}

    def __enter__(self) -> Self:
        """Open the journal and the sinks."""
        with ExitStack() as entered:
            entered.enter_context(self._journal)
            entered.enter_context(self._sinks)
            self._entered = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the sinks and the journal."""
        self._entered.__exit__(kind, error, trace)

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        """Yield ``Published`` for messages with events, and now and then for frames without any."""
        crops: dict[str, bytes] = {}  # by id of the event
        built = [(message, list(self._build_events(message, crops))) for message in batch]
        committed = iter(self._journal.commit([event for _, events in built for event in events], crops))
        for message, events in built:
            for event in events:
                if event.id in crops:
                    self._sinks.set_crop(event.id, crops[event.id])
            yield from self._publish(message, list(islice(committed, len(events))))

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        """Forget a stream and yield its ``StreamClosed``, after the ends of texts that a predecessor left open."""
        if self._resumes:
            yield from self.process([closed])
        self._streams.pop(closed.stream, None)
        self._journal.close_stream(closed.stream)
        yield closed.with_counts(sink_failures=self._sinks.failures)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Apply other minima and corrections of the sources."""
        self._settings = Settings.model_validate(settings)
        for name, stream in self._streams.items():
            stream.builder.configure(self._settings.for_stream(name))

    def _build_events(self, message: Message, crops: dict[str, bytes]) -> Iterator[Event]:
        """Yield the numbered events that follow from a message, and add their crops."""
        if isinstance(message, Readings):
            stream = self._stream(message.stamp.stream, message.stamp.origin_s)
            yield from stream.left_open.end_missing(message)
            for event, crop in stream.builder.update(message):
                if crop is not None:
                    crops[event.id] = crop
                yield event
        elif isinstance(message, SourceChanged):
            yield from self._stream(message.stream).left_open.end_missing(message)
            yield build_source_event(
                message,
                self._journal.next_seq(message.stream),
                durable=self._journal.durable,
                assignment=self._stream(message.stream).assignment,
            )
        elif isinstance(message, StreamClosed):
            yield from self._stream(message.stream).left_open.end_missing(message)

    def _publish(self, message: Message, events: Sequence[Event]) -> Iterator[Published]:
        """Write committed events to the sinks and report them."""
        for event in events:
            self._sinks.write(event)
        texts = tuple(event for event in events if isinstance(event, TextEvent))
        sources = tuple(event for event in events if isinstance(event, SourceEvent))
        if isinstance(message, Readings):
            name, time_s = message.stamp.stream, message.stamp.time_s
            stream = self._stream(name, message.stamp.origin_s)
            stream.frames += 1
            if events or time_s - stream.last_progress_s >= PUBLISH.progress_interval_s:
                stream.last_progress_s = time_s
                positions = stream.builder.positions
                yield Published(
                    name,
                    stream.frames,
                    time_s,
                    texts,
                    sources,
                    message.stamp.captured_ns,
                    positions,
                    message.stamp.origin_s,
                )
        elif isinstance(message, SourceChanged):
            frames = self._stream(message.stream).frames
            yield Published(message.stream, frames, message.start_s, texts, sources)
        elif isinstance(message, StreamClosed) and texts:
            yield Published(message.stream, self._stream(message.stream).frames, message.end_s, texts)

    def _stream(self, name: str, origin_s: float = 0.0) -> _Stream:
        stream = self._streams.get(name)
        if stream is None:
            next_seq = partial(self._journal.next_seq, name)
            source = self._settings.sources.get(name)
            assignment = None if source is None else source.assignment
            builder = EventBuilder(
                self._settings.for_stream(name), next_seq, durable=self._journal.durable, assignment=assignment
            )
            left_open = LeftOpen(
                self._journal.take_left_open(name) if self._resumes else (), next_seq, assignment=assignment
            )
            stream = self._streams[name] = _Stream(builder, left_open, assignment)
            self._sinks.set_origin(name, origin_s)
        return stream


def build(
    settings: Mapping[str, Any], rings: Mapping[str, Slots], *, sinks: Sequence[str] = (), incarnation: int = 0
) -> PublishStage:
    """Return the stage for a worker process.

    sinks: paths of further sinks, whose suffix determines their kind. incarnation: number of restarts so far.
    """
    assert not rings, "the publish stage uses no pixels"
    typed = Settings.model_validate(settings)
    logging_config.configure(typed)
    return PublishStage(typed, open_sinks(sinks, typed), open_journal(typed), resumes=incarnation > 0)
