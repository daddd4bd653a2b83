"""Runs of the live supervisor with toy stages."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stream_ocr.core.messages import Message, Published, StreamClosed, Watermark
from stream_ocr.runtime.live_supervisor import LiveSupervisor
from stream_ocr.runtime.topology import Topology

CAMERA = {"frames": 10**9, "pause_s": 0.01}
LONG_S = 60.0  # on a busy machine


def five(sources: Mapping[str, Mapping[str, object]], log: Path, **more: Mapping[str, Any]) -> Topology:
    import toy_stages  # found once the fixture has set the path

    stages: dict[str, dict[str, Any]] = {
        "detect": {"toy": "detect"},
        "track": {"toy": "track"},
        "recognize": {"toy": "recognize"},
        "publish": {"toy": "publish", "log": str(log)},
    }
    for name, options in more.items():
        stages[name] |= options
    topology: Topology = toy_stages.table(sources, slots=6, **stages)
    return topology


class Run:
    """A run and the messages that it has published."""

    def __init__(self, supervisor: LiveSupervisor) -> None:
        self.supervisor = supervisor
        self.messages: list[Message | Watermark] = []
        self._incoming = supervisor.messages()

    def run_until(self, condition: Callable[[], object], within_s: float = LONG_S) -> None:
        """Run until a condition holds."""
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, self.supervisor.restarts
            self.messages.append(next(self._incoming))

    def frames(self, stream: str) -> int:
        return sum(isinstance(message, Published) and message.stream == stream for message in self.messages)

    def publish_more(self, stream: str, count: int = 30) -> None:
        """Run until ``count`` more frames of a stream have been published."""
        until = self.frames(stream) + count
        self.run_until(lambda: self.frames(stream) >= until)

    def stop(self) -> None:
        """Stop the run and collect the remaining messages."""
        self.supervisor.stop()
        self.messages += self._incoming

    def closings(self) -> list[tuple[str, str]]:
        return [(m.stream, m.reason) for m in self.messages if isinstance(m, StreamClosed)]


def seqs(log: Path, stream: str) -> list[tuple[int, int]]:
    """Return (epoch, seq) of the published frames of a stream."""
    rows = (line.split() for line in log.read_text().splitlines())
    return [(int(row[1]), int(row[2])) for row in rows if row[0] == stream and row[1].isdigit()]


def assert_in_order(log: Path) -> None:
    """Check that no frame was published twice or out of order."""
    for stream in "ab":
        published = seqs(log, stream)
        assert published
        assert published == sorted(set(published))


def signal_worker(run: Run, name: str, number: signal.Signals) -> None:
    """Send a signal to a worker; wait until both streams flow again, and check that no other worker was restarted."""
    supervisor, before = run.supervisor, run.supervisor.pids
    count = supervisor.restarts[name]
    os.kill(before[name], number)
    run.run_until(lambda: supervisor.restarts[name] == count + 1)
    run.run_until(lambda: name in supervisor.pids)
    run.publish_more("a", 60)
    run.publish_more("b")
    assert {other for other, pid in supervisor.pids.items() if pid != before[other]} == {name}
