"""The texts on the screen, followed by events."""

import msgspec

from stream_ocr.events import Event, Polygon, TextEvent


class VisibleText(msgspec.Struct, frozen=True):
    """A text that is on screen."""

    track: int
    text: str
    confidence: float
    start: float
    polygon: Polygon


class StreamState(msgspec.Struct, frozen=True):
    """The texts on screen after event ``seq`` of a stream."""

    stream: str
    seq: int
    texts: tuple[VisibleText, ...]


def visible_text(event: TextEvent) -> VisibleText:
    """Return the text that an event is about."""
    return VisibleText(event.track, event.text, event.confidence, event.start, event.polygon)


def apply_event(state: StreamState | None, event: Event) -> StreamState:
    """Return the state after an event. A source that came up, or a lower ``seq``, starts from an empty screen."""
    fresh = state is None or event.seq < state.seq or event.kind == "source.up"
    texts = {} if fresh or state is None else {text.track: text for text in state.texts}
    if isinstance(event, TextEvent):
        texts[event.track] = visible_text(event)
        if event.kind == "ended":
            del texts[event.track]
    return StreamState(event.stream, event.seq, tuple(texts.values()))
