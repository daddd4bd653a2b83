"""Sensors for Home Assistant by MQTT discovery: for each camera its last text, and one for each named field.

Messages are retained, so that Home Assistant has everything after a restart. Keys as documented at
https://www.home-assistant.io/integrations/sensor.mqtt/ and https://www.home-assistant.io/integrations/image.mqtt/
"""

import hashlib
from collections.abc import Iterator
from importlib import metadata
from typing import NamedTuple

import msgspec

from stream_ocr.events import Event, SourceEvent, TextEvent
from stream_ocr.events.fields import FieldValue, LatestFields, field_value
from stream_ocr.sinks.base import encode_name

_STATE = "{{ value_json.text[:255] }}"  # Home Assistant keeps 255 characters; the attributes hold the whole text


class Retained(NamedTuple):
    """A message to retain. payload: JSON, a word, or an image."""

    topic: str
    payload: bytes


class HomeAssistant:
    """Makes the messages that follow from events. Each is made again only when it has changed."""

    def __init__(self, topic: str, prefix: str) -> None:
        """topic: root of all topics of this program. prefix: of discovery, as set in Home Assistant."""
        self._topic, self._prefix = topic, prefix
        self._fields = LatestFields()
        self._last: dict[str, FieldValue] = {}  # text of each stream
        self._retained: dict[str, bytes] = {}

    @property
    def all(self) -> list[Retained]:
        """All messages: a broker that was restarted may have lost them."""
        return [Retained(topic, payload) for topic, payload in list(self._retained.items())]

    def update(self, event: Event) -> Iterator[Retained]:
        """Yield the messages that follow from an event."""
        base = self._base(event.stream)
        if isinstance(event, SourceEvent) and event.kind != "source.gap":
            yield from self._retain(f"{base}/source", b"online" if event.kind == "source.up" else b"offline")
        elif isinstance(event, TextEvent):
            if f"{base}/source" not in self._retained:  # a file has no events of its source
                yield from self._retain(f"{base}/source", b"online")
            last = self._last.get(event.stream)
            if event.kind != "ended" or (last is not None and last.track == event.track):
                self._last[event.stream] = field_value(event)
            if event.stream in self._last:
                yield from self._sensor(event.stream, "last text", f"{base}/last", self._last[event.stream])
        if self._fields.update(event):
            for name, value in self._fields.values[event.stream].items():
                yield from self._sensor(event.stream, name, f"{base}/fields/{encode_name(name, '/+#')}", value)

    def show(self, stream: str, webp: bytes) -> Iterator[Retained]:
        """Yield the messages for the picture of the last text of a stream. Pictures are not kept."""
        topic = f"{self._base(stream)}/image"
        yield from self._announce(
            "image", stream, "last text image", topic, image_topic=topic, content_type="image/webp"
        )
        yield Retained(topic, webp)

    def _sensor(self, stream: str, name: str, topic: str, value: FieldValue) -> Iterator[Retained]:
        yield from self._announce(
            "sensor",
            stream,
            name,
            topic,
            state_topic=topic,
            value_template=_STATE,
            json_attributes_topic=topic,
            icon="mdi:text-recognition",
        )
        yield from self._retain(topic, msgspec.json.encode(value))

    def _announce(self, component: str, stream: str, name: str, topic: str, **own: str) -> Iterator[Retained]:
        """Yield the configuration of an entity, once. topic: of the entity, which makes it unique. own: its own keys.

        It stands at PREFIX/COMPONENT/NODE/OBJECT/config; ids consist of letters, digits, _ and -.
        """
        device = f"stream-ocr-{_short_hash(self._base(stream))}"
        place = f"{self._prefix}/{component}/{device}/{_short_hash(topic)}/config"
        if place in self._retained:
            return
        config = {
            "name": name,
            "unique_id": f"stream-ocr-{_short_hash(topic)}",
            "availability": [{"topic": f"{self._topic}/status"}, {"topic": f"{self._base(stream)}/source"}],
            "availability_mode": "all",
            "device": {"identifiers": [device], "name": stream, "manufacturer": "stream_ocr", "model": "Camera"},
            "origin": {"name": "stream_ocr", "sw_version": metadata.version("stream-ocr")},
        }
        yield from self._retain(place, msgspec.json.encode(config | own))

    def _retain(self, topic: str, payload: bytes) -> Iterator[Retained]:
        if self._retained.get(topic) != payload:
            self._retained[topic] = payload
            yield Retained(topic, payload)

    def _base(self, stream: str) -> str:
        return f"{self._topic}/{encode_name(stream, '/+#')}"


def _short_hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
