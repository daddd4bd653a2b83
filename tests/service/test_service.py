"""What surrounds a run: its lock, its status over HTTP, systemd."""

import http.client
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream_ocr.cli import camera_table
from stream_ocr.core.messages import Published
from stream_ocr.errors import SettingsError
from stream_ocr.events import SourceEvent
from stream_ocr.runtime.run_counters import RunCounters
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.service.camera_status import Camera
from stream_ocr.service.http import StatusServer
from stream_ocr.service.lock import InstanceLock
from stream_ocr.service.metrics import Metrics
from stream_ocr.service.systemd import Notifier


def test_one_run_for_one_file(tmp_path: Path) -> None:
    config = tmp_path / "live.yaml"
    config.write_text("sources: {}\n")
    with InstanceLock(config) as first:
        with pytest.raises(SettingsError, match=r"live\.yaml is being run already"), InstanceLock(config):
            pass
        anew = tmp_path / "anew"  # as editors write
        anew.write_text("sources: {}\n")
        anew.replace(config)
        first.renew()
        with pytest.raises(SettingsError, match="already"), InstanceLock(config):
            pass
        anew.write_text("sources: {}\n")
        held = len(list(Path("/proc/self/fd").iterdir()))
        with InstanceLock(anew):
            anew.replace(config)
            with pytest.raises(SettingsError, match="already"):
                first.renew()
        assert len(list(Path("/proc/self/fd").iterdir())) == held
        first.renew()
        with pytest.raises(SettingsError, match="already"), InstanceLock(config):
            pass
    with InstanceLock(config):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["live.yaml"]


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_status_over_http() -> None:
    answers = {"/healthz": lambda: (HTTPStatus.OK, b"ok\n"), "/readyz": lambda: (HTTPStatus.SERVICE_UNAVAILABLE, b"")}
    with StatusServer("127.0.0.1:0", answers) as server:
        assert get(server.port, "/healthz") == (200, b"ok\n")
        assert get(server.port, "/readyz") == (503, b"")
        assert get(server.port, "/etc/passwd")[0] == 404
        with pytest.raises(SettingsError, match=f"service.listen is 127.0.0.1:{server.port}, which cannot be had"):
            StatusServer(f"127.0.0.1:{server.port}", {})


class Run:
    """What a run looks like to metrics."""

    def __init__(self, ring: Ring) -> None:
        self.cameras = {'gate "1"': Camera()}
        self.ledger = RunCounters()
        self.restarts = {"detect": 2}
        self.pids = {"detect": 1}
        self.degraded: list[str] = []
        self.rings = {"crops": ring}


def test_metrics_are_read_by_prometheus() -> None:
    ring = Ring.anonymous(4, 16)
    claim = ring.claim()
    assert claim is not None
    ring.commit(claim[0])
    run = Run(ring)
    gap = SourceEvent(id="1", seq=0, kind="source.gap", stream="gate", frames=7, reason="stale")
    up = SourceEvent(id="2", seq=1, kind="source.up", stream="gate")
    camera = run.cameras['gate "1"']
    camera.hear(Published("gate", 0, 0.0, (), (up, gap)))
    camera.hear(Published("gate", 10, 0.0, (), (), time.time_ns()))
    run.ledger.lost_slots["crops"] = 3
    metrics = Metrics(run)
    metrics.latency.labels("gate").observe(0.2)
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }
    assert found["stream_ocr_source_up", 'gate "1"'] == 1
    assert found["stream_ocr_dropped_total", 'gate "1"', "stale"] == 7
    assert found["stream_ocr_worker_restarts_total", "detect"] == 2
    assert found["stream_ocr_slots_in_use", "crops"] == 1
    assert found["stream_ocr_lost_slots_total", "crops"] == 3
    assert found["stream_ocr_latency_seconds_bucket", "0.25", "gate"] == 1
    assert 0 <= found["stream_ocr_age_seconds", 'gate "1"'] < 60
    ring.close()


@contextmanager
def environment(**values: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_systemd_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(10)
        with environment(NOTIFY_SOCKET=str(path), WATCHDOG_USEC="1"):
            notifier = Notifier()
        notifier.ready()
        notifier.alive()
        notifier.stopping()
        assert [listener.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_nobody_is_told_where_nobody_asked() -> None:
    notifier = Notifier()
    notifier.ready()
    notifier.alive()


def test_frames_per_second_and_what_was_lost() -> None:
    camera = Camera()
    assert (camera.state, camera.fps, camera.age_s) == ("starting", 0.0, None)
    down = SourceEvent(id="1", seq=0, kind="source.down", stream="gate", reason="It does not answer.")
    camera.hear(Published("gate", 0, 0.0, (), (down,)))
    assert (camera.state, camera.reason, camera.events) == ("down", "It does not answer.", Counter({"source.down": 1}))
    camera.hear(Published("gate", 100, 0.0, (), (), 1))
    time.sleep(0.05)
    camera.hear(Published("gate", 101, 0.0, (), (), 1))
    assert 0 < camera.fps <= 20


@pytest.fixture
def _threads_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_threads_take_turns_often")
def test_others_may_look_while_a_camera_hears() -> None:
    ring = Ring.anonymous(4, 16)
    run = Run(ring)
    metrics, over = Metrics(run), threading.Event()

    def hear() -> None:
        """What comes, in reasons and cameras that are not there yet."""
        number = 0
        while not over.is_set():
            number += 1
            run.cameras = run.cameras if number % 400 else {}
            camera = run.cameras.setdefault("gate", Camera())
            gap = SourceEvent(id="1", seq=0, kind="source.gap", stream="gate", frames=1, reason=str(number))
            camera.hear(Published("gate", number, 0.0, (), (gap,), 1))

    hearing = threading.Thread(target=hear)
    hearing.start()
    try:
        for _ in range(300):
            for camera in list(run.cameras.values()):
                assert camera.fps >= 0
            camera_table.table(run.cameras)
            metrics.text()
    finally:
        over.set()
        hearing.join()
        ring.close()
