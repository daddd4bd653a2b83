import http.client
from http import HTTPStatus

import pytest

from stream_ocr.errors import SettingsError
from stream_ocr.service.http import StatusServer


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response.status, body


def test_server_routes_its_routes_and_reports_a_port_in_use() -> None:
    routes = {"/healthz": lambda: (HTTPStatus.OK, b"ok\n"), "/readyz": lambda: (HTTPStatus.SERVICE_UNAVAILABLE, b"")}
    with StatusServer("127.0.0.1:0", routes) as server:
        assert get(server.port, "/healthz") == (200, b"ok\n")
        assert get(server.port, "/readyz") == (503, b"")
        assert get(server.port, "/etc/passwd")[0] == 404
        with pytest.raises(SettingsError, match=f"service.listen is 127.0.0.1:{server.port}, which is not available"):
            StatusServer(f"127.0.0.1:{server.port}", {})
