"""A dashboard that cannot reach the fleet."""

import resource

import pytest

pytest.importorskip("ray")

from stream_ocr.errors import WorkerError
from stream_ocr.fleet.watcher import FleetWatcher


def test_watcher_says_at_the_start_that_there_is_no_cluster() -> None:
    with pytest.raises(WorkerError, match=r"There is no Ray cluster at '127\.0\.0\.1:1'"), FleetWatcher("127.0.0.1:1"):
        pass


def test_watcher_says_that_its_process_cannot_be_started() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    watcher = FleetWatcher("127.0.0.1:1")
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))  # the standard streams
    try:
        with pytest.raises(WorkerError, match=r"cannot be started: .*Too many open files"), watcher:
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
