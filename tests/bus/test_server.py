"""The bus as seen through raw sockets: invalid requests, hostile peers."""

import json
import random
import socket
import subprocess
import sys

import msgspec
import psutil
import pytest
import zmq

from stream_ocr.bus import curve_keys, protocol
from stream_ocr.bus.journal import open_journal
from stream_ocr.bus.protocol import HEARTBEAT_TOPIC, requests_endpoint
from stream_ocr.bus.publisher import BusSpec
from stream_ocr.bus.replies import ReplyHandler
from stream_ocr.client import subscribe
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError, SinkError, SubscribeError

WAIT_MS = 20_000


@pytest.fixture
def context():
    with zmq.Context() as context:
        yield context
        context.destroy(linger=0)


@pytest.fixture
def store(tmp_path, commit):
    with open_journal(Settings.load(None, [f"store.path={tmp_path}/asked.db"])) as journal:
        commit(journal, "GATE 1", "EXIT")
    return tmp_path / "asked.db"


@pytest.fixture
def ask(context, endpoint):
    def ask(body: bytes, kind: int = zmq.REQ) -> bytes:
        with context.socket(kind) as requests:
            requests.connect(requests_endpoint(endpoint))
            requests.send(body)
            assert requests.poll(WAIT_MS), "no answer"
            return requests.recv()

    return ask


def received(events: zmq.Socket, topic: bytes):
    while True:
        assert events.poll(WAIT_MS), "nothing came"
        found, payload = events.recv_multipart()
        if found == topic:
            return payload


def test_bus_publishes_stream_and_kind_as_topic_and_last_seq_in_heartbeats(journal, endpoint, commit, context):
    with context.socket(zmq.SUB) as events:
        events.connect(endpoint)
        events.subscribe(b"gate/changed")
        events.subscribe(HEARTBEAT_TOPIC)
        beat = json.loads(received(events, HEARTBEAT_TOPIC))
        assert beat["streams"] == {}
        commit(journal, "A")
        (changed,) = commit(journal, "B", kind="changed")
        assert received(events, b"gate/changed") == changed.to_json()
        for _ in range(3):
            beat = json.loads(received(events, HEARTBEAT_TOPIC))
        assert (beat["protocol"], beat["streams"]) == (1, {"gate": 1})


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER])
def test_bus_answers_requests_in_json_and_messagepack(journal, commit, ask, kind):
    sent = commit(journal, "A", "B")
    streams = json.loads(ask(b'{"ask":"streams","id":7}', kind))
    assert (streams["reply"], streams["id"], streams["streams"], streams["next"]) == ("streams", 7, {"gate": 1}, None)
    replay = json.loads(ask(b'{"ask":"replay","stream":"gate","after":-1}', kind))
    assert replay["events"] == [json.loads(event.to_json()) for event in sent]
    assert (replay["through"], replay["last"], replay["store"]) == (1, 1, streams["store"])
    snapshot = json.loads(ask(b'{"ask":"snapshot"}', kind))
    assert [event["text"] for event in snapshot["events"]] == ["B"]
    packed = msgspec.msgpack.decode(ask(msgspec.msgpack.encode({"ask": "replay", "stream": "gate", "after": 0}), kind))
    assert [event["text"] for event in packed["events"]] == ["B"]


INVALID_REQUESTS = [
    b"",
    b"hello",
    b"{}",
    b'{"ask":"everything"}',
    b'{"ask":"replay","stream":"gate","after":"0"}',
    b'{"ask":"replay","stream":"gate","after":-9}',
    b'{"ask":"streams","more":1}',
    b"[" * 10_000,
    b'{"ask":"streams","id":' + b"[" * 10_000,
    b"\x81" * 10_000,
    b"\xff\x00" * 100,
    b"\x80\x04\x95",
    b'{"ask":"streams","after":"\xff\xfe"}',
    b'{"ask":"streams","id":99999999999999999999999}',
    b'{"ask":"replay","stream":"\\ud800","after":0}',
]


def test_bus_answers_invalid_requests_with_an_error(journal, ask):
    for body in INVALID_REQUESTS:
        reply = ask(body)
        decode = json.loads if reply.startswith(b"{") else msgspec.msgpack.decode
        assert decode(reply)["reply"] == "error"


def test_reply_handler_answers_any_corrupted_request(store):
    """Thousands of slightly corrupted requests, passed to the handler directly."""
    rng = random.Random(7)
    questions = [
        b'{"ask":"replay","id":1,"stream":"gate","after":-1,"limit":10}',
        b'{"ask":"snapshot","id":2,"streams":["gate","hall"],"after":"a"}',
        b'{"ask":"crop","id":4,"stream":"gate","seq":0}',
        b'{"ask":"streams","id":3,"before":"2026-01-01T00:00:00Z","after":""}',
    ]
    handler = ReplyHandler(store)
    for _ in range(20_000):
        question = rng.choice(questions)
        if rng.random() < 0.5:
            question = protocol.json_to_msgpack(question)
        for _ in range(rng.randint(1, 4)):
            at, harm = (
                rng.randrange(len(question)),
                bytes([rng.choice([0, 9, 34, 92, 128, 192, 255, rng.randrange(256)])]),
            )
            question = question[:at] + harm * rng.randint(0, 2) + question[at + rng.randint(0, 3) :] or b" "
        for form in ("json", "msgpack"):
            protocol.decode_reply(protocol.encode(handler.reply(question), form))
    handler.close()


