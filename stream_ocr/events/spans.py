"""Spans: the events of a text put together, from the frame that first shows it to the last."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stream_ocr.errors import SourceError
from stream_ocr.events import Event, Polygon, TextEvent


@dataclass(frozen=True, slots=True)
class Span:
    """One text in one place, from ``start`` to ``end`` in media seconds."""

    stream: str
    track: int
    text: str
    confidence: float
    start: float
    end: float
    first: Polygon
    last: Polygon

    def polygon_at(self, time_s: float) -> Polygon:
        """Where the text is at that time, on the straight way from its first to its last place."""
        share = (time_s - self.start) / (self.end - self.start) if self.end > self.start else 0.0
        share = min(max(share, 0.0), 1.0)
        a, b, c, d = (
            (x + share * (u - x), y + share * (v - y)) for (x, y), (u, v) in zip(self.first, self.last, strict=True)
        )
        return a, b, c, d


class Spans:
    """Gathers spans from events as they come."""

    def __init__(self) -> None:
        self._live: dict[tuple[str, int], Span] = {}
        self._latest: dict[str, float] = {}

    def add(self, event: Event) -> Iterator[Span]:
        """The spans that are complete with this event."""
        if not isinstance(event, TextEvent):
            return
        key = event.stream, event.track
        time_s = event.start if event.end is None else event.end
        self._latest[event.stream] = max(self._latest.get(event.stream, time_s), time_s)
        before = self._live.pop(key, None)
        match event.kind:
            case "appeared" | "changed":
                if before is not None:
                    yield replace(before, end=event.start, last=_carried(before.last, event.polygon))
                self._live[key] = _span(event)
            case "updated":
                known = before or _span(event)
                self._live[key] = replace(known, text=event.text, confidence=event.confidence, last=event.polygon)
            case "ended":
                first = event.polygon if before is None else before.first
                yield replace(_span(event), first=first, end=time_s)

    def rest(self) -> Iterator[Span]:
        """Spans whose end never came, as if all had ended with the last that is known of their stream."""
        for span in self._live.values():
            yield replace(span, end=max(span.start, self._latest[span.stream]))
        self._live.clear()


def spans(events: Iterable[Event]) -> list[Span]:
    """All spans of these events, by start."""
    gathered = Spans()
    found = [span for event in events for span in gathered.add(event)]
    return sorted([*found, *gathered.rest()], key=lambda span: (span.start, span.track))


def of_video(events: Sequence[Event], video: Path) -> list[Event]:
    """The events of that video: of the stream with its name, or all where there is only one stream.

    Raises SourceError when there are several streams and none has the name of the video.
    """
    streams = sorted({event.stream for event in events})
    for name in (str(video), video.name):
        if name in streams:
            return [event for event in events if event.stream == name]
    if len(streams) > 1:
        raise SourceError(f"The events are of {', '.join(streams)}, and not of {video.name}; name one of those videos.")
    return list(events)


def _carried(polygon: Polygon, successor: Polygon) -> Polygon:
    """Where a text has come to when another takes its place: of its own size, and aligned as that one is.

    What they have in common, a side or the middle, is what moved least.
    """
    moves = []
    for axis in (0, 1):
        old, new = ([corner[axis] for corner in each] for each in (polygon, successor))
        low, high = min(new) - min(old), max(new) - max(old)
        moves.append(min(low, (low + high) / 2, high, key=abs))
    a, b, c, d = ((x + moves[0], y + moves[1]) for x, y in polygon)
    return a, b, c, d


def _span(event: TextEvent) -> Span:
    return Span(
        stream=event.stream,
        track=event.track,
        text=event.text,
        confidence=event.confidence,
        start=event.start,
        end=event.start,
        first=event.polygon,
        last=event.polygon,
    )
