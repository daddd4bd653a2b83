"""Events of readings that are scripted frame by frame."""

from collections.abc import Sequence
from itertools import count

from stream_ocr.config.settings import Settings
from stream_ocr.core.messages import Reading, Readings, Stamp
from stream_ocr.events import TextEvent
from stream_ocr.readings.event_builder import EventBuilder

SIZE = (640, 360)


def build_events(*frames: Sequence[Reading] | Reading, settings: Sequence[str] = ()) -> list[TextEvent]:
    """Return the events of frames, 25 per second. Each frame is given as its readings."""
    builder = EventBuilder(Settings.load(overrides=settings), count().__next__)
    events = []
    for seq, frame in enumerate(frames):
        readings = (frame,) if isinstance(frame, Reading) else tuple(frame)
        stamp = Stamp("clip.mp4", 0, seq, seq, (1, 25), 1, 0, None, "file")
        events += [event for event, _ in builder.update(Readings(stamp, SIZE, readings))]
    assert [event.seq for event in events] == list(range(len(events)))
    assert len({event.id for event in events}) == len(events)
    return events


def summary(events: Sequence[TextEvent]) -> list[tuple[str, str]]:
    """Return (kind, text) of each event."""
    return [(event.kind, event.text) for event in events]
