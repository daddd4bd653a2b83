import os
import time
from pathlib import Path

from stream_ocr.runtime.heartbeat import Heartbeat


def test_heartbeat_is_shared_between_mappings() -> None:
    written = Heartbeat.create()
    read = Heartbeat(os.dup(written.fd))
    assert (read.last_ns, read.progress, read.pid, read.state) == (0, 0, 0, "starting")
    start = time.monotonic_ns()
    written.enter("running")
    written.beat()
    written.beat(5)
    written.beat(2)
    assert start <= read.last_ns <= time.monotonic_ns()
    assert (read.progress, read.pid, read.state) == (7, os.getpid(), "running")
    written.close()
    read.close()


def test_heartbeat_close_leaves_no_descriptor() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    heart = Heartbeat.create()
    heart.beat()
    heart.close()
    assert set(Path("/proc/self/fd").iterdir()) <= before
