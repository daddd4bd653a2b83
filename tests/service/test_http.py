import http.client
import socket
import threading
from contextlib import ExitStack, suppress
from http import HTTPStatus

import pytest

from stream_ocr.errors import SettingsError
from stream_ocr.service.http import StatusServer, open_listener
from stream_ocr.service.thresholds import THRESHOLDS


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


def test_server_routes_its_routes_and_reports_a_port_in_use() -> None:
    routes = {"/healthz": lambda: (HTTPStatus.OK, b"ok\n"), "/readyz": lambda: (HTTPStatus.SERVICE_UNAVAILABLE, b"")}
    listener = open_listener("127.0.0.1:0")
    port = listener.getsockname()[1]
    with StatusServer(listener, routes):
        assert get(port, "/healthz") == (200, b"ok\n")
        assert get(port, "/readyz") == (503, b"")
        assert get(port, "/etc/passwd")[0] == 404
        with pytest.raises(SettingsError, match=f"service.listen is 127.0.0.1:{port}, which is not available"):
            open_listener(f"127.0.0.1:{port}")


def test_half_open_connections_do_not_keep_others_out() -> None:
    listener = open_listener("127.0.0.1:0")
    address = listener.getsockname()
    threads = threading.active_count()
    with StatusServer(listener, {"/healthz": lambda: (HTTPStatus.OK, b"ok\n")}), ExitStack() as opened:
        for _ in range(5 * THRESHOLDS.http_connections):
            opened.enter_context(socket.create_connection(address)).sendall(b"GET /healthz HTTP/1.1\r\n")
        assert get(address[1], "/healthz") == (200, b"ok\n")
        assert threading.active_count() <= threads + 2 * THRESHOLDS.http_connections


def test_endless_and_slow_requests_are_ended() -> None:
    listener = open_listener("127.0.0.1:0")
    address = listener.getsockname()
    with StatusServer(listener, {}), socket.create_connection(address) as slow:
        with socket.create_connection(address) as endless, suppress(ConnectionError):
            endless.sendall(b"GET / HTTP/1.1\r\n")
            while True:  # until the server closes
                endless.sendall(b"X: " + b"x" * 1000 + b"\r\n")
        slow.settimeout(60)
        with suppress(ConnectionResetError):
            assert slow.recv(1) == b""
