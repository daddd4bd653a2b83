import time
from collections import Counter

from stream_ocr.core.messages import Published
from stream_ocr.events import SourceEvent
from stream_ocr.service.camera_status import Camera


def test_camera_reports_state_events_and_fps() -> None:
    camera = Camera()
    assert (camera.state, camera.fps, camera.age_s) == ("starting", 0.0, None)
    down = SourceEvent(id="1", seq=0, kind="source.down", stream="gate", reason="It does not answer.")
    camera.update(Published("gate", 0, 0.0, (), (down,)))
    assert (camera.state, camera.reason, camera.events) == ("down", "It does not answer.", Counter({"source.down": 1}))
    camera.update(Published("gate", 100, 0.0, (), (), 1))
    time.sleep(0.05)
    camera.update(Published("gate", 101, 0.0, (), (), 1))
    assert 0 < camera.fps <= 20
