"""Latest texts of named fields, such as the score on a score board."""

from datetime import datetime

import msgspec

from stream_ocr.events import Event, TextEvent


class FieldValue(msgspec.Struct, frozen=True):
    """Latest text of a field. visible: it is on the screen now. previous: the text that it replaced."""

    text: str
    visible: bool
    track: int
    confidence: float
    start: float
    start_utc: datetime | None = None
    previous: str | None = None


class LatestFields:
    """Keeps the latest text of each field. values: by stream and name of the field."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, FieldValue]] = {}

    def update(self, event: Event) -> bool:
        """Take an event. Return whether a value has changed."""
        fields = self.values.get(event.stream, {})
        changes = {
            name: hidden(value) for name, value in fields.items() if value.visible and _hides(event, name, value)
        }
        if isinstance(event, TextEvent) and event.field is not None and event.kind != "ended":
            changes[event.field] = field_value(event)
        if changes:
            self.values[event.stream] = fields | changes
        return bool(changes)


def field_value(event: TextEvent) -> FieldValue:
    """Return the value of a field that shows the text of an event."""
    return FieldValue(
        text=event.text,
        visible=event.kind != "ended",
        track=event.track,
        confidence=event.confidence,
        start=event.start,
        start_utc=event.start_utc,
        previous=event.previous,
    )


def hidden(value: FieldValue) -> FieldValue:
    """Return a value whose text is no longer on the screen."""
    return msgspec.structs.replace(value, visible=False)


def _hides(event: Event, name: str, value: FieldValue) -> bool:
    """Return whether an event takes the text of a field from the screen: it ends, leaves the field, or all is down."""
    if not isinstance(event, TextEvent):
        return event.kind == "source.down"
    return event.track == value.track and (event.kind == "ended" or event.field != name)
