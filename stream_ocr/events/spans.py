"""Spans: each text with its first and last time, assembled from events."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stream_ocr.errors import SourceError
from stream_ocr.events import Event, Polygon, TextEvent


@dataclass(frozen=True, slots=True)
class Span:
    """One text of a track, from ``start`` to ``end`` in seconds of media time."""

    stream: str
    track: int
    text: str
    confidence: float
    start: float
    end: float
    first_polygon: Polygon
    last_polygon: Polygon
    overlay: bool = False
    size: tuple[int, int] | None = None  # width, height of the frame

    def polygon_at(self, time_s: float) -> Polygon:
        """Return the position at a media time, interpolated linearly between the first and the last polygon."""
        fraction = (time_s - self.start) / (self.end - self.start) if self.end > self.start else 0.0
        fraction = min(max(fraction, 0.0), 1.0)
        a, b, c, d = (
            (x + fraction * (u - x), y + fraction * (v - y))
            for (x, y), (u, v) in zip(self.first_polygon, self.last_polygon, strict=True)
        )
        return a, b, c, d


class SpanBuilder:
    """Assembles spans from events in the order of their publication."""

    def __init__(self) -> None:
        self._live: dict[tuple[str, int], Span] = {}
        self._latest: dict[str, float] = {}

    def add(self, event: Event) -> Iterator[Span]:
        """Yield the spans that this event completes."""
        if not isinstance(event, TextEvent):
            return
        key = event.stream, event.track
        time_s = event.start if event.end is None else event.end
        self._latest[event.stream] = max(self._latest.get(event.stream, time_s), time_s)
        before = self._live.pop(key, None)
        match event.kind:
            case "appeared" | "changed":
                if before is not None:
                    yield replace(
                        before, end=event.start, last_polygon=_final_polygon(before.last_polygon, event.polygon)
                    )
                self._live[key] = _span(event)
            case "updated":
                known = before or _span(event)
                self._live[key] = replace(
                    known,
                    text=event.text,
                    confidence=event.confidence,
                    last_polygon=event.polygon,
                    overlay=event.overlay,
                )
            case "ended":
                first = event.polygon if before is None else before.first_polygon
                yield replace(_span(event), first_polygon=first, end=time_s)

    def finish(self) -> Iterator[Span]:
        """Yield the spans without an end event; they end at the latest known time of their stream."""
        for span in self._live.values():
            yield replace(span, end=max(span.start, self._latest[span.stream]))
        self._live.clear()


def build_spans(events: Iterable[Event]) -> list[Span]:
    """Return all spans of some events, ordered by start."""
    builder = SpanBuilder()
    complete = [span for event in events for span in builder.add(event)]
    return sorted([*complete, *builder.finish()], key=lambda span: (span.start, span.track))


def events_of_video(events: Sequence[Event], video: Path) -> list[Event]:
    """Return the events of the stream that is named like a video, or all events if there is only one stream.

    Raises SourceError if there are several streams and none is named like the video.
    """
    streams = sorted({event.stream for event in events})
    for name in (str(video), video.name):
        if name in streams:
            return [event for event in events if event.stream == name]
    if len(streams) > 1:
        raise SourceError(f"The events belong to {', '.join(streams)}, not to {video.name}; name one of those videos.")
    return list(events)


def _final_polygon(polygon: Polygon, successor: Polygon) -> Polygon:
    """Return the polygon of a text at the moment at which another text replaces it.

    The text keeps its size. Along each axis it is aligned with its successor at whichever of left (top), centre and
    right (bottom) needs the smallest shift.
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
        first_polygon=event.polygon,
        last_polygon=event.polygon,
        overlay=event.overlay,
        size=event.size,
    )
