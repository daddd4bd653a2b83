import sys
import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream_ocr.cli import camera_table
from stream_ocr.core.messages import Published
from stream_ocr.events import SourceEvent
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.service.camera_status import Camera
from stream_ocr.service.metrics import Metrics
from stream_ocr.service.run_status import RunSnapshot, WorkerSnapshot, camera_snapshot


class Run:
    """A run with one camera and one ring."""

    def __init__(self, ring: Ring) -> None:
        self.cameras = {'gate "1"': Camera()}
        self.rings = {"crops": ring}

    @property
    def snapshot(self) -> RunSnapshot:
        cameras = {name: camera_snapshot(camera, {"frames": 7}) for name, camera in self.cameras.items()}
        workers = {"detect": WorkerSnapshot(up=True, restarts=2)}
        return RunSnapshot(time.monotonic(), [], cameras, workers, {"crops": 3})


def test_metrics_are_parsed_by_prometheus() -> None:
    ring = Ring.anonymous(4, 16)
    claim = ring.claim()
    assert claim is not None
    ring.commit(claim[0])
    run = Run(ring)
    gap = SourceEvent(id="1", seq=0, kind="source.gap", stream="gate", frames=7, reason="stale")
    up = SourceEvent(id="2", seq=1, kind="source.up", stream="gate")
    camera = run.cameras['gate "1"']
    camera.update(Published("gate", 0, 0.0, (), (up, gap)))
    camera.update(Published("gate", 10, 0.0, (), (), time.time_ns()))
    camera.latency.observe(0.2)
    camera.latency.observe(99.0)
    metrics = Metrics(run)
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }
    assert found["stream_ocr_source_up", 'gate "1"'] == 1
    assert found["stream_ocr_dropped_total", 'gate "1"', "stale"] == 7
    assert found["stream_ocr_worker_restarts_total", "detect"] == 2
    assert found["stream_ocr_slots_in_use", "crops"] == 1
    assert found["stream_ocr_slots_reclaimed_total", "crops"] == 3
    assert found["stream_ocr_latency_seconds_bucket", "0.25", 'gate "1"'] == 1
    assert found["stream_ocr_latency_seconds_count", 'gate "1"'] == 2
    assert found["stream_ocr_frames_total", 'gate "1"'] == 7
    assert 0 <= found["stream_ocr_age_seconds", 'gate "1"'] < 60
    ring.close()


@pytest.fixture
def _frequent_thread_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_frequent_thread_switches")
def test_camera_table_can_be_rendered_while_cameras_are_updated() -> None:
    cameras: dict[str, Camera] = {}
    stop = threading.Event()

    def update() -> None:
        """Update with new reasons and new cameras."""
        number = 0
        while not stop.is_set():
            number += 1
            if number % 400 == 0:
                cameras.clear()
            camera = cameras.setdefault("gate", Camera())
            gap = SourceEvent(id="1", seq=0, kind="source.gap", stream="gate", frames=1, reason=str(number))
            camera.update(Published("gate", number, 0.0, (), (gap,), 1))

    updating = threading.Thread(target=update)
    updating.start()
    try:
        for _ in range(300):
            for camera in list(cameras.values()):
                assert camera.fps >= 0
            camera_table.render_table(cameras)
    finally:
        stop.set()
        updating.join()
