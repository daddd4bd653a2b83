"""The webhook sink under faults: hostile and absent receivers, kill -9, full disks, TLS errors."""

import json
import socket
import ssl
import subprocess
import sys
import textwrap
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from itertools import islice

import pytest
from sinks.webhook_receiver import count_spooled, hang, reset, send, sending
from structlog.testing import capture_logs

from stream_ocr.testing import text_event


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
