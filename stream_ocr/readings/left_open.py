"""Texts that were on screen when the last publisher of a run died: those that are gone meanwhile are ended.

Their end fell into the time without a publisher, in which messages are lost. The tracker does not list them any more,
and nobody else knows of them.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import structs

from stream_ocr.core.messages import Message, Readings, SourceChanged, StreamClosed
from stream_ocr.events import TextEvent, event_id


class LeftOpen:
    """Texts of one stream without an ``ended``. Empty after the first message that tells which are still there."""

    def __init__(
        self, events: Sequence[TextEvent], next_seq: Callable[[], int], *, assignment: int | None = None
    ) -> None:
        """events: the latest of each text. next_seq, assignment: as for ``EventBuilder``."""
        self._events, self._next_seq, self._assignment = tuple(events), next_seq, assignment

    def end_missing(self, message: Message) -> Iterator[TextEvent]:
        """Yield ``ended`` for the texts that a frame does not list, or for all if the source is down or closed.

        Their end is that time: when they were seen last is not known.
        """
        if not self._events:
            return
        if isinstance(message, Readings):
            listed: Collection[int] = {reading.track for reading in message.readings}
            time_s = message.stamp.time_s
        elif isinstance(message, SourceChanged) and message.kind == "down":
            listed, time_s = (), message.start_s
        elif isinstance(message, StreamClosed):
            listed, time_s = (), message.end_s
        else:
            return
        left, self._events = self._events, ()
        for event in left:
            if event.track not in listed:
                yield self._ended(event, max(event.start, time_s))

    def _ended(self, event: TextEvent, end_s: float) -> TextEvent:
        facts = (event.track, "ended", "left open", event.start, event.text)
        start_utc = event.start_utc
        return structs.replace(
            event,
            id=event_id(event.stream, *facts, assignment=self._assignment),
            seq=self._next_seq(),
            kind="ended",
            end=end_s,
            end_utc=None if start_utc is None else start_utc + timedelta(seconds=end_s - event.start),
            previous=None,
            emitted_utc=datetime.now(UTC),
        )
