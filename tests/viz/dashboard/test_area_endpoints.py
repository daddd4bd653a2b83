"""The endpoint that saves areas: who may use it, and what it answers to rubbish, conflicts and mistakes."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from viz.dashboard.served_buffer import Served

from stream_ocr.service.area_editor import AreaEditor

TOP = [[0, 0], [1, 0], [1, 0.25]]
TEXT = "# the site\nsources:\n  gate:  # main\n    path: /dev/null\n"


class Client:
    """Sends requests to the page of a run whose settings file is ``file``."""

    def __init__(self, served: Served, file: Path) -> None:
        self.host, self.file = served.host, file

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def version(self) -> str:
        return json.loads(self.send("GET", "/api/areas")[1])["version"]

    def put(self, camera: str = "gate", *, version: str | None = None, areas: dict | None = None, **headers: str):
        change = {"version": version or self.version(), "regions": [], "masks": [], "fields": {}, **(areas or {})}
        headers = {"Content_Type": "application/json", **headers}
        return self.send("PUT", f"/api/areas/{camera}", json.dumps(change).encode(), **headers)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "live.yaml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def client(file: Path) -> Iterator[Client]:
    served = Served(editor=AreaEditor(file, []))
    yield Client(served, file)
    served.end()


def test_areas_are_described_and_saved(client: Client) -> None:
    status, body = client.put(areas={"regions": [TOP], "fields": {"score": {"region": TOP, "pattern": "1"}}})
    assert status == 200
    assert json.loads(body)["version"] == client.version()
    described = json.loads(client.send("GET", "/api/areas")[1])
    assert described["cameras"]["gate"]["fields"] == {"score": {"region": TOP, "pattern": "1"}}
    assert client.file.read_text().startswith(TEXT + "    regions:\n      - [[0, 0], [1, 0], [1, 0.25]]\n")


def test_conflict_and_mistakes_are_sentences(client: Client) -> None:
    version = client.version()
    client.file.write_text(TEXT + "# mine\n")
    sentence = b"live.yaml has changed since this page read it; read it again.\n"
    assert client.put(version=version) == (409, sentence)
    status, sentence = client.put(areas={"fields": {"score": {"region": TOP, "pattern": "("}}})
    assert (status, b"sources.gate.fields.score.pattern: it is not a valid regular expression" in sentence) == (
        422,
        True,
    )
    assert client.put("nobody")[1] == b"There is no camera 'nobody'.\n"
    client.file.chmod(0o444)
    status, sentence = client.put()
    assert (status, b"live.yaml is read-only; allow this program to write it" in sentence) == (422, True)
    assert client.file.read_text() == TEXT + "# mine\n"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\xff{", 400),
        (b"[" * 100_000, 400),
        (b'{"version": "", "regions": [], "masks": [], "fields": {}, "url": "x"}', 400),
        (b'{"version": "", "regions": [[[0, 0], [1, 1]]], "masks": [], "fields": {}}', 400),
        (b'{"version": "", "regions": [[[0, 0], [1, 1], [1, "x"]]], "masks": [], "fields": {}}', 400),
        (json.dumps({"version": "", "regions": [TOP] * 101, "masks": [], "fields": {}}).encode(), 400),
        (b'{"version": "", "regions": [[[0, 0], [1, 1], [1, 1e999]]], "masks": [], "fields": {}}', (400, 409, 422)),
        (b" " * 300_000, 413),
        (b'{"version": "", "regions": [], "masks": [], "fields": {}}', 409),
    ],
)
def test_rubbish_is_refused(client: Client, body: bytes, status: int | tuple[int, ...]) -> None:
    answered, sentence = client.send("PUT", "/api/areas/gate", body, Content_Type="application/json")
    assert answered in (status if isinstance(status, tuple) else (status,))
    assert len(sentence) < 300
    assert client.file.read_text() == TEXT


def test_requests_of_other_sites_are_refused(client: Client) -> None:
    refused = (403, b"A page of another site must not send requests here.\n")
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://{client.host}", "Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        assert client.put(version="x", **headers) == refused
        assert client.send("GET", "/api/areas", **headers) == refused
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        assert client.put(version="x", Content_Type=kind)[0] == 415
    for method in ("POST", "DELETE", "OPTIONS"):  # OPTIONS: the preflight of a browser
        assert client.send(method, "/api/areas/gate", b"{}", Origin="https://evil.example")[0] == 403
    assert client.put(Origin=f"http://{client.host}", Sec_Fetch_Site="same-origin")[0] == 200
    assert client.put(version="x", Host="evil.example")[0] == 421


def test_token_is_required(file: Path) -> None:
    served = Served(token="t" * 32, editor=AreaEditor(file, []))
    client = Client(served, file)
    assert client.send("GET", "/api/areas")[0] == 401
    assert client.put(version="x")[0] == 401
    bearer = {"Authorization": f"Bearer {'t' * 32}"}
    version = json.loads(client.send("GET", "/api/areas", **bearer)[1])["version"]
    assert client.put(version=version, **bearer)[0] == 200
    served.end()


def test_without_an_editor_nothing_can_be_changed(file: Path) -> None:
    served = Served()
    client = Client(served, file)
    assert json.loads(client.send("GET", "/api/about")[1])["edit"] is False
    for status, sentence in (client.send("GET", "/api/areas"), client.put(version="x")):
        assert status == 403
        assert b"dashboard.edit" in sentence
    served.end()


def test_body_that_does_not_end_is_ended(client: Client) -> None:
    host, _, port = client.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(
            f"PUT /api/areas/gate HTTP/1.1\r\nHost: {client.host}\r\nContent-Type: application/json\r\n"
            "Content-Length: 100\r\n\r\n{".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
