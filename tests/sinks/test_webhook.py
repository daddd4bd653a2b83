"""The webhook sink: batches, signatures, retries, settings; each receiver is a real server on a real socket."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from sinks.webhook_receiver import answer, count_spooled, hang, reset, send
from structlog.testing import capture_logs

from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import WebhookSettings
from stream_ocr.errors import SettingsError, SinkError
from stream_ocr.sinks import Sinks, sinks_from_settings
from stream_ocr.sinks.webhook import retry_after_s, signing_key


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
