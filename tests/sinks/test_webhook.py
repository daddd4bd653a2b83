"""The webhook sink against good and hostile receivers; each is a real server on a real socket."""

import base64
import hashlib
import hmac
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import WebhookSettings
from stream_ocr.errors import SettingsError, SinkError
from stream_ocr.sinks import Sinks, sinks_from_settings
from stream_ocr.sinks.webhook import retry_after_s, signing_key
from stream_ocr.testing import text_event

Action = Callable[[BaseHTTPRequestHandler], None]
QUICK = {"min_backoff_s": 0.02, "max_backoff_s": 0.2, "request_timeout_s": 20.0, "flush_timeout_s": 60.0}


class Receiver(ThreadingHTTPServer):
    """Answers each request with the next entry of ``script``, then with 204; keeps all requests."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, script: Sequence[int | Action] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = list(script)
        self.requests: list[tuple[int | None, dict[str, str], bytes]] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/in?token=hunter2"

    def seqs(self, status: int = 204) -> list[int]:
        """Return the ``seq`` of the events in requests answered with this status, in order."""
        return [event["seq"] for code, _, body in self.requests if code == status for event in json.loads(body)]

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore broken connections: the tests cause them."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:  # its sender was killed while sending
            self.close_connection = True
            return
        step = self.server.script.pop(0) if self.server.script else 204
        status = step if isinstance(step, int) else None
        self.server.requests.append((status, {k.lower(): v for k, v in self.headers.items()}, body))
        if isinstance(step, int):
            answer(self, step)
        else:
            self.close_connection = True
            step(self)

    def log_message(self, *_: object) -> None:
        pass


def answer(handler: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    if status != 204:
        handler.send_header("content-length", "0")
    handler.end_headers()


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    started: list[Receiver] = []

    def start(*script: int | Action) -> Receiver:
        started.append(Receiver(script))
        threading.Thread(target=started[-1].serve_forever, args=(0.01,), daemon=True).start()
        return started[-1]

    yield start
    for receiver in started:
        receiver.released.set()
        receiver.shutdown()
        receiver.server_close()


@contextmanager
def sending(tmp_path: Path, url: str, **options: object) -> Iterator[Sinks]:
    settings = WebhookSettings(type="webhook", url=url, spool=tmp_path / "spool", **{**QUICK, **options})
    with Sinks(sinks_from_settings(Settings(sinks=(settings,)))) as sinks:
        yield sinks


def send(tmp_path: Path, url: str, seqs: Sequence[int], **options: object) -> Sinks:
    with sending(tmp_path, url, **options) as sinks:
        for seq in seqs:
            sinks.write(text_event(seq))
    return sinks


def count_spooled(tmp_path: Path) -> int:
    """Return the number of events still in the spool."""
    lines = sum(path.read_bytes().count(b"\n") for path in (tmp_path / "spool").glob("*.jsonl"))
    first = min(int(path.stem) for path in (tmp_path / "spool").glob("*.jsonl"))
    return lines - (int((tmp_path / "spool" / "done").read_text()) - first)


def test_webhook_delivers_events_in_order_in_batches(tmp_path, receive):
    receiver = receive()
    sinks = send(tmp_path, receiver.url, range(250), max_events=20)
    assert receiver.seqs() == list(range(250))
    assert all(len(json.loads(body)) <= 20 for _, _, body in receiver.requests)
    assert sinks.lost == {}
    assert count_spooled(tmp_path) == 0


def test_webhook_signs_requests_according_to_standard_webhooks(tmp_path, receive, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "hunter2")
    receiver = receive(500)
    send(tmp_path, receiver.url, [0], secret="env:HOOK_SECRET")
    (_, first, body), (_, second, again) = receiver.requests
    assert body == again
    assert first["webhook-id"] == second["webhook-id"], "same events, same id"
    for headers in (first, second):
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = hmac.new(b"hunter2", signed, hashlib.sha256).digest()
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
        assert headers["content-type"] == "application/json"


def test_webhook_signs_nothing_without_a_secret(tmp_path, receive):
    receiver = receive()
    send(tmp_path, receiver.url, [0])
    assert "webhook-signature" not in receiver.requests[0][1]


def test_signing_key():
    assert signing_key(b"plain") == b"plain"
    assert signing_key(b"whsec_" + base64.b64encode(b"key")) == b"key"
    with pytest.raises(SinkError, match="not base64"):
        signing_key(b"whsec_!")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_webhook_retries_transient_errors_and_logs_once(tmp_path, receive, status):
    receiver = receive(status, status)
    with capture_logs() as logs:
        sinks = send(tmp_path, receiver.url, [0, 1])
    assert receiver.seqs() == [0, 1]
    assert [code for code, _, _ in receiver.requests[:3]] == [status, status, 204]
    assert sinks.lost == {}
    reasons = [log["reason"] for log in logs if log["event"] == "delivery failed"]
    assert reasons == [f"http://127.0.0.1:{receiver.server_port} answers {status}"], "once, not for every attempt"


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_webhook_halves_a_rejected_batch_and_drops_one_event(tmp_path, receive, status):
    def picky(handler: BaseHTTPRequestHandler) -> None:
        seqs = [event["seq"] for event in json.loads(receiver.requests[-1][2])]
        code = status if 5 in seqs else 204
        receiver.requests[-1] = (code, *receiver.requests[-1][1:])
        answer(handler, code)

    receiver = receive(*[picky] * 100)
    with capture_logs() as logs:
        sinks = send(tmp_path, receiver.url, range(20))
    assert receiver.seqs() == [seq for seq in range(20) if seq != 5]
    assert sinks.lost == {"webhook": 1}
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["sink loses events"]


@pytest.mark.parametrize("status", [301, 302, 307, 308, 401, 403, 404])
def test_webhook_keeps_events_on_wrong_url_or_secret(tmp_path, receive, status):
    elsewhere = receive()

    def redirect(handler: BaseHTTPRequestHandler) -> None:
        answer(handler, status, location=elsewhere.url)

    receiver = receive(redirect, redirect)
    with capture_logs() as logs:
        sinks = send(tmp_path, receiver.url, [0, 1, 2])
    assert receiver.seqs() == [0, 1, 2], "once it is fixed"
    assert elsewhere.requests == [], "redirects are not followed"
    assert sinks.lost == {}
    assert any("check `url`" in log.get("reason", "") or "correct `url`" in log.get("reason", "") for log in logs)


def test_webhook_honours_retry_after(tmp_path, receive):
    def later(handler: BaseHTTPRequestHandler) -> None:
        answer(handler, 429, retry_after="3600")

    receiver = receive(later)
    send(tmp_path, receiver.url, [0], max_backoff_s=3600.0, flush_timeout_s=0.5)
    assert len(receiver.requests) == 1, "an hour is not over yet"
    assert count_spooled(tmp_path) == 1
    send(tmp_path, receiver.url, [1])
    assert receiver.seqs() == [0, 1], "the next run delivers it first"


def test_retry_after_s():
    assert retry_after_s(None) is None
    assert retry_after_s("120") == 120
    assert retry_after_s("soon") is None
    assert retry_after_s("²") is None
    assert retry_after_s("-1") is None
    then = datetime.now(UTC) + timedelta(seconds=100)
    assert 90 < retry_after_s(format_datetime(then, usegmt=True)) <= 100
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0


def hang(handler: BaseHTTPRequestHandler) -> None:
    handler.server.released.wait(60)


def reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def drip(handler: BaseHTTPRequestHandler) -> None:
    with suppress(OSError):
        for byte in b"HTTP/1.1 204 No Content\r\nx: " + b"y" * 10_000:
            handler.connection.sendall(bytes([byte]))
            handler.server.released.wait(0.05)


def flood_headers(handler: BaseHTTPRequestHandler) -> None:
    with suppress(OSError):
        handler.connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000_000)


def rubbish(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.sendall(b"\x16\x03\x01\x00 what?\r\n\r\n")


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("hostile", [hang, reset, drip, flood_headers, rubbish, hang_up])
def test_webhook_survives_hostile_receivers(tmp_path, receive, hostile):
    receiver = receive(hostile, hostile, 500)
    sinks = send(tmp_path, receiver.url, range(30), max_events=10, request_timeout_s=1.0)
    assert receiver.seqs() == list(range(30))
    assert receiver.script == []
    assert sinks.lost == {}


def test_webhook_does_not_read_endless_responses(tmp_path, receive):
    def endless(handler: BaseHTTPRequestHandler) -> None:
        receiver.requests[-1] = (204, *receiver.requests[-1][1:])
        handler.connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError):
            while not receiver.released.is_set():
                handler.connection.sendall(b"x" * 65536)

    receiver = receive(endless, endless)
    sinks = send(tmp_path, receiver.url, range(20), max_events=10)
    assert receiver.seqs() == list(range(20)), "each once: its status was 200"
    assert sinks.lost == {}


def test_webhook_receiver_that_hangs_blocks_neither_write_nor_close(tmp_path, receive):
    receiver = receive(hang, hang)
    sinks = send(tmp_path, receiver.url, range(2000), request_timeout_s=600.0, flush_timeout_s=0.1)
    assert not receiver.released.is_set(), "it still hangs"
    assert sinks.lost == {}
    assert count_spooled(tmp_path) == 2000
    receiver.script.clear()
    send(tmp_path, receiver.url, [2000])
    assert receiver.seqs() == list(range(2001))


def test_webhook_keeps_events_until_the_receiver_starts(tmp_path, receive):
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    with capture_logs() as logs:
        send(tmp_path, f"http://127.0.0.1:{port}/", [0], flush_timeout_s=0.1)
    assert count_spooled(tmp_path) == 1
    assert [log["pending"] for log in logs if log["event"] == "undelivered events are kept for the next run"] == [1]
    assert [log["reason"] for log in logs if "reason" in log] == [f"http://127.0.0.1:{port}: Connection refused"]
    receiver = receive()
    send(tmp_path, receiver.url, [1])
    assert receiver.seqs() == [0, 1]


def test_webhook_drops_and_counts_new_events_when_the_spool_is_full(tmp_path, receive):
    receiver = receive(hang)
    with sending(
        tmp_path, receiver.url, max_spool_bytes=1 << 16, request_timeout_s=600.0, flush_timeout_s=0.1
    ) as sinks:
        for seq in range(1000):
            sinks.write(text_event(seq))
    lost = sinks.lost["webhook"]
    assert 0 < lost < 1000
    send(tmp_path, receiver.url, [1000])
    assert receiver.seqs() == [*range(1000 - lost), 1000]


def test_webhook_reports_wrong_settings_on_open(tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK_URL", "nonsense hunter2")
    for options, sentence in (
        ({"secret": "env:NOT_SET_ANYWHERE"}, "There is no secret at env:NOT_SET_ANYWHERE"),
        ({"url": "env:HOOK_URL"}, "env:HOOK_URL does not hold the URL of a webhook"),
        ({"ca_file": tmp_path / "none.pem"}, "none.pem holds no certificates"),
    ):
        settings = WebhookSettings(
            **{"type": "webhook", "url": "https://example.org", "spool": tmp_path / "s", **options}
        )
        with (
            pytest.raises((SinkError, SettingsError), match=sentence) as caught,
            Sinks(sinks_from_settings(Settings(sinks=(settings,)))),
        ):
            pass
        assert "hunter2" not in str(caught.value)


def test_webhook_logs_no_secret(tmp_path, receive, monkeypatch):
    def later(handler: BaseHTTPRequestHandler) -> None:
        answer(handler, 307, location="http://hunter2.example")

    receiver = receive(500, 401, later, reset, hang, 400, 400, 400)
    monkeypatch.setenv("HOOK_SECRET", "hunter2")
    monkeypatch.setenv("HOOK_URL", receiver.url.replace("/in", "/hunter2"))
    with capture_logs() as logs:
        send(tmp_path, "env:HOOK_URL", range(3), secret="env:HOOK_SECRET", request_timeout_s=1.0)
    assert len(logs) >= 5
    assert "hunter2" not in repr(logs)


def test_webhook_sends_nothing_to_an_untrusted_certificate(tmp_path, receive, certificate):
    receiver = receive()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    url = receiver.url.replace("http:", "https:")
    with capture_logs() as logs:
        send(tmp_path, url, [0], flush_timeout_s=0.5)
    assert receiver.requests == []
    assert "certificate verify failed" in logs[0]["reason"]
    send(tmp_path, url, [1], ca_file=certificate[0])
    assert receiver.seqs() == [0, 1]


def test_webhook_times_out_during_tls_handshake(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:  # the system accepts, and nobody answers
        url = f"https://127.0.0.1:{server.getsockname()[1]}/"
        with capture_logs() as logs:
            send(tmp_path, url, [0], request_timeout_s=0.2, flush_timeout_s=1.0)
            send(tmp_path, url, [1], request_timeout_s=600.0, flush_timeout_s=0.1)
    assert any("no answer" in log.get("reason", "") for log in logs)
    assert count_spooled(tmp_path) == 2


WRITER = """
    import sys
    from stream_ocr.config.sinks import WebhookSettings
    from stream_ocr.config.settings import Settings
    from stream_ocr.sinks import Sinks, sinks_from_settings
    from stream_ocr.testing import text_event
    hook = WebhookSettings(type="webhook", url={url!r}, spool={spool!r}, max_events=7, min_backoff_s=0.01)
    with Sinks(sinks_from_settings(Settings(sinks=(hook,)))) as sinks:
        for seq in range({first}, 10**9):
            sinks.write(text_event(seq))
            assert not sinks.lost
            print(seq, flush=True)
