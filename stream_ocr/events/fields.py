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
    """Keeps the latest text of each field by stream and name. values: of all streams, in the order of their events."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, FieldValue]] = {}

    def update(self, event: Event) -> bool:
        """Take an event. Return whether a value has changed."""
        if event.kind == "source.down":
            return self._hide(event.stream)
        if not isinstance(event, TextEvent):
            return False
        fields = self.values.get(event.stream, {})
        shown = {name for name, value in fields.items() if value.track == event.track and value.visible}
        hidden = shown - {event.field} if event.kind != "ended" else shown
        values = {name: msgspec.structs.replace(fields[name], visible=False) for name in hidden}  # it has moved away
        if event.field is not None and (event.kind != "ended" or event.field not in fields):
            values[event.field] = FieldValue(
                text=event.text,
                visible=event.kind != "ended",
                track=event.track,
                confidence=event.confidence,
                start=event.start,
                start_utc=event.start_utc,
                previous=event.previous,
            )
        return self._set(event.stream, values)

    def _hide(self, stream: str) -> bool:
        fields = self.values.get(stream, {})
        return self._set(stream, {n: msgspec.structs.replace(v, visible=False) for n, v in fields.items() if v.visible})

    def _set(self, stream: str, values: dict[str, FieldValue]) -> bool:
        """Replace values; readers in other threads keep the mapping that they have."""
        if not values:
            return False
        self.values = {**self.values, stream: {**self.values.get(stream, {}), **values}}
        return True
