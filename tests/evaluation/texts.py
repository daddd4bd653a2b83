"""True texts and events, all 200×30 pixels in size."""

from stream_ocr.evaluation.timed_text import TimedText
from stream_ocr.events import Kind, TextEvent


def line(text: str, start: float, end: float, x: float = 100, *, hard: bool = False) -> TimedText:
    """Return a true text."""
    return TimedText(text, start, end, ((start, x, 100, 200, 30),), (text,), hard)


def event(kind: Kind, track: int, text: str, start: float, end: float | None = None, x: float = 100) -> TextEvent:
    corners = ((x, 100.0), (x + 200, 100.0), (x + 200, 130.0), (x, 130.0))
    return TextEvent(
        id=f"{track}{kind}{start}{text}", seq=0, kind=kind, stream="a", track=track, text=text, confidence=0.9,
        start=start, end=end, polygon=corners, size=(640, 360),
    )  # fmt: skip


def visible(track: int, text: str, start: float, end: float, x: float = 100) -> list[TextEvent]:
    """Return the events of a text that appears and ends."""
    return [event("appeared", track, text, start, x=x), event("ended", track, text, start, end, x=x)]
