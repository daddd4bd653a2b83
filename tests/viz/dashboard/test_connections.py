"""Connections of the dashboard that send slowly, endlessly, or in masses."""

import socket
import urllib.request
from contextlib import ExitStack, suppress

from stream_ocr.viz.thresholds import DASHBOARD


def connect(address: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1].strip("/"))), timeout=60)


def is_closed(connection: socket.socket) -> bool:
    """Wait for the server to close a connection."""
    with suppress(ConnectionResetError):
        return connection.recv(1) == b""
    return True


def test_half_open_connections_make_room_for_others(serve, log):
    address = serve(log.path)
    with ExitStack() as opened:
        first = opened.enter_context(connect(address))
        for _ in range(DASHBOARD.max_connections + 50):
            opened.enter_context(connect(address)).sendall(b"GET / HTTP/1.1\r\n")
        assert urllib.request.urlopen(f"{address}api/about", timeout=60).status == 200
        assert is_closed(first), "the oldest goes first"


def test_viewers_keep_their_connections_when_there_are_too_many(serve, log):
    address = serve(log.path)
    with urllib.request.urlopen(f"{address}api/events", timeout=60) as viewer, ExitStack() as opened:
        assert viewer.readline() == b"retry: 500\n"
        for _ in range(DASHBOARD.max_connections + 50):
            opened.enter_context(connect(address))
        log.add(log.text("appeared", "GATE 12", 1.0))
        while b"GATE 12" not in viewer.readline():
            pass


def test_requests_that_do_not_end_are_ended(serve, log):
    address = serve(log.path)
    with connect(address) as slow, connect(address) as endless:
        slow.sendall(b"GET / HTTP/1.1\r\n")
        with suppress(ConnectionError):
            endless.sendall(b"GET / HTTP/1.1\r\n")
            while True:
                endless.sendall(b"X: " + b"x" * 1000 + b"\r\n")
        assert is_closed(slow)


def test_connection_can_be_used_again(serve, log):
    with connect(serve(log.path)) as connection:
        for _ in range(3):
            connection.sendall(b"GET /api/about HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while b"}" not in answer:
                answer += connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")