def test_bus_lists_streams_in_pages(journal, commit, ask):
    for n in range(1005):
        commit(journal, "X", stream=f"camera {n:04}")
    first = json.loads(ask(b'{"ask":"streams"}'))
    assert (len(first["streams"]), first["next"]) == (1000, "camera 0999")
    second = json.loads(ask(b'{"ask":"streams","after":"camera 0999"}'))
    assert (list(second["streams"]), second["next"]) == ([f"camera 1{n:03}" for n in range(5)], None)
    pages = [json.loads(ask(f'{{"ask":"snapshot","after":"{after}"}}'.encode())) for after in ("", "camera 0999")]
    assert [len(page["events"]) for page in pages] == [1000, 5]
    assert [page["next"] for page in pages] == ["camera 0999", None]


def test_journal_reports_a_port_in_use_at_the_start(settings, endpoint):
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(endpoint.rpartition(":")[2])))
        other.listen()
        with pytest.raises(SinkError, match=f"cannot listen on {endpoint}: Address already in use"):
            open_journal(settings()).__enter__()


@pytest.mark.parametrize("endpoint", ["tcp://0.0.0.0:5560", "tcp://*:5560", "tcp://10.0.0.1:5560", "tcp://[::]:5560"])
def test_settings_require_keys_for_public_addresses(endpoint):
    given = ["store.path=a.db", f"socket.events={endpoint}"]
    with pytest.raises(SettingsError, match="can be reached from other machines"):
        Settings.load(None, given)
    assert Settings.load(None, [*given, "socket.insecure=true"]).socket.events == endpoint
    assert Settings.load(None, [*given, "socket.keys=keys"]).socket.events == endpoint


@pytest.mark.parametrize("port", [0, 65535, 99999])
def test_settings_reject_invalid_ports(port):
    with pytest.raises(SettingsError, match=f"{port} is not a valid port"):
        Settings.load(None, ["store.path=a.db", f"socket.events=tcp://127.0.0.1:{port}"])


def test_settings_require_a_store_for_a_socket():
    with pytest.raises(SettingsError, match="needs a store"):
        Settings.load(None, ["socket.events=tcp://127.0.0.1:5560"])


def test_bus_serves_only_clients_with_an_allowed_key(settings, endpoint, commit, tmp_path, context):
    folder = tmp_path / "keys"
    for name in ("server", "reader", "stranger"):
        curve_keys.create_keys(folder, name)
    (folder / "clients" / "stranger.key").unlink()
    shown = {
        name: {"key": folder / f"{name}.key_secret", "server_key": folder / "server.key"}
        for name in ("reader", "stranger")
    }
    with (
        open_journal(settings(f"socket.keys={folder}")) as journal,
        subscribe(endpoint, since="start", **shown["reader"]) as reader,
        subscribe(endpoint, since="start", **shown["stranger"]) as stranger,
        subscribe(endpoint, since="start") as without,
        context.socket(zmq.SUB) as raw,
    ):
        raw.connect(endpoint)
        raw.subscribe(b"")
        commit(journal, "SECRET")
        event = reader.receive(20)
        assert event is not None
        assert event.text == "SECRET"
        assert stranger.receive(1.5) is None
        assert without.receive(0.1) is None
        assert not raw.poll(0)
        assert not stranger.connected


def test_create_keys_makes_private_files_and_never_overwrites(tmp_path):
    folder = tmp_path / "keys"
    files = [*curve_keys.create_keys(folder, "server"), *curve_keys.create_keys(folder, "reader")]
    assert len(files) == 5
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600, file
    assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(SubscribeError, match="exists already"):
        curve_keys.create_keys(folder, "reader")
    with pytest.raises(SubscribeError, match="not a valid key name"):
        curve_keys.create_keys(folder, "../reader")
    (folder / "reader.key_secret").chmod(0o644)
    with pytest.raises(SubscribeError, match="chmod 600"):
        curve_keys.load_secret(folder / "reader.key_secret")
    with pytest.raises(SubscribeError, match="only the public key"):
        curve_keys.load_secret(folder / "reader.key")


@pytest.mark.parametrize("given", ["nothing", "half", "everything"])
def test_bus_whose_publisher_was_killed_at_its_start_ends_quietly(tmp_path, store, endpoint, given):
    feed, theirs = socket.socketpair()
    wanted = BusSpec(str(store), endpoint, requests_endpoint(endpoint), None, "json", 100, 1000, theirs.fileno())
    spec = msgspec.json.encode(wanted) + b"\n"
    with feed, theirs, (tmp_path / "errors").open("w+") as errors:
        bus = subprocess.Popen(
            [sys.executable, "-m", "stream_ocr.bus.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            pass_fds=[theirs.fileno()],
        )
        bus.stdout.close()
        bus.stdin.write({"nothing": b"", "half": spec[:20], "everything": spec}[given])
        bus.stdin.close()
        feed.close()
        theirs.close()
        bus.wait(60)
        errors.seek(0)
        assert errors.read() == ""


def test_bus_ends_with_its_journal(journal):
    bus = psutil.Process(journal.bus_pid)
    assert bus.is_running()
    journal.__exit__(None, None, None)
    assert not bus.is_running()
    journal.__enter__()