"""


def test_webhook_delivers_every_event_in_order_after_kill_9(tmp_path, receive):
    receiver = receive(*[204, 500, 204, reset, 204, 204, 503] * 20)
    written: list[int] = []
    for _ in range(3):
        first = written[-1] + 2 if written else 0  # the one after the last may have been written too
        program = textwrap.dedent(WRITER).format(url=receiver.url, spool=str(tmp_path / "spool"), first=first)
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
            numbers = (int(line) for line in writer.stdout if line.strip().isdigit())  # other lines are log lines
            written += islice(numbers, 300)
            writer.kill()
            written += numbers
    receiver.script.clear()
    send(tmp_path, receiver.url, [written[-1] + 2])
    events = [event for status, _, body in receiver.requests if status == 204 for event in json.loads(body)]
    firsts = list(dict.fromkeys(event["seq"] for event in events))
    assert firsts == sorted(firsts), "in order, apart from repeated ones"
    assert len(written) >= 900
    assert set(written) <= set(firsts), "every event that write() accepted"
    assert len({(event["seq"], event["id"]) for event in events}) == len(firsts), "the same id each time"


def test_webhook_counts_events_lost_to_a_full_disk_and_delivers_the_rest(small_disk, receive):
    receiver = receive(500)
    done = small_disk(f"""
        from stream_ocr.config.sinks import WebhookSettings
        from stream_ocr.config.settings import Settings
        from stream_ocr.sinks import Sinks, sinks_from_settings
        from stream_ocr.testing import text_event
        hook = WebhookSettings(type="webhook", url={receiver.url!r}, spool=disk / "spool", min_backoff_s=5,
            flush_timeout_s=60)
        with Sinks(sinks_from_settings(Settings(sinks=(hook,)))) as sinks:
            for seq in range(2000):
                sinks.write(text_event(seq))
            lost = sinks.lost["webhook"]
        print("lost", lost)
    """)
    assert "lost " in done.stdout, done.stderr
    lost = int(done.stdout.split("lost ")[-1])
    assert 0 < lost < 2000
    assert len(receiver.seqs()) == 2000 - lost
    assert receiver.seqs() == sorted(set(receiver.seqs()))


EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "webhook_receiver.py"


@pytest.mark.parametrize("secret", ["hunter2", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_example_receiver_accepts_only_signed_events(tmp_path, monkeypatch, secret):
    monkeypatch.setenv("HOOK_SECRET", secret)
    program = [sys.executable, str(EXAMPLE), "0"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as example:
        try:
            port = example.stderr.readline().split()[-1]
            url = f"http://127.0.0.1:{port}/"
            send(tmp_path, url, [0, 1], secret="env:HOOK_SECRET")
            monkeypatch.setenv("HOOK_SECRET", "wrong")
            send(tmp_path, url, [2], secret="env:HOOK_SECRET", flush_timeout_s=0.5)
            assert count_spooled(tmp_path) == 1
            monkeypatch.setenv("HOOK_SECRET", secret)
            send(tmp_path, url, [3], secret="env:HOOK_SECRET")
            lines = [example.stdout.readline() for _ in range(4)]
        finally:
            example.kill()
    assert lines == [f"cam-1 {seq} appeared 'TEXT {seq}'\n" for seq in range(4)]
    assert os.environ["HOOK_SECRET"] == secret
