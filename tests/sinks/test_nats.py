"""The NATS sink with a real server."""

import signal
import ssl
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest
from sinks import nats_credentials
from sinks.nats_server import NATS, Server, send, sinks
from sinks.server_process import eventually
from structlog.testing import capture_logs

from stream_ocr.config.sinks import NatsSettings
from stream_ocr.errors import SettingsError, SinkError
from stream_ocr.sinks.nats import subject_token
from stream_ocr.testing import text_event

pytestmark = pytest.mark.skipif(NATS is None, reason="needs a server: apt-get install nats-server")


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    with Server(tmp_path / "server") as server:
        yield server


def seqs(server: Server) -> list[int]:
    return [event["seq"] for _, event in server.messages()]


def test_nats_delivers_events_in_order_under_their_subjects(tmp_path, server):
    assert send(tmp_path, server.url, range(500), site="north").lost == {}
    messages = server.messages()
    assert [event["seq"] for _, event in messages] == list(range(500))
    assert {subject for subject, _ in messages} == {"ocr.north.cam-1.appeared"}


def test_nats_stores_an_event_once_that_is_sent_twice(tmp_path, server):
    """As after an acknowledgement that was lost."""
    send(tmp_path, server.url, range(10))
    send(tmp_path, server.url, range(5, 15))
    assert seqs(server) == list(range(15))


def test_nats_keeps_events_of_sites_apart(tmp_path, server):
    for site in ("north", "south"):
        send(tmp_path, server.url, [0], site=site)
    assert [subject for subject, _ in server.messages()] == ["ocr.north.cam-1.appeared", "ocr.south.cam-1.appeared"]


WRITER = """
    import time
    from stream_ocr.config.settings import Settings
    from stream_ocr.config.sinks import NatsSettings
    from stream_ocr.sinks import Sinks, sinks_from_settings
    from stream_ocr.testing import text_event
    sink = NatsSettings(type="nats", servers=({url!r},), spool={spool!r})
    with Sinks(sinks_from_settings(Settings(sinks=(sink,)))) as sinks:
        for seq in range({first}, 10**9):
            sinks.write(text_event(seq))
            print(seq, flush=True)
            time.sleep(0.001)
"""


def test_nats_stores_each_event_once_when_the_sender_is_killed(tmp_path, server):
    written: list[int] = []
    for _ in range(3):
        first = written[-1] + 2 if written else 0
        program = textwrap.dedent(WRITER).format(url=server.url, spool=str(tmp_path / "spool"), first=first)
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
            lines = [writer.stdout.readline() for _ in range(300)]
            writer.kill()
            lines += writer.stdout.readlines()
        written += [int(line) for line in lines if line.strip().isdigit()]
    send(tmp_path, server.url, [written[-1] + 2])
    stored = seqs(server)
    assert stored == sorted(set(stored))
    assert set(written) <= set(stored)


def test_nats_stores_each_event_once_when_the_server_is_killed_and_stopped(tmp_path, server):
    with capture_logs() as logs, sinks(tmp_path, server.url) as opened:
        for seq in range(3000):
            opened.write(text_event(seq))
            if seq in (500, 1500):
                logs.clear()  # a failure may have had several reasons, each of which is logged
                server.end(signal.SIGKILL if seq == 500 else signal.SIGTERM)
                assert eventually(lambda: [log for log in logs if log["event"] == "NATS is unavailable"])
                server.start()
                assert eventually(lambda: [log for log in logs if log["event"] == "NATS is available again"])
    assert seqs(server) == list(range(3000))
    assert opened.lost == {}


def test_nats_close_does_not_wait_for_a_missing_server(tmp_path, server):
    server.end()
    with capture_logs() as logs:
        send(tmp_path, server.url, range(10), flush_timeout_s=0.1)
    assert [log["pending"] for log in logs if log["event"] == "undelivered events are kept for the next run"] == [10]
    server.start()
    send(tmp_path, server.url, [10])
    assert seqs(server) == list(range(11))


def refuses(folder, url, **settings):
    """Return the reason in the log for which an event stays queued."""
    with capture_logs() as logs:
        send(folder, url, [0], flush_timeout_s=0.5, **settings)
    return " ".join(log["reason"] for log in logs if log["event"] == "NATS is unavailable")


def test_nats_needs_the_token_of_the_server(tmp_path, monkeypatch):
    with Server(tmp_path / "server", "authorization { token: s3cret }") as server:
        monkeypatch.setenv("NATS_TOKEN", "wrong")
        assert "Authorization Violation" in refuses(tmp_path, server.url, token="env:NATS_TOKEN")
        monkeypatch.setenv("NATS_TOKEN", "s3cret")
        send(tmp_path, server.url, [1], token="env:NATS_TOKEN")
        assert [event["seq"] for _, event in server.messages(token="s3cret")] == [0, 1]


def test_nats_checks_the_certificate_of_the_server(tmp_path, certificate, another_certificate):
    pem, key = certificate
    tls = f'tls {{ cert_file: "{pem}", key_file: "{key}" }}'
    with Server(tmp_path / "server", tls, scheme="tls") as server:
        for wrong in (None, another_certificate):
            assert "certificate verify failed" in refuses(tmp_path, server.url, ca_file=wrong).lower()
        send(tmp_path, server.url, [1], ca_file=pem)
        trusted = ssl.create_default_context(cafile=pem)
        assert [event["seq"] for _, event in server.messages(tls=trusted)] == [0, 1]


def test_nats_needs_the_credentials_of_the_server(tmp_path):
    settings, credentials = nats_credentials.create(tmp_path)
    with Server(tmp_path / "server", settings) as server:
        assert "Authorization Violation" in refuses(tmp_path, server.url)
        send(tmp_path, server.url, [1], credentials=credentials)
        stored = server.messages(user_credentials=str(credentials))
        assert [event["seq"] for _, event in stored] == [0, 1]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"ca_file": "/dev/null"}, "holds no certificates"),
        ({"credentials": "/nowhere/x.creds"}, "There is no file /nowhere/x.creds"),
        ({"token": "env:NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE"),
    ],
)
def test_nats_refuses_what_it_cannot_read(tmp_path, settings, sentence):
    with pytest.raises((SinkError, SettingsError), match=sentence), sinks(tmp_path, "nats://127.0.0.1:1", **settings):
        pass


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"servers": ("127.0.0.1:4222",)}, "give an address such as"),
        ({"servers": ("nats://me:pw@127.0.0.1",)}, "remove the user and password"),
        ({"site": "north.1"}, "must not contain"),
        ({"servers": ()}, "at least 1 item"),
    ],
)
def test_nats_settings_are_checked(tmp_path, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        NatsSettings(**{"type": "nats", "servers": ("nats://127.0.0.1",), "spool": tmp_path} | settings)


@pytest.mark.parametrize(("stream", "token"), [("cam-1", "cam-1"), ("a.b c>*", "a%2Eb%20c%3E%2A"), ("küche", "küche")])
def test_subject_token_has_no_separators(stream, token):
    assert subject_token(stream) == token
