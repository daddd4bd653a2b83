import pytest

from stream_ocr.core.messages import Published
from stream_ocr.runtime.live_supervisor import LiveSupervisor
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.runtime.topology import five_stages
from stream_ocr.service.camera_status import Camera
from stream_ocr.service.run_status import StatusWriter, read_snapshot


@pytest.fixture
def supervisor() -> LiveSupervisor:
    """Return a supervisor that is not started."""
    return LiveSupervisor(five_stages({}, frame_bytes=1), {})


def test_reader_gets_the_latest_snapshot(supervisor: LiveSupervisor) -> None:
    ring, camera, writer = Ring.anonymous(2, 1 << 16), Camera(), StatusWriter(interval_s=0.0)
    assert read_snapshot(ring) is None
    for state in ("starting", "up", "down", "up"):
        camera.state = state
        writer.write(ring, supervisor, {"gate": camera})
        snapshot = read_snapshot(ring)
        assert snapshot is not None
        assert snapshot.cameras["gate"].state == state
    ring.close()


def test_snapshot_holds_camera_and_workers(supervisor: LiveSupervisor) -> None:
    ring, camera = Ring.anonymous(2, 1 << 16), Camera()
    camera.update(Published("gate", 1, 0.5, (), (), 1, ((4, (1, 2, 3, 2, 3, 4, 1, 4)),)))
    camera.latency.observe(0.2)
    StatusWriter().write(ring, supervisor, {"gate": camera})
    snapshot = read_snapshot(ring)
    assert snapshot is not None
    seen = snapshot.cameras["gate"]
    assert (seen.positions, seen.positions_s, seen.updated_s) == (camera.positions, 0.5, camera.updated_s)
    assert seen.latency == camera.latency
    assert snapshot.workers["detect"].restarts == 0
    assert snapshot.checked_s == supervisor.checked_s
    ring.close()


def test_snapshot_that_is_too_long_is_not_written(supervisor: LiveSupervisor) -> None:
    ring = Ring.anonymous(2, 16)
    StatusWriter().write(ring, supervisor, {"gate": Camera()})
    assert read_snapshot(ring) is None
    ring.close()
