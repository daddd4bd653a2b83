"""The MQTT sink with a real broker (mosquitto)."""

import json
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sinks.mqtt_broker import MOSQUITTO, Broker, Subscriber, send, sinks
from sinks.server_process import eventually
from structlog.testing import capture_logs

from stream_ocr.sinks.mqtt import topic_level
from stream_ocr.testing import text_event

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="needs a broker: apt-get install mosquitto")


@pytest.fixture
def broker(tmp_path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def subscribe() -> Iterator[Callable[..., Subscriber]]:
    started: list[Subscriber] = []

    def start(*arguments: Any, **options: Any) -> Subscriber:
        started.append(Subscriber(*arguments, **options))
        return started[-1]

    yield start
    for subscriber in started:
        subscriber.end()


def test_mqtt_delivers_events_in_order_under_their_topics(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port)
    assert send(tmp_path, broker.port, range(500)).lost == {}
    assert eventually(lambda: len(subscriber.seqs()) == 500)
    assert subscriber.seqs() == list(range(500))
    topics = {topic for topic, _, _ in subscriber.messages}
    assert topics == {"stream-ocr/cam-1/appeared", "stream-ocr/status"}
    events = [data for topic, data, _ in subscriber.messages if topic.endswith("appeared")]
    assert events == [text_event(seq).to_json() for seq in range(500)]


def test_mqtt_publishes_its_status(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port, "stream-ocr/status")
    send(tmp_path, broker.port, [0])
    assert eventually(lambda: len(subscriber.messages) == 2)
    assert [data for _, data, _ in subscriber.messages] == [b"online", b"offline"]
    late = subscribe(broker.port, "stream-ocr/status")
    assert eventually(lambda: late.messages)
    assert late.messages == [("stream-ocr/status", b"offline", True)]


WRITER = """
    import time
    from stream_ocr.config.sinks import MqttSettings
    from stream_ocr.config.settings import Settings
    from stream_ocr.sinks import Sinks, sinks_from_settings
    from stream_ocr.testing import text_event
    broker = MqttSettings(type="mqtt", host="127.0.0.1", port={port}, spool={spool!r})
    with Sinks(sinks_from_settings(Settings(sinks=(broker,)))) as sinks:
        for seq in range({first}, 10**9):
            sinks.write(text_event(seq))
            print(seq, flush=True)
            time.sleep(0.001)
"""


def test_mqtt_publishes_its_will_and_loses_no_event_on_kill_9(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port)
    written: list[int] = []
    for turn in range(3):
        first = written[-1] + 2 if written else 0
        program = textwrap.dedent(WRITER).format(port=broker.port, spool=str(tmp_path / "spool"), first=first)
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
            lines = [writer.stdout.readline() for _ in range(300)]
            assert eventually(lambda: subscriber.last("stream-ocr/status") == b"online")
            writer.kill()
            lines += writer.stdout.readlines()
        written += [int(line) for line in lines if line.strip().isdigit()]
        assert eventually(lambda: subscriber.last("stream-ocr/status") == b"offline"), turn
    send(tmp_path, broker.port, [written[-1] + 2])
    assert eventually(lambda: written[-1] + 2 in subscriber.seqs())
    assert subscriber.seqs() == sorted(subscriber.seqs())
    assert set(written) <= set(subscriber.seqs())


def test_mqtt_delivers_every_event_after_the_broker_was_killed(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port)
    with capture_logs() as logs, sinks(tmp_path, broker.port) as opened:
        for seq in range(100):
            opened.write(text_event(seq))
        assert eventually(lambda: len(subscriber.seqs()) == 100)
        broker.save()
        broker.end(signal.SIGKILL)
        for seq in range(100, 200):
            opened.write(text_event(seq))
        broker.start()
        for seq in range(200, 300):
            opened.write(text_event(seq))
    assert eventually(lambda: len(subscriber.seqs()) == 300)
    assert subscriber.seqs() == list(range(300))
    assert opened.lost == {}
    assert "broker is unavailable; events stay queued" in [log["event"] for log in logs]


def test_mqtt_delivers_every_event_over_broker_restarts(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port)
    with sinks(tmp_path, broker.port) as opened:
        for seq in range(3000):
            opened.write(text_event(seq))
            if seq in (500, 1500):
                assert eventually(lambda: len(subscriber.seqs()) > 200)
                broker.end()
                broker.start()
    assert eventually(lambda: len(subscriber.seqs()) == 3000)
    assert subscriber.seqs() == list(range(3000))
    assert opened.lost == {}


def test_mqtt_broker_that_hangs_blocks_nothing(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port)
    with sinks(tmp_path, broker.port, keepalive_s=1) as opened:
        opened.write(text_event(0))
        assert eventually(lambda: subscriber.seqs() == [0])
        broker.process.send_signal(signal.SIGSTOP)
        for seq in range(1, 1000):
            opened.write(text_event(seq))
        broker.process.send_signal(signal.SIGCONT)
    assert eventually(lambda: len(subscriber.seqs()) == 1000)
    assert subscriber.seqs() == list(range(1000))


def test_mqtt_close_does_not_wait_for_a_missing_broker(tmp_path, broker, subscribe):
    broker.end()
    with capture_logs() as logs:
        send(tmp_path, broker.port, range(10), flush_timeout_s=0.1)
    assert [log["pending"] for log in logs if log["event"] == "undelivered events are kept for the next run"] == [10]
    broker.start()
    subscriber = subscribe(broker.port)
    send(tmp_path, broker.port, [10])
    assert eventually(lambda: subscriber.seqs() == list(range(11)))


def test_mqtt_retains_the_texts_on_screen(tmp_path, broker, subscribe):
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
    assert eventually(lambda: late.messages)
    ((topic, data, retained),) = late.messages
    assert (topic, retained) == ("site/ocr/cam-1/now", True)
    now = json.loads(data)
    assert (now["stream"], now["seq"]) == ("cam-1", 4)
    assert [(text["track"], text["text"]) for text in now["texts"]] == [(1, "GATE 4"), (2, "CLOSED")]


def test_mqtt_retains_no_texts_by_default(tmp_path, broker, subscribe):
    send(tmp_path, broker.port, [0])
    late = subscribe(broker.port)
    assert eventually(lambda: late.messages)
    assert {topic for topic, _, _ in late.messages} == {"stream-ocr/status"}


def test_mqtt_publishes_texts_on_screen_again_to_a_broker_that_lost_them(tmp_path, broker, subscribe):
    with sinks(tmp_path, broker.port, retain=True) as opened:
        opened.write(text_event(0, text="GATE 4"))
        witness = subscribe(broker.port, "stream-ocr/+/now")
        assert eventually(lambda: witness.messages)
        broker.end()
        (tmp_path / "broker" / "mosquitto.db").unlink()
        broker.start()
        late = subscribe(broker.port, "stream-ocr/+/now")
        assert eventually(lambda: late.messages)
    assert b"GATE 4" in late.messages[0][1]


def test_mqtt_logs_refused_login_without_the_password(tmp_path, subscribe, monkeypatch):
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
        with capture_logs() as logs, sinks(tmp_path, broker.port, flush_timeout_s=0.1, **user) as opened:
            opened.write(text_event(0))
            assert eventually(lambda: any("refuses the connection" in log.get("reason", "") for log in logs))
        monkeypatch.setenv("MQTT_PASSWORD", "hunter2")
        send(tmp_path, broker.port, [1], **user)
        assert eventually(lambda: subscriber.seqs() == [0, 1])
        assert "hunter" not in repr(logs)
    finally:
        broker.end()


# paho 2.2 leaves a socket whose TLS failed to the collector, which says so.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_mqtt_sends_nothing_to_an_untrusted_certificate(tmp_path, certificate):
    pem, key = certificate
    broker = Broker(tmp_path / "broker", f"allow_anonymous true\ncertfile {pem}\nkeyfile {key}")
    try:
        with capture_logs() as logs, sinks(tmp_path, broker.port, tls=True, flush_timeout_s=0.1) as opened:
            opened.write(text_event(0))
            assert eventually(lambda: any("reason" in log for log in logs))
        assert [log["pending"] for log in logs if "pending" in log] == [1]
        with capture_logs() as logs:
            send(tmp_path, broker.port, [1], tls=True, ca_file=pem)
        assert [log["pending"] for log in logs if "pending" in log] == [1], (
            "the event of the run before, which was delivered"
        )
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
def test_topic_level(stream, topic):
    assert topic_level(stream) == topic


def test_mqtt_accepts_any_stream_name(tmp_path, broker, subscribe):
    subscriber = subscribe(broker.port)
    with sinks(tmp_path, broker.port) as opened:
        for seq, stream in enumerate(["a/b#+", "x" * 300, "\ufffe東"]):
            opened.write(text_event(seq, stream=stream))
    assert eventually(lambda: len(subscriber.seqs()) == 3)


EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "mqtt_subscriber.py"


def test_example_subscriber_follows(tmp_path, broker):
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
