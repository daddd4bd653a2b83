"""Harness for tests of the decode stage for live sources: it runs in a thread and keeps its messages.

Time-outs are short to keep the tests short; the bounds are those of the defaults, scaled.
"""

import threading
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import frame_in_buffer
from stream_ocr.core.messages import FrameRef, Message, SourceChanged, StreamClosed
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.stages.decode_live import LiveDecodeStage
from stream_ocr.synthetic.scene import Scene, Text, clock, linear_path

SIZE = (640, 360)


LIVE = {
    "connect_timeout_s": 1.0,
    "read_timeout_s": 0.5,
    "frame_timeout_s": 3.0,
    "min_backoff_s": 0.1,
    "max_backoff_s": 5.0,
}


NO_DROPS = {"max_latency_s": 20.0}
"""For tests that count frames: a busy machine may delay them by a second."""


SCENE = Scene(
    (
        Text(clock("12:34:56"), 0, 4, (40, 24), height=28, outline=None, panel=(20, 20, 28)),
        Text("PLATFORM", 0, 4, linear_path(0, (40, 170), 4, (420, 120)), height=30),
    ),
    4.0,
    SIZE,
)


class Harness:
    """Runs a stage in a thread and keeps its messages with the monotonic time; slots are released at once."""

    def __init__(self, source: dict, *, slots: int = 12, release: bool = True, **settings: object) -> None:
        values = {"sources": {"gate": source}, **settings}
        values["live"] = {**LIVE, **values.get("live", {})}
        self.ring = Ring.anonymous(slots, 4 << 20)
        self.messages: list[tuple[float, Message]] = []
        self.lumas: list[np.ndarray] = []
        self.filled: list[int] = []  # number of writes to the ring before each message
        self.hold = threading.Event()
        self._release = release
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._stage = LiveDecodeStage("gate", Settings.model_validate(values), self.ring)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Harness":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> StreamClosed:
        """Stop the stage and return its last message."""
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        closed = self.messages[-1][1]
        assert isinstance(closed, StreamClosed)
        return closed

    def _run(self) -> None:
        with self._stage as stage:
            for message in stage.run(self._stop.is_set):
                if isinstance(message, FrameRef) and message.slot is not None:
                    self.lumas.append(frame_in_buffer(self.ring.view(message.slot), message.size).y[::4, ::4].copy())
                    if self._release:
                        self.ring.release(message.slot)
                with self._changed:
                    self.filled.append(self.ring.filled)
                    self.messages.append((time.monotonic(), message))
                    self._changed.notify_all()
                while self.hold.is_set() and not self._stop.is_set():
                    time.sleep(0.01)

    def wait_until(self, condition: Callable[[], object], limit_s: float) -> object:
        """Wait until ``condition`` is true and return its value."""
        with self._changed:
            assert self._changed.wait_for(condition, limit_s), f"not within {limit_s} s; last: {self.messages[-3:]}"
            return condition()

    @property
    def frames(self) -> list[FrameRef]:
        return [message for _, message in self.messages if isinstance(message, FrameRef)]

    @property
    def changes(self) -> list[SourceChanged]:
        return [message for _, message in self.messages if isinstance(message, SourceChanged)]

    def kinds(self) -> list[str]:
        return [change.kind for change in self.changes]

    def wait_until_up(self, times: int = 1, limit_s: float = 8.0) -> None:
        """Wait until the source has been up ``times`` times and yields frames."""
        self.wait_until(
            lambda: self.kinds().count("up") >= times and isinstance(self.messages[-1][1], FrameRef), limit_s
        )

    def wait_until_down(self, times: int = 1, limit_s: float = 8.0) -> SourceChanged:
        self.wait_until(lambda: self.kinds().count("down") >= times, limit_s)
        return next(change for change in self.changes if change.kind == "down")

    def wait_for_frames(self, more: int, limit_s: float = 8.0) -> None:
        """Wait for a number of further frames."""
        enough = len(self.frames) + more
        self.wait_until(lambda: len(self.frames) >= enough, limit_s)

    def media_time_increases(self) -> bool:
        """Return whether media time has increased with every frame."""
        return all(a.stamp.pts < b.stamp.pts for a, b in pairwise(self.frames))


def down_reason(harness: Harness) -> str:
    """Return why a source is down that was never up."""
    with harness:
        down = harness.wait_until_down()
        assert harness.kinds()[0] == "down"
        assert not harness.frames
        closed = harness.stop()
    assert (closed.reason, closed.counts["frames"]) == ("interrupted", 0)
    return down.reason
