"""The MQTT sink with a real broker."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from structlog.testing import capture_logs

from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import MqttSettings
from stream_ocr.events import SourceEvent
from stream_ocr.sinks import Sinks, configured
from stream_ocr.sinks.mqtt import Now, after, level
from stream_ocr.testing import text_event

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="needs a broker: apt-get install mosquitto")
PATIENCE_S = 30.0


def soon(truth: Callable[[], object]) -> bool:
    """Whether something comes true."""
    deadline = time.monotonic() + PATIENCE_S
    while not truth():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class Broker:
    """Mosquitto on a port of its own; it keeps the sessions of subscribers when it ends, and when told to ``save``."""

    def __init__(self, folder: Path, settings: str = "allow_anonymous true") -> None:
        with socket.create_server(("127.0.0.1", 0)) as placeholder:
            self.port = placeholder.getsockname()[1]
        folder.mkdir()
        self._file = folder / "mosquitto.conf"
        self._file.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\n{settings}\npersistence true\n"
            f"persistence_location {folder}/\nmax_queued_messages 0\n"
        )
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(self._file)], stderr=subprocess.DEVNULL)

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        assert soon(listens)

    def save(self) -> None:
        self.process.send_signal(signal.SIGUSR1)
        assert soon((self._file.parent / "mosquitto.db").exists)

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(number)
        self.process.wait(10)


class Subscriber:
    """Keeps all messages, and its session while it or the broker is away."""

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
        assert self.subscribed.wait(PATIENCE_S)

    def seqs(self) -> list[int]:
        """Numbers of events in the order in which each first came."""
        kinds = ("appeared", "updated", "changed", "ended")
        found = [json.loads(data)["seq"] for topic, data, _ in self.messages if topic.endswith(kinds)]
        return list(dict.fromkeys(found))

    def last(self, topic: str) -> bytes | None:
        return next((data for name, data, _ in reversed(self.messages) if name == topic), None)

    def end(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        self.client.on_connect = self.client.on_subscribe = self.client.on_message = None


@pytest.fixture
def broker(tmp_path) -> Iterator[Broker]:
    broker = Broker(tmp_path / "broker")
    yield broker
    broker.end(signal.SIGKILL)


@pytest.fixture
def subscribe() -> Iterator[Callable[..., Subscriber]]:
    started: list[Subscriber] = []

    def start(*arguments: Any, **given: Any) -> Subscriber:
        started.append(Subscriber(*arguments, **given))
        return started[-1]

    yield start
    for subscriber in started:
        subscriber.end()


def sinks(tmp_path: Path, port: int, **given: object) -> Sinks:
    spool = tmp_path / "spool"
    output = MqttSettings(
        **{"type": "mqtt", "host": "127.0.0.1", "port": port, "spool": spool, "close_s": PATIENCE_S, **given}
    )
    return Sinks(configured(Settings(sinks=(output,))))


def send(tmp_path: Path, port: int, seqs: Sequence[int], **given: object) -> Sinks:
    with sinks(tmp_path, port, **given) as opened:
        for seq in seqs:
            opened.write(text_event(seq))
    return opened


def test_events_arrive_in_order_each_under_its_topic(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port)
    assert send(tmp_path, broker.port, range(500)).lost == {}
    assert soon(lambda: len(subscriber.seqs()) == 500)
    assert subscriber.seqs() == list(range(500))
    topics = {topic for topic, _, _ in subscriber.messages}
    assert topics == {"stream-ocr/cam-1/appeared", "stream-ocr/status"}
    events = [data for topic, data, _ in subscriber.messages if topic.endswith("appeared")]
    assert events == [text_event(seq).to_json() for seq in range(500)]


def test_whether_we_are_there_is_known(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port, "stream-ocr/status")
    send(tmp_path, broker.port, [0])
    assert soon(lambda: len(subscriber.messages) == 2)
    assert [data for _, data, _ in subscriber.messages] == [b"online", b"offline"]
    late = subscribe(broker.port, "stream-ocr/status")
    assert soon(lambda: late.messages)
    assert late.messages == [("stream-ocr/status", b"offline", True)]


WRITER = """
    import time
    from stream_ocr.config.sinks import Mqtt
    from stream_ocr.config.settings import Settings
    from stream_ocr.sinks import Sinks, configured
    from stream_ocr.testing import text_event
    broker = Mqtt(type="mqtt", host="127.0.0.1", port={port}, spool={spool!r})
    with Sinks(configured(Settings(sinks=(broker,)))) as sinks:
        for seq in range({first}, 10**9):
            sinks.write(text_event(seq))
            print(seq, flush=True)
            time.sleep(0.001)
