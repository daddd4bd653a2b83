"""A dashboard that cannot reach the fleet."""

import pytest

pytest.importorskip("ray")

from stream_ocr.errors import WorkerError
from stream_ocr.fleet.watcher import FleetWatcher


def test_watcher_says_at_the_start_that_there_is_no_cluster() -> None:
    with pytest.raises(WorkerError, match=r"There is no Ray cluster at '127\.0\.0\.1:1'"), FleetWatcher("127.0.0.1:1"):
        pass
