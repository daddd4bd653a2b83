"""Publish events to an MQTT broker: events at TOPIC/STREAM/KIND, the connection status at TOPIC/status.

After a reconnect the client library sends unacknowledged messages again, in order. A batch leaves the disk queue once
the broker has acknowledged all of it.
"""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from stream_ocr.config.settings import read_secret
from stream_ocr.config.sinks import MqttSettings
from stream_ocr.events import DECODE_ERRORS, Event, parse
from stream_ocr.events.visible import StreamState, apply_event
from stream_ocr.logs import get_logger
from stream_ocr.sinks.base import encode_name, tls_context
from stream_ocr.sinks.delivery import ACCEPTED, Delivery, DeliveryResult
from stream_ocr.sinks.home_assistant import HomeAssistant, Retained
from stream_ocr.sinks.thresholds import THRESHOLDS

log = get_logger(__name__)
_PORT, _TLS_PORT = 1883, 8883  # as registered with IANA


class MqttDelivery(Delivery):
    """Keeps a connection to a broker and publishes events with QoS 1."""

    def __init__(self, settings: MqttSettings, *, max_events: int) -> None:
        self._settings = settings
        self._acknowledged: queue.SimpleQueue[int | None] = queue.SimpleQueue()  # None: interrupted
        self._interrupted = False
        self._connected = threading.Event()
        self._states: dict[str, StreamState] = {}
        prefix = settings.home_assistant
        self._home_assistant = None if prefix is None else HomeAssistant(settings.topic, prefix)
        self._crops: dict[str, bytes] = {}  # by id of the event
        self._client = client = paho.Client(CallbackAPIVersion.VERSION2)
        client.max_inflight_messages_set(2 * max_events)
        client.reconnect_delay_set(*THRESHOLDS.mqtt_reconnect_s)
        client.will_set(self._status, "offline", qos=1, retain=True)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_connect_fail, client.on_publish = self._on_connect_fail, self._on_publish
        self._last_problem = ""

    def open(self) -> None:
        settings = self._settings
        if settings.username is not None:
            password = read_secret(settings.password).decode() if settings.password else None
            self._client.username_pw_set(settings.username, password)
        if settings.tls:
            self._client.tls_set_context(tls_context(settings.ca_file))
        port = settings.port or (_TLS_PORT if settings.tls else _PORT)
        self._client.connect_async(settings.host, port, settings.keepalive_s)
        self._client.loop_start()

    def deliver(self, lines: Sequence[bytes]) -> DeliveryResult:
        while not self._acknowledged.empty():  # of earlier messages
            if self._acknowledged.get() is None:
                return DeliveryResult("retry", "interrupted")
        # Messages published before the connection stands would be sent after those published while it is set up.
        while not self._connected.wait(THRESHOLDS.mqtt_poll_s):
            if self._interrupted:
                return DeliveryResult("retry", "interrupted")
        try:
            events = [parse(line) for line in lines]
        except DECODE_ERRORS as error:
            return DeliveryResult("rejected", f"a line of the spool is not an event: {error}")
        unacknowledged = {self._publish(self._topic(event), line) for event, line in zip(events, lines, strict=True)}
        if self._settings.retain:
            unacknowledged.update(self._publish_state(name) for name in self._update_states(events))
        for message in self._discover(events):
            unacknowledged.add(self._retain(message))
        while unacknowledged:
            if (mid := self._acknowledged.get()) is None:
                return DeliveryResult("retry", "interrupted")
            unacknowledged.discard(mid)
        return ACCEPTED

    def set_crop(self, event_id: str, webp: bytes) -> None:
        if self._home_assistant is None:
            return
        self._crops[event_id] = webp
        if len(self._crops) > THRESHOLDS.mqtt_crops:
            self._crops.pop(next(iter(self._crops)), None)

    def interrupt(self) -> None:
        self._interrupted = True
        self._acknowledged.put(None)

    def close(self) -> None:
        if self._client.is_connected():
            goodbye = self._client.publish(self._status, "offline", qos=1, retain=True)
            with suppress(RuntimeError):  # the connection broke
                goodbye.wait_for_publish(THRESHOLDS.mqtt_goodbye_s)
        client = self._client
        client.disconnect()
        client.loop_stop()
        # The client closes its last sockets when it is deleted: at once if no callback refers back to this object.
        client.on_connect = client.on_disconnect = client.on_connect_fail = client.on_publish = None

    @property
    def _status(self) -> str:
        return f"{self._settings.topic}/status"

    def _topic(self, event: Event) -> str:
        return f"{self._settings.topic}/{topic_level(event.stream)}/{event.kind}"

    def _publish(self, topic: str, payload: bytes | str) -> int:
        return self._client.publish(topic, payload, qos=1).mid

    def _discover(self, events: Sequence[Event]) -> Iterator[Retained]:
        """Yield the messages for Home Assistant that follow from events."""
        if self._home_assistant is None:
            return
        for event in events:
            yield from self._home_assistant.update(event)
            if (webp := self._crops.pop(event.id, None)) is not None:
                yield from self._home_assistant.show(event.stream, webp)

    def _retain(self, message: Retained) -> int:
        return self._client.publish(message.topic, message.payload, qos=1, retain=True).mid

    def _publish_state(self, stream: str) -> int:
        topic = f"{self._settings.topic}/{topic_level(stream)}/now"
        return self._client.publish(topic, msgspec.json.encode(self._states[stream]), qos=1, retain=True).mid

    def _update_states(self, events: Sequence[Event]) -> Iterator[str]:
        """Apply events to the texts on screen. Yield the streams whose texts have changed."""
        before = dict(self._states)
        for event in events:
            self._states[event.stream] = apply_event(self._states.get(event.stream), event)
        yield from (name for name, state in self._states.items() if before.get(name) != state)

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self._log_unavailable(f"the broker refuses the connection: {code}")
            return
        log.info("connected to broker", broker=self._settings.host)
        self._last_problem = ""
        client.publish(self._status, "online", qos=1, retain=True)
        for stream in tuple(self._states):  # a restarted broker may have lost its retained messages
            self._publish_state(stream)
        for message in self._home_assistant.all if self._home_assistant else ():
            self._retain(message)
        self._connected.set()

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self._connected.clear()
        if code.is_failure and not self._interrupted:
            self._log_unavailable(f"the connection was lost: {code}")

    def _on_connect_fail(self, _client: Any, _data: Any) -> None:
        self._log_unavailable("it cannot be reached")

    def _on_publish(self, _client: Any, _data: Any, mid: int, _code: Any, _properties: Any) -> None:
        self._acknowledged.put(mid)

    def _log_unavailable(self, problem: str) -> None:
        if problem != self._last_problem:
            self._last_problem = problem
            log.warning("broker is unavailable; events stay queued", broker=self._settings.host, reason=problem)


def topic_level(stream: str) -> str:
    """Return the name of a stream as one level of a topic, without characters at which brokers close the connection."""
    return encode_name(stream, "/+#")