"""


def test_kill_9_of_the_writer_is_told_by_its_will_and_costs_no_event(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port)
    written: list[int] = []
    for turn in range(3):
        first = written[-1] + 2 if written else 0
        program = textwrap.dedent(WRITER).format(port=broker.port, spool=str(tmp_path / "spool"), first=first)
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
            lines = [writer.stdout.readline() for _ in range(300)]
            assert soon(lambda: subscriber.last("stream-ocr/status") == b"online")
            writer.kill()
            lines += writer.stdout.readlines()
        written += [int(line) for line in lines if line.strip().isdigit()]
        assert soon(lambda: subscriber.last("stream-ocr/status") == b"offline"), turn
    send(tmp_path, broker.port, [written[-1] + 2])
    assert soon(lambda: written[-1] + 2 in subscriber.seqs())
    assert subscriber.seqs() == sorted(subscriber.seqs())
    assert set(written) <= set(subscriber.seqs())


def test_a_broker_that_is_killed_and_comes_back_gets_everything(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port)
    with capture_logs() as logs, sinks(tmp_path, broker.port) as opened:
        for seq in range(100):
            opened.write(text_event(seq))
        assert soon(lambda: len(subscriber.seqs()) == 100)
        broker.save()
        broker.end(signal.SIGKILL)
        for seq in range(100, 200):
            opened.write(text_event(seq))
        broker.start()
        for seq in range(200, 300):
            opened.write(text_event(seq))
    assert soon(lambda: len(subscriber.seqs()) == 300)
    assert subscriber.seqs() == list(range(300))
    assert opened.lost == {}
    assert "broker is not there; events wait" in [log["event"] for log in logs]


def test_a_broker_that_is_restarted_while_events_flow(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port)
    with sinks(tmp_path, broker.port) as opened:
        for seq in range(3000):
            opened.write(text_event(seq))
            if seq in (500, 1500):
                assert soon(lambda: len(subscriber.seqs()) > 200)
                broker.end()
                broker.start()
    assert soon(lambda: len(subscriber.seqs()) == 3000)
    assert subscriber.seqs() == list(range(3000))
    assert opened.lost == {}


def test_a_broker_that_hangs_holds_up_nothing(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port)
    with sinks(tmp_path, broker.port, keepalive_s=1) as opened:
        opened.write(text_event(0))
        assert soon(lambda: subscriber.seqs() == [0])
        broker.process.send_signal(signal.SIGSTOP)
        for seq in range(1, 1000):
            opened.write(text_event(seq))
        broker.process.send_signal(signal.SIGCONT)
    assert soon(lambda: len(subscriber.seqs()) == 1000)
    assert subscriber.seqs() == list(range(1000))


def test_the_end_does_not_wait_for_a_broker_that_is_not_there(tmp_path, broker, subscribe):
    broker.end()
    with capture_logs() as logs:
        send(tmp_path, broker.port, range(10), close_s=0.1)
    assert [log["waiting"] for log in logs if log["event"] == "events wait in the spool for the next run"] == [10]
    broker.start()
    subscriber = subscribe(broker.port)
    send(tmp_path, broker.port, [10])
    assert soon(lambda: subscriber.seqs() == list(range(11)))


def test_late_comers_see_what_is_in_sight(tmp_path, broker, subscribe):
    events = [
        text_event(0, track=1, text="GATE 4"),
        text_event(1, track=2, text="OPEN"),
        text_event(2, track=3, text="gone"),
        text_event(3, track=2, text="CLOSED", kind="changed"),
        text_event(4, track=3, text="gone", kind="ended", end=9.0),
    ]
    with sinks(tmp_path, broker.port, retain=True, topic="site/ocr") as opened:
        for event in events:
            opened.write(event)
    late = subscribe(broker.port, "site/ocr/+/now")
    assert soon(lambda: late.messages)
    ((topic, data, retained),) = late.messages
    assert (topic, retained) == ("site/ocr/cam-1/now", True)
    now = json.loads(data)
    assert (now["stream"], now["seq"]) == ("cam-1", 4)
    assert [(text["track"], text["text"]) for text in now["texts"]] == [(1, "GATE 4"), (2, "CLOSED")]


def test_without_being_asked_nothing_of_the_texts_is_retained(tmp_path, broker, subscribe):
    send(tmp_path, broker.port, [0])
    late = subscribe(broker.port)
    assert soon(lambda: late.messages)
    assert {topic for topic, _, _ in late.messages} == {"stream-ocr/status"}


def test_a_broker_that_forgot_is_told_again_what_is_in_sight(tmp_path, broker, subscribe):
    with sinks(tmp_path, broker.port, retain=True) as opened:
        opened.write(text_event(0, text="GATE 4"))
        witness = subscribe(broker.port, "stream-ocr/+/now")
        assert soon(lambda: witness.messages)
        broker.end()
        (tmp_path / "broker" / "mosquitto.db").unlink()
        broker.start()
        late = subscribe(broker.port, "stream-ocr/+/now")
        assert soon(lambda: late.messages)
    assert b"GATE 4" in late.messages[0][1]


def test_a_new_run_begins_with_nothing_in_sight():
    def tracks(now: Now) -> list[int]:
        return [text.track for text in now.texts]

    now = after(None, text_event(7, track=1))
    now = after(now, text_event(8, track=2))
    assert tracks(now) == [1, 2]
    assert tracks(after(now, SourceEvent(id="", seq=9, kind="source.gap", stream="cam-1"))) == [1, 2]
    assert tracks(after(now, text_event(0, track=5))) == [5]


def test_a_user_who_is_refused_waits_and_says_so_without_the_password(tmp_path, subscribe, monkeypatch):
    passwd = shutil.which("mosquitto_passwd")
    if passwd is None:
        pytest.skip("needs mosquitto_passwd: apt-get install mosquitto")
    subprocess.run([passwd, "-b", "-c", str(tmp_path / "passwords"), "ocr", "hunter2"], check=True, capture_output=True)
    (tmp_path / "passwords").chmod(0o600)
    broker = Broker(tmp_path / "broker", f"allow_anonymous false\npassword_file {tmp_path / 'passwords'}")
    try:
        subscriber = subscribe(broker.port, user="ocr")
        user = {"username": "ocr", "password": "env:MQTT_PASSWORD"}
        monkeypatch.setenv("MQTT_PASSWORD", "hunter3")
        with capture_logs() as logs, sinks(tmp_path, broker.port, close_s=0.1, **user) as opened:
            opened.write(text_event(0))
            assert soon(lambda: any("refuses us" in log.get("reason", "") for log in logs))
        monkeypatch.setenv("MQTT_PASSWORD", "hunter2")
        send(tmp_path, broker.port, [1], **user)
        assert soon(lambda: subscriber.seqs() == [0, 1])
        assert "hunter" not in repr(logs)
    finally:
        broker.end()


# paho 2.2 leaves a socket whose TLS failed to the collector, which says so.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_broker_that_nobody_vouches_for_gets_nothing(tmp_path, certificate):
    pem, key = certificate
    broker = Broker(tmp_path / "broker", f"allow_anonymous true\ncertfile {pem}\nkeyfile {key}")
    try:
        with capture_logs() as logs, sinks(tmp_path, broker.port, tls=True, close_s=0.1) as opened:
            opened.write(text_event(0))
            assert soon(lambda: any("reason" in log for log in logs))
        assert [log["waiting"] for log in logs if "waiting" in log] == [1]
        with capture_logs() as logs:
            send(tmp_path, broker.port, [1], tls=True, ca_file=pem)
        assert [log["waiting"] for log in logs if "waiting" in log] == [1], "the one of the run before, and it went"
    finally:
        broker.end()


@pytest.mark.parametrize(
    ("stream", "topic"),
    [
        ("cam-1", "cam-1"),
        ("Büro 東", "Büro 東"),
        ("a/b", "a%2Fb"),
        ("#+%", "%23%2B%25"),
        ("x\x00\n", "x%00%0A"),
        ("\ufffe", "%EF%BF%BE"),
    ],
)
def test_any_name_of_a_stream_is_one_level_of_a_topic(stream, topic):
    assert level(stream) == topic


def test_odd_names_of_streams_arrive(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port)
    with sinks(tmp_path, broker.port) as opened:
        for seq, stream in enumerate(["a/b#+", "x" * 300, "\ufffe東"]):
            opened.write(text_event(seq, stream=stream))
    assert soon(lambda: len(subscriber.seqs()) == 3)


EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "mqtt_subscriber.py"


def test_the_example_follows(tmp_path, broker):
    program = [sys.executable, str(EXAMPLE), "127.0.0.1", str(broker.port)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as example:
        try:
            assert example.stderr.readline() == "subscribed\n"
            with sinks(tmp_path, broker.port, retain=True) as opened:
                for seq in range(2):
                    opened.write(text_event(seq))
            lines = list(iter(example.stdout.readline, "publisher is offline\n"))
        finally:
            example.kill()
    assert "publisher is online\n" in lines
    assert [line for line in lines if "appeared" in line] == [f"cam-1 {n} appeared 'TEXT {n}'\n" for n in (0, 1)]
    assert lines[-1] == "cam-1 shows ['TEXT 0', 'TEXT 1']\n"
