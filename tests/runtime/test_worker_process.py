"""A worker as its supervisor sees it."""

import os
import signal
import time
from pathlib import Path

import pytest
from runtime.live_run import five

from stream_ocr.runtime.topology import service
from stream_ocr.runtime.worker_pool import WorkerPool


@pytest.mark.usefixtures("toys", "no_leftovers")
def test_worker_that_is_stopped_between_ready_and_running_counts_as_silent(tmp_path: Path) -> None:
    with (tmp_path / "served").open("ab") as file, WorkerPool(five({}, tmp_path / "log"), {}, live=True) as pool:
        worker = pool.start(service("web", "toy_stages:serving", fds={"log": file.fileno()}))
        try:
            deadline = time.monotonic() + 30
            while worker.ready is None:
                assert worker.failure() is None
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert (worker.silence_s(0.0), worker.silence_s(9.0)) == (0.0, 0.0), "it waits for its start"
            os.kill(worker.fork.pid, signal.SIGSTOP)
            worker.start_source()
            assert [worker.silence_s(watched_s) for watched_s in (10.0, 12.0)] == [1.0, 3.0]
            assert worker.heartbeat.state == "starting"
        finally:
            worker.fork.kill()
            worker.end(10.0)
