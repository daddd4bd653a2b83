"""Status of each camera of a run."""

import time
from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import accumulate

import msgspec

from stream_ocr.core.messages import Published
from stream_ocr.events import SourceEvent, TextEvent
from stream_ocr.events.polygon import FlatQuad
from stream_ocr.service.thresholds import THRESHOLDS


class LatencyCounts(msgspec.Struct):
    """Histogram of latencies. buckets: their number within each of ``latency_buckets_s``, and beyond the last."""

    buckets: list[int] = msgspec.field(default_factory=lambda: [0] * (len(THRESHOLDS.latency_buckets_s) + 1))
    sum_s: float = 0.0

    def observe(self, latency_s: float) -> None:
        """Count a latency."""
        self.buckets[bisect_left(THRESHOLDS.latency_buckets_s, latency_s)] += 1
        self.sum_s += latency_s

    def cumulative(self) -> list[tuple[str, float]]:
        """Return (upper bound, number of latencies up to it), as Prometheus has them."""
        bounds = [*map(float, THRESHOLDS.latency_buckets_s)]
        return list(zip([*map(str, bounds), "+Inf"], accumulate(self.buckets), strict=True))


@dataclass
class Camera:
    """Status of one camera. ``texts`` are the latest ones. latency: from the decoding of frames to their events.

    Only one thread calls ``update``. Other threads copy what they iterate over: ``list(camera.texts)``.
    """

    state: str = "starting"  # starting, up, down, closed
    reason: str | None = None
    events: Counter[str] = field(default_factory=Counter)  # by kind
    dropped: Counter[str] = field(default_factory=Counter)  # frames by reason
    latency: LatencyCounts = field(default_factory=LatencyCounts)
    texts: deque[str] = field(default_factory=lambda: deque(maxlen=THRESHOLDS.recent_texts))
    positions: tuple[tuple[int, FlatQuad], ...] = ()  # current (track, quad) of the texts
    positions_s: float = 0.0  # their media time
    updated_s: float | None = None  # monotonic time at which a frame last passed all stages
    _progress: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def age_s(self) -> float | None:
        """Seconds since a frame last passed all stages; None before the first."""
        return None if self.updated_s is None else time.monotonic() - self.updated_s

    @property
    def fps(self) -> float:
        """Frames per second that recently passed all stages."""
        since_s = time.monotonic() - THRESHOLDS.recent_s
        recent = [entry for entry in list(self._progress) if entry[0] > since_s]
        if len(recent) < 2 or recent[-1][0] == recent[0][0]:
            return 0.0
        return max(recent[-1][1] - recent[0][1], 0) / (recent[-1][0] - recent[0][0])

    def update(self, message: Published) -> None:
        """Update the status from a message of the last stage."""
        now = time.monotonic()
        for source in message.source_events:
            self._update_from_source(source)
        if not message.captured_ns:
            return
        self.updated_s = now
        self._progress.append((now, message.frames))
        self.positions, self.positions_s = message.positions, message.time_s
        while self._progress[0][0] < now - THRESHOLDS.recent_s:
            self._progress.popleft()
        for event in message.events:
            self._update_from_text(event)
        if message.events:
            self.latency.observe(max(time.time_ns() - message.captured_ns, 0) / 1e9)

    def _update_from_source(self, event: SourceEvent) -> None:
        self.events[event.kind] += 1
        if event.kind == "source.gap":
            self.dropped[event.reason or "unknown"] += event.frames or 0
            return
        self.state = "up" if event.kind == "source.up" else "down"
        self.reason = event.reason

    def _update_from_text(self, event: TextEvent) -> None:
        self.events[event.kind] += 1
        if event.kind != "ended" and event.text not in self.texts:
            self.texts.append(event.text)
