"""Preview of a run: status, frames, HTTP."""

import http.client
import json
import time
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest

from stream_ocr.core import frame as frames
from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import FlatQuad
from stream_ocr.core.messages import Published
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.service.camera_status import Camera
from stream_ocr.service.http import StatusServer, open_listener
from stream_ocr.service.preview import Preview
from stream_ocr.service.run_status import RunSnapshot, WorkerSnapshot, camera_snapshot
from stream_ocr.service.ticket import Tickets

GREEN = (145, 54, 34)  # limited range


class Run:
    """A run with one camera that sends and one that does not."""

    def __init__(self) -> None:
        self.ring = Ring.anonymous(2, 1 << 21)
        self.cameras = {"gate": Camera(), "dark": Camera()}
        self.rings = {"frames/gate": self.ring, "frames/dark": Ring.anonymous(2, 1 << 20)}

    @property
    def snapshot(self) -> RunSnapshot:
        cameras = {name: camera_snapshot(camera, {}) for name, camera in self.cameras.items()}
        return RunSnapshot(time.monotonic(), [], cameras, {"detect": WorkerSnapshot(up=True, restarts=1)}, {})

    def show(
        self,
        yuv: tuple[int, int, int],
        *,
        size: tuple[int, int] = (642, 361),
        full_range: bool = False,
        time_s: float = 0.0,
    ) -> None:
        """Send a frame of one colour through all stages."""
        shapes = size[::-1], *[frames.chroma_size(size)[::-1]] * 2
        y, u, v = (np.full(shape, value, np.uint8) for shape, value in zip(shapes, yuv, strict=True))
        claim = self.ring.claim(timeout_s=0)
        assert claim is not None
        frame = Frame(y, u, v, full_range)
        frames.write_frame(frame, claim[1])
        self.ring.release(self.ring.commit(claim[0], frames.pack_header(frame, time_s)))


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
def test_latest_jpeg_is_of_the_latest_frame_even_after_its_slot_is_released(run: Run, yuv, full_range, rgb) -> None:
    run.show((16, 128, 128))
    run.show(yuv, full_range=full_range)
    image = decoded(Preview(run).latest_jpeg("gate", 300))
    assert image.shape == (180, 320, 3)
    assert np.abs(image.reshape(-1, 3).mean(axis=0) - rgb).max() < 6


def test_latest_jpeg_uses_bt709_for_hd_frames(run: Run) -> None:
    run.show((173, 42, 26), size=(1280, 720))  # green by BT.709
    image = decoded(Preview(run).latest_jpeg("gate", 640))
    assert image.shape == (360, 640, 3)
    assert np.abs(image.reshape(-1, 3).mean(axis=0) - (0, 255, 0)).max() < 6


def test_latest_jpeg_never_enlarges(run: Run) -> None:
    run.show(GREEN)
    assert decoded(Preview(run).latest_jpeg("gate", 5000)).shape == (361, 642, 3)


def test_latest_jpeg_is_cached_by_width(run: Run) -> None:
    preview = Preview(run)
    run.show(GREEN)
    first = preview.latest_jpeg("gate", 320)
    run.show((16, 128, 128))
    assert preview.latest_jpeg("gate", 300) is first
    assert preview.latest_jpeg("gate", 640) != first


def test_latest_jpeg_is_none_for_silent_and_unknown_cameras(run: Run) -> None:
    preview = Preview(run)
    assert preview.latest_jpeg("dark", 320) is None
    assert preview.latest_jpeg("crops", 320) is None


def test_status_lists_cameras_and_stages(run: Run) -> None:
    quad: FlatQuad = (1, 2, 3, 2, 3, 4, 1, 4)
    run.show(GREEN)
    run.cameras["gate"].update(Published("gate", 10, 0.4, (), (), 1, ((4, quad),)))
    state = json.loads(json.dumps(Preview(run).status()))
    assert state["cameras"]["gate"]["positions"] == [[4, [*quad]]]
    assert state["cameras"]["gate"]["frame_number"] > state["cameras"]["dark"]["frame_number"] == 0
    assert state["cameras"]["dark"]["state"] == "starting"
    assert state["stages"] == {"detect": {"up": True, "restarts": 1, "batch": None}}


@pytest.mark.parametrize(
    ("frame_s", "positions_s", "lead_s"), [(2.5, 2.1, 0.4), (2.0, 2.1, 0.0), (5e6, 5e6 - 0.25, 0.25)]
)
def test_status_tells_how_far_the_frame_is_ahead_of_the_positions(run: Run, frame_s, positions_s, lead_s) -> None:
    run.show(GREEN, time_s=frame_s)
    run.cameras["gate"].update(Published("gate", 10, positions_s, (), (), 1))
    assert Preview(run).status()["cameras"]["gate"]["lead_s"] == pytest.approx(lead_s)


def ask(port: int, path: str, host: str) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers.get_content_type(), body


def test_preview_is_served_to_this_machine_only(run: Run) -> None:
    run.show(GREEN)
    listener = open_listener("127.0.0.1:0")
    port = listener.getsockname()[1]
    with StatusServer(listener, {"/healthz": lambda: (HTTPStatus.OK, b"ok\n")}, Preview(run).handle):
        status, kind, body = ask(port, "/picture?stream=gate&width=320", f"localhost:{port}")
        assert (status, kind) == (200, "image/jpeg")
        assert decoded(body).shape == (180, 320, 3)
        assert ask(port, "/picture?stream=gate&width=320", f"evil.example:{port}")[0] == 404
        assert ask(port, "/healthz", f"evil.example:{port}")[0] == 200
        assert ask(port, "/live", f"127.0.0.1:{port}")[1] == "application/json"
        for path in ("/picture", "/picture?stream=dark", "/picture?stream=gate&width=-1&x", "/live/x"):
            assert ask(port, path, f"127.0.0.1:{port}")[0] == (200 if "gate" in path else 404), path


def test_preview_is_served_to_other_machines_with_a_ticket(run: Run) -> None:
    run.show(GREEN)
    tickets, listener = Tickets(b"key"), open_listener("127.0.0.1:0")
    port = listener.getsockname()[1]
    gate, dark = (urlencode(tickets.issue(stream, time.time())) for stream in ("gate", "dark"))
    with StatusServer(listener, {}, Preview(run).handle, lambda path, query: tickets.admits(path, query, time.time())):
        status, kind, body = ask(port, f"/picture?width=320&{gate}", f"10.0.0.7:{port}")
        assert (status, kind) == (200, "image/jpeg")
        assert decoded(body).shape == (180, 320, 3)
        for path in (f"/picture?{gate}&stream=dark", f"/picture?{dark}", f"/live?{gate}", "/picture?stream=gate"):
            assert ask(port, path, f"10.0.0.7:{port}")[0] == 404, path
