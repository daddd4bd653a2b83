"""Events to an MQTT broker: TOPIC/STREAM/KIND for each, TOPIC/status for whether we are there.

The client library sends what was not acknowledged again when it has reconnected, in order; a batch leaves the spool
when the broker has acknowledged all of it.
"""

import queue
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import msgspec
import paho.mqtt.client as paho
import structlog
from paho.mqtt.enums import CallbackAPIVersion

from stream_ocr.config.settings import read_secret
from stream_ocr.config.sinks import MqttSettings
from stream_ocr.errors import SinkError
from stream_ocr.events import DECODE_ERRORS, Event, Polygon, TextEvent, parse
from stream_ocr.sinks.base import reason
from stream_ocr.sinks.delivery import TAKEN, Outcome

log = structlog.get_logger(__name__)
_GOODBYE_S = 1.0
_RECONNECT_S = 1, 30
_PATIENCE_S = 0.1


class Visible(msgspec.Struct, frozen=True):
    """A text that is in sight."""

    track: int
    text: str
    confidence: float
    start: float
    polygon: Polygon


class Now(msgspec.Struct, frozen=True):
    """The texts in sight after the event ``seq`` of a stream."""

    stream: str
    seq: int
    texts: tuple[Visible, ...]


class MqttDelivery:
    """A connection that is kept up; events with QoS 1."""

    def __init__(self, settings: MqttSettings, *, max_events: int) -> None:
        self._settings = settings
        self._acknowledged: queue.SimpleQueue[int | None] = queue.SimpleQueue()  # None: interrupted
        self._interrupted = False
        self._connected = threading.Event()
        self._seen: dict[str, Now] = {}
        self._client = client = paho.Client(CallbackAPIVersion.VERSION2)
        client.max_inflight_messages_set(2 * max_events)
        client.reconnect_delay_set(*_RECONNECT_S)
        client.will_set(self._status, "offline", qos=1, retain=True)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail, client.on_publish = self._on_connect_fail, self._on_publish
        self._trouble = ""

    def open(self) -> None:
        settings = self._settings
        if settings.username is not None:
            password = read_secret(settings.password).decode() if settings.password else None
            self._client.username_pw_set(settings.username, password)
        if settings.tls:
            try:
                self._client.tls_set_context(ssl.create_default_context(cafile=settings.ca_file))
            except OSError as error:
                raise SinkError(f"{settings.ca_file} holds no certificates: {reason(error)}.") from error
        port = settings.port or (8883 if settings.tls else 1883)
        self._client.connect_async(settings.host, port, settings.keepalive_s)
        self._client.loop_start()

    def deliver(self, lines: Sequence[bytes]) -> Outcome:
        while not self._acknowledged.empty():  # of messages that nobody waits for
            if self._acknowledged.get() is None:
                return Outcome("later", "interrupted")
        # What is published before there is a connection is sent after what is published while it comes about.
        while not self._connected.wait(_PATIENCE_S):
            if self._interrupted:
                return Outcome("later", "interrupted")
        try:
            events = [parse(line) for line in lines]
        except DECODE_ERRORS as error:
            return Outcome("refused", f"what waits in the spool is no event: {error}")
        waiting = {self._publish(self._topic(event), line) for event, line in zip(events, lines, strict=True)}
        if self._settings.retain:
            waiting.update(self._publish_now(name) for name in self._look(events))
        while waiting:
            if (mid := self._acknowledged.get()) is None:
                return Outcome("later", "interrupted")
            waiting.discard(mid)
        return TAKEN

    def interrupt(self) -> None:
        self._interrupted = True
        self._acknowledged.put(None)

    def close(self) -> None:
        if self._client.is_connected():
            goodbye = self._client.publish(self._status, "offline", qos=1, retain=True)
            with suppress(RuntimeError):  # the connection broke
                goodbye.wait_for_publish(_GOODBYE_S)
        client = self._client
        client.disconnect()
        client.loop_stop()
        # It closes its last sockets when it is deleted, which is at once when nothing of it leads back here.
        client.on_connect = client.on_disconnect = client.on_connect_fail = client.on_publish = None

    @property
    def _status(self) -> str:
        return f"{self._settings.topic}/status"

    def _topic(self, event: Event) -> str:
        return f"{self._settings.topic}/{level(event.stream)}/{event.kind}"

    def _publish(self, topic: str, payload: bytes | str) -> int:
        return self._client.publish(topic, payload, qos=1).mid

    def _publish_now(self, stream: str) -> int:
        topic = f"{self._settings.topic}/{level(stream)}/now"
        return self._client.publish(topic, msgspec.json.encode(self._seen[stream]), qos=1, retain=True).mid

    def _look(self, events: Sequence[Event]) -> Iterator[str]:
        """Keep up with what is in sight; the streams of which that has changed."""
        before = dict(self._seen)
        for event in events:
            self._seen[event.stream] = after(self._seen.get(event.stream), event)
        yield from (name for name, now in self._seen.items() if before.get(name) != now)

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self._say(f"the broker refuses us: {code}")
            return
        log.info("broker is there", broker=self._settings.host)
        self._trouble = ""
        client.publish(self._status, "online", qos=1, retain=True)
        for stream in tuple(self._seen):  # a broker that was restarted may have forgotten
            self._publish_now(stream)
        self._connected.set()

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self._connected.clear()
        if code.is_failure and not self._interrupted:
            self._say(f"the connection was lost: {code}")

    def _on_connect_fail(self, _client: Any, _data: Any) -> None:
        self._say("it cannot be reached")

    def _on_publish(self, _client: Any, _data: Any, mid: int, _code: Any, _properties: Any) -> None:
        self._acknowledged.put(mid)

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            log.warning("broker is not there; events wait", broker=self._settings.host, reason=trouble)


def level(stream: str) -> str:
    """The name of a stream as one level of a topic, which must have none of some characters: brokers hang up then."""
    return "".join(
        char if char.isprintable() and char not in "/+#%" else quote(char, errors="replace", safe="") for char in stream
    )


def after(now: Now | None, event: Event) -> Now:
    """What is in sight after an event."""
    fresh = now is None or event.seq < now.seq or event.kind == "source.up"  # a run that began anew
    texts = {} if fresh or now is None else {text.track: text for text in now.texts}
    if isinstance(event, TextEvent):
        texts[event.track] = Visible(event.track, event.text, event.confidence, event.start, event.polygon)
        if event.kind == "ended":
            del texts[event.track]
    return Now(event.stream, event.seq, tuple(texts.values()))
