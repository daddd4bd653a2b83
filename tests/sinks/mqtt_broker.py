"""A real MQTT broker (mosquitto), a subscriber, and a sink that sends to the broker."""

import json
import shutil
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from sinks.server_process import TIMEOUT_S, ServerProcess, eventually

from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import MqttSettings
from stream_ocr.sinks import Sinks, sinks_from_settings
from stream_ocr.testing import text_event

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


class Broker(ServerProcess):
    """Mosquitto. Keeps the sessions of subscribers on exit and on ``save``."""

    def __init__(self, folder: Path, settings: str = "allow_anonymous true") -> None:
        self._folder = folder
        super().__init__(
            MOSQUITTO,
            folder / "mosquitto.conf",
            f"user root\nlistener PORT 127.0.0.1\n{settings}\npersistence true\n"
            f"persistence_location {folder}/\nmax_queued_messages 0\n",
        )

    def save(self) -> None:
        self.process.send_signal(signal.SIGUSR1)
        assert eventually((self._folder / "mosquitto.db").exists)


class Subscriber:
    """Keeps all messages, and its session while it or the broker is down."""

    def __init__(self, port: int, topic: str = "stream-ocr/#", user: str | None = None) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self.subscribed = threading.Event()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"test-{id(self)}", clean_session=False)
        self.client.reconnect_delay_set(1, 1)
        if user:
            self.client.username_pw_set(user, "hunter2")
        self.client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = lambda _c, _d, m: self.messages.append((m.topic, m.payload, m.retain))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.subscribed.wait(TIMEOUT_S)

    def seqs(self) -> list[int]:
        """Return the ``seq`` of events in the order of their first arrival."""
        kinds = ("appeared", "updated", "changed", "ended")
        found = [json.loads(data)["seq"] for topic, data, _ in self.messages if topic.endswith(kinds)]
        return list(dict.fromkeys(found))

    def last(self, topic: str) -> bytes | None:
        return next((data for name, data, _ in reversed(self.messages) if name == topic), None)

    def end(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_connect = self.client.on_subscribe = self.client.on_message = None


def sinks(tmp_path: Path, port: int, **options: object) -> Sinks:
    spool = tmp_path / "spool"
    output = MqttSettings(
        **{"type": "mqtt", "host": "127.0.0.1", "port": port, "spool": spool, "flush_timeout_s": TIMEOUT_S, **options}
    )
    return Sinks(sinks_from_settings(Settings(sinks=(output,))))


def send(tmp_path: Path, port: int, seqs: Sequence[int], **options: object) -> Sinks:
    with sinks(tmp_path, port, **options) as opened:
        for seq in seqs:
            opened.write(text_event(seq))
    return opened
