import os
import time
from pathlib import Path

from stream_ocr.runtime.heartbeat import Heartbeats


def test_a_beat_is_seen_through_another_mapping() -> None:
    written = Heartbeats.create(3)
    read = Heartbeats(os.dup(written.fd))
    start = time.monotonic_ns()
    written[1].enter("running")
    written[1].beat()
    written[1].beat(5)
    written[1].beat(2)
    assert start <= read[1].last_ns <= time.monotonic_ns()
    assert (read[1].progress, read[1].pid, read[1].state) == (7, os.getpid(), "running")
    for other in (read[0], read[2]):
        assert (other.last_ns, other.progress, other.pid, other.state) == (0, 0, 0, "starting")
    written.close()
    read.close()


def test_close_leaves_no_descriptor() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    hearts = Heartbeats.create(1)
    hearts[0].beat()
    hearts.close()
    assert set(Path("/proc/self/fd").iterdir()) <= before
