"""What onlookers see of a run."""

import http.client
import json
from collections.abc import Iterator
from http import HTTPStatus

import cv2
import numpy as np
import pytest

from stream_ocr.core import frame as frames
from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import Flat
from stream_ocr.core.messages import Published
from stream_ocr.runtime.run_counters import RunCounters
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.service.camera_status import Camera
from stream_ocr.service.http import StatusServer
from stream_ocr.service.preview import Preview

GREEN = (145, 54, 34)  # limited range


class Run:
    """One camera that sends."""

    def __init__(self) -> None:
        self.ring = Ring.anonymous(2, 1 << 21)
        self.cameras = {"gate": Camera(), "dark": Camera()}
        self.ledger = RunCounters()
        self.restarts = {"detect": 1}
        self.pids = {"detect": 7}
        self.degraded: list[str] = []
        self.rings = {"frames/gate": self.ring, "frames/dark": Ring.anonymous(2, 1 << 20)}

    def show(
        self,
        yuv: tuple[int, int, int],
        *,
        size: tuple[int, int] = (642, 361),
        full_range: bool = False,
        time_s: float = 0.0,
    ) -> None:
        """Send a picture of one colour through all stages."""
        shapes = size[::-1], *[frames.chroma_size(size)[::-1]] * 2
        y, u, v = (np.full(shape, value, np.uint8) for shape, value in zip(shapes, yuv, strict=True))
        claim = self.ring.claim(timeout_s=0)
        assert claim is not None
        frame = Frame(y, u, v, full_range)
        frames.write(frame, claim[1])
        self.ring.release(self.ring.commit(claim[0], frames.note(frame, time_s)))


@pytest.fixture
def run() -> Iterator[Run]:
    run = Run()
    yield run
    for ring in run.rings.values():
        ring.close()


def decoded(data: bytes | None) -> np.ndarray:
    """(H, W, 3) red first."""
    assert data is not None
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


@pytest.mark.parametrize(
    ("yuv", "full_range", "rgb"), [(GREEN, False, (0, 255, 0)), ((76, 85, 255), True, (254, 0, 0))]
)
def test_the_latest_picture_though_its_slot_was_given_back(run: Run, yuv, full_range, rgb) -> None:
    run.show((16, 128, 128))
    run.show(yuv, full_range=full_range)
    picture = decoded(Preview(run).picture("gate", 300))
    assert picture.shape == (180, 320, 3)
    assert np.abs(picture.reshape(-1, 3).mean(axis=0) - rgb).max() < 6


def test_the_colours_of_a_large_picture_are_those_of_hd(run: Run) -> None:
    run.show((173, 42, 26), size=(1280, 720))  # green by BT.709
    picture = decoded(Preview(run).picture("gate", 640))
    assert picture.shape == (360, 640, 3)
    assert np.abs(picture.reshape(-1, 3).mean(axis=0) - (0, 255, 0)).max() < 6


def test_no_picture_is_made_larger(run: Run) -> None:
    run.show(GREEN)
    assert decoded(Preview(run).picture("gate", 5000)).shape == (361, 642, 3)


def test_many_who_ask_get_the_same_picture(run: Run) -> None:
    onlook = Preview(run)
    run.show(GREEN)
    first = onlook.picture("gate", 320)
    run.show((16, 128, 128))
    assert onlook.picture("gate", 300) is first
    assert onlook.picture("gate", 640) != first


def test_there_is_none_of_a_camera_that_has_sent_none_or_is_unknown(run: Run) -> None:
    onlook = Preview(run)
    assert onlook.picture("dark", 320) is None
    assert onlook.picture("crops", 320) is None


def test_how_everything_does(run: Run) -> None:
    place: Flat = (1, 2, 3, 2, 3, 4, 1, 4)
    run.show(GREEN)
    run.cameras["gate"].hear(Published("gate", 10, 0.4, (), (), 1, ((4, place),)))
    state = json.loads(json.dumps(Preview(run).state()))
    assert state["cameras"]["gate"]["places"] == [[4, [*place]]]
    assert state["cameras"]["gate"]["picture"] > state["cameras"]["dark"]["picture"] == 0
    assert state["cameras"]["dark"]["state"] == "starting"
    assert state["stages"] == {"detect": {"up": True, "restarts": 1, "batch": None}}


@pytest.mark.parametrize(
    ("picture_s", "places_s", "ahead_s"), [(2.5, 2.1, 0.4), (2.0, 2.1, 0.0), (5e6, 5e6 - 0.25, 0.25)]
)
def test_how_much_newer_the_picture_is_than_the_places(run: Run, picture_s, places_s, ahead_s) -> None:
    run.show(GREEN, time_s=picture_s)
    run.cameras["gate"].hear(Published("gate", 10, places_s, (), (), 1))
    assert Preview(run).state()["cameras"]["gate"]["ahead_s"] == pytest.approx(ahead_s)


def ask(port: int, path: str, host: str) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers.get_content_type(), body


def test_only_this_machine_is_shown_pictures(run: Run) -> None:
    run.show(GREEN)
    with StatusServer("127.0.0.1:0", {"/healthz": lambda: (HTTPStatus.OK, b"ok\n")}, Preview(run).show) as server:
        status, kind, body = ask(server.port, "/picture?stream=gate&width=320", f"localhost:{server.port}")
        assert (status, kind) == (200, "image/jpeg")
        assert decoded(body).shape == (180, 320, 3)
        assert ask(server.port, "/picture?stream=gate&width=320", f"evil.example:{server.port}")[0] == 404
        assert ask(server.port, "/healthz", f"evil.example:{server.port}")[0] == 200
        assert ask(server.port, "/live", f"127.0.0.1:{server.port}")[1] == "application/json"
        for path in ("/picture", "/picture?stream=dark", "/picture?stream=gate&width=-1&x", "/live/x"):
            assert ask(server.port, path, f"127.0.0.1:{server.port}")[0] == (200 if "gate" in path else 404), path
