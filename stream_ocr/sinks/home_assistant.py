"""Sensors for Home Assistant by MQTT discovery: for each camera its last text, and one for each named field.

Messages are retained, so that Home Assistant has everything after a restart. Keys as documented at
https://www.home-assistant.io/integrations/sensor.mqtt/ and https://www.home-assistant.io/integrations/image.mqtt/
"""

import hashlib
from collections.abc import Iterator
from importlib import metadata
from typing import Any, NamedTuple

import msgspec

from stream_ocr.events import Event, SourceEvent, TextEvent
from stream_ocr.sinks.base import encode_name

_STATE = "{{ value_json.text[:255] }}"  # Home Assistant keeps 255 characters; the attributes hold the whole text


class Retained(NamedTuple):
    """A message to retain. payload: JSON, a word, or an image."""

    topic: str
    payload: bytes


class TextState(msgspec.Struct, frozen=True):
    """State and attributes of a sensor. visible: the text is on the screen now."""

    text: str
    visible: bool
    stream: str
    track: int
    confidence: float
    start: float
    start_utc: str | None
    previous: str | None


class HomeAssistant:
    """Makes the messages that follow from events. Each is made again only when it has changed."""

    def __init__(self, topic: str, prefix: str) -> None:
        """topic: root of all topics of this program. prefix: of discovery, as set in Home Assistant."""
        self._topic, self._prefix = topic, prefix
        self._retained: dict[str, bytes] = {}

    @property
    def all(self) -> list[Retained]:
        """All messages: a broker that was restarted may have lost them."""
        return [Retained(topic, payload) for topic, payload in list(self._retained.items())]

    def update(self, event: Event) -> Iterator[Retained]:
        """Yield the messages that follow from an event."""
        for topic, payload in self._messages(event):
            if self._retained.get(topic) != payload:
                self._retained[topic] = payload
                yield Retained(topic, payload)

    def show(self, stream: str, webp: bytes) -> Iterator[Retained]:
        """Yield the messages for the picture of the last text of a stream. Pictures are not kept."""
        topic = f"{self._base(stream)}/image"
        config = self._config(stream, "last text image", topic)
        config |= {"image_topic": topic, "content_type": "image/webp"}
        found = self._discovery("image", stream, "image", config)
        if self._retained.get(found.topic) != found.payload:
            self._retained[found.topic] = found.payload
            yield found
        yield Retained(topic, webp)

    def _messages(self, event: Event) -> Iterator[Retained]:
        stream = event.stream
        yield self._sensor(stream, "last text", "text", f"{self._base(stream)}/last")
        if isinstance(event, SourceEvent):
            if event.kind != "source.gap":
                yield Retained(f"{self._base(stream)}/source", b"online" if event.kind == "source.up" else b"offline")
            return
        assert isinstance(event, TextEvent)
        if f"{self._base(stream)}/source" not in self._retained:
            yield Retained(f"{self._base(stream)}/source", b"online")
        state = msgspec.json.encode(_state(event))
        if event.kind != "ended" or self._shows(f"{self._base(stream)}/last", event.track):
            yield Retained(f"{self._base(stream)}/last", state)
        if event.field is not None:
            topic = f"{self._base(stream)}/fields/{encode_name(event.field, '/+#')}"
            yield self._sensor(stream, event.field, f"field-{event.field}", topic)
            if event.kind != "ended" or self._shows(topic, event.track):
                yield Retained(topic, state)

    def _shows(self, topic: str, track: int) -> bool:
        """Return whether the state at a topic is that of a track."""
        payload = self._retained.get(topic)
        return payload is not None and msgspec.json.decode(payload, type=TextState).track == track

    def _sensor(self, stream: str, name: str, key: str, topic: str) -> Retained:
        config = self._config(stream, name, topic)
        config |= {"state_topic": topic, "value_template": _STATE, "json_attributes_topic": topic}
        return self._discovery("sensor", stream, key, config | {"icon": "mdi:text-recognition"})

    def _config(self, stream: str, name: str, topic: str) -> dict[str, Any]:
        """Return what all entities of a stream have in common. topic: of this entity, which makes it unique."""
        return {
            "name": name,
            "unique_id": f"stream-ocr-{_short_hash(topic)}",
            "availability": [{"topic": f"{self._topic}/status"}, {"topic": f"{self._base(stream)}/source"}],
            "availability_mode": "all",
            "device": {
                "identifiers": [f"stream-ocr-{_short_hash(self._base(stream))}"],
                "name": stream,
                "manufacturer": "stream_ocr",
                "model": "Camera",
            },
            "origin": {"name": "stream_ocr", "sw_version": metadata.version("stream-ocr")},
        }

    def _discovery(self, component: str, stream: str, key: str, config: dict[str, Any]) -> Retained:
        """Return a message at PREFIX/COMPONENT/NODE/OBJECT/config; ids consist of letters, digits, _ and -."""
        node, object_id = f"stream-ocr-{_short_hash(self._base(stream))}", _short_hash(key)
        return Retained(f"{self._prefix}/{component}/{node}/{object_id}/config", msgspec.json.encode(config))

    def _base(self, stream: str) -> str:
        return f"{self._topic}/{encode_name(stream, '/+#')}"


def _state(event: TextEvent) -> TextState:
    return TextState(
        text=event.text,
        visible=event.kind != "ended",
        stream=event.stream,
        track=event.track,
        confidence=event.confidence,
        start=event.start,
        start_utc=None if event.start_utc is None else event.start_utc.isoformat(),
        previous=event.previous,
    )


def _short_hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
