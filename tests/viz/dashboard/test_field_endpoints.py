"""Named fields over HTTP and WebSocket, and on the page for OBS."""

import json
import time
import urllib.error
import urllib.request

import pytest
from viz.dashboard.served_buffer import Served
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from stream_ocr.testing import text_event
from stream_ocr.viz.thresholds import DASHBOARD


@pytest.fixture
def served():
    served = Served()
    yield served
    served.end()


def texts(message: str) -> dict[str, str]:
    return {name: value["text"] for name, value in json.loads(message).get("cam-1", {}).items()}


def test_fields_are_json(served):
    served.show("3", "home")
    with urllib.request.urlopen(f"http://{served.host}/api/fields") as response:
        assert response.headers["content-type"] == "application/json"
        found = json.load(response)["cam-1"]["home"]
    assert (found["text"], found["visible"], found["track"]) == ("3", True, 0)


def test_socket_sends_the_fields_at_once_and_after_each_change(served):
    served.show("0", "home")
    with connect(f"ws://{served.host}/api/fields/ws") as socket, connect(f"ws://{served.host}/api/fields/ws") as other:
        for each in (socket, other):
            assert texts(each.recv(5)) == {"home": "0"}
        other.send(b"bytes")  # it goes, and harms nobody
        other.close()
        served.buffer.add([text_event(9, text="not a field")])
        served.show("2", "guest", 1)
        assert texts(socket.recv(5)) == {"home": "0", "guest": "2"}


def test_socket_stays_open_while_nothing_happens(served):
    with connect(f"ws://{served.host}/api/fields/ws") as socket:
        assert json.loads(socket.recv(5)) == {}
        time.sleep(DASHBOARD.request_timeout_s + 1)
        served.show("1", "home")
        assert texts(socket.recv(5)) == {"home": "1"}


def test_socket_is_closed_for_long_messages_and_at_the_end(served):
    with connect(f"ws://{served.host}/api/fields/ws") as socket:
        socket.recv(5)
        socket.send("x" * 100_000)
        with pytest.raises(ConnectionClosed):
            socket.recv(5)
    with connect(f"ws://{served.host}/api/fields/ws") as socket:
        socket.recv(5)
        served.end()
        with pytest.raises(ConnectionClosed):
            socket.recv(5)


def test_socket_needs_the_token_and_the_own_page():
    served = Served(token="secret")
    try:
        for path, headers in (
            ("/api/fields/ws", {}),
            ("/api/fields/ws?token=wrong", {}),
            ("/api/fields/ws", {"Cookie": "stream_ocr_token=secret", "Origin": "http://evil.example"}),
        ):
            with pytest.raises(InvalidStatus, match="403"):
                connect(f"ws://{served.host}{path}", additional_headers=headers)
        headers = {"Cookie": "stream_ocr_token=secret", "Origin": f"http://{served.host}"}
        with connect(f"ws://{served.host}/api/fields/ws", additional_headers=headers) as socket:
            assert json.loads(socket.recv(5)) == {}
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://{served.host}/api/fields")
    finally:
        served.end()


@pytest.mark.slow
def test_page_for_obs_shows_fields_on_a_transparent_ground(browse):
    served = Served(token="secret")
    try:
        served.show("<b>0</b>", "home")
        served.show("GUESTS", "name", 1)
        page = browse(f"http://{served.host}/fields?token=secret&field=home&field=guest")
        page.until("document.querySelectorAll('.field').length === 1")
        page.until("document.querySelector('[data-field=home] dd').textContent === '<b>0</b>'")
        served.show("2", "guest", 2)
        page.until("[...document.querySelectorAll('.field')].map((e) => e.dataset.field).join() === 'home,guest'")
        served.show("2", "guest", 2, kind="ended", end=5.0)
        page.until("document.querySelector('[data-field=guest]').dataset.visible === 'false'")
        assert page.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgba(0, 0, 0, 0)"
    finally:
        served.end()
