"""Counters of workers: sent by each worker once a second, summed by the supervisor over all incarnations."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable

from stream_ocr.core import messages
from stream_ocr.logs import get_logger
from stream_ocr.runtime.control_messages import CountersUpdate, Quarantined, SlotsReclaimed
from stream_ocr.runtime.thresholds import THRESHOLDS
from stream_ocr.runtime.worker_process import WorkerProcess
from stream_ocr.stages.base import Stage

log = get_logger(__name__)


class WorkerCounters:
    """Batches and messages of a worker, and the counters of its stage."""

    def __init__(self, send: Callable[[CountersUpdate], None]) -> None:
        self._send = send
        self._batches = self._messages = 0
        self._sent_s = 0.0

    def add_batch(self, messages: int) -> None:
        """Count a batch of so many messages."""
        self._batches += messages > 0
        self._messages += messages

    def send(self, stage: Stage, *, interval_s: float = THRESHOLDS.counters_interval_s) -> None:
        """Send all counters if the last time is at least ``interval_s`` ago."""
        now = time.monotonic()
        if now - self._sent_s < interval_s:
            return
        self._sent_s = now
        if self._batches:
            self._send(CountersUpdate("", {"batches": self._batches, "messages": self._messages}))
        for stream, counts in stage.counters.items():
            self._send(CountersUpdate(stream, counts))


class RunCounters:
    """Counters of a run, by worker, stream (empty name: the worker itself) and name.

    slots_reclaimed: slots whose references were lost with a worker, by ring. quarantined: messages that killed their
    worker twice, by worker.
    """

    def __init__(self) -> None:
        self.slots_reclaimed: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()
        self._ended: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)  # of earlier incarnations
        self._running: dict[tuple[str, str], Counter[str]] = {}

    def of_stream(self, stream: str) -> Counter[str]:
        """Return the sums over all workers for a stream."""
        keys = {key for key in (*self._ended, *self._running) if key[1] == stream}
        return sum((self._ended.get(key, Counter()) + self._running.get(key, Counter()) for key in keys), Counter())

    def by_stream(self) -> dict[str, Counter[str]]:
        """Return the sums over all workers for every stream."""
        sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for counters in (self._ended, self._running):
            for (_, stream), counts in list(counters.items()):
                sums[stream].update(counts)
        return sums

    def of_worker(self, name: str) -> Counter[str]:
        """Return the counters of a worker itself."""
        return self._ended.get((name, ""), Counter()) + self._running.get((name, ""), Counter())

    def read(self, worker: WorkerProcess) -> None:
        """Take over the updates of a worker since the last call."""
        name = worker.process.name
        for stream, counts in worker.counts.items():
            self._running[name, stream] = Counter(counts)
        for incident in worker.incidents:
            match incident:
                case SlotsReclaimed(ring, slots):
                    self.slots_reclaimed[ring] += slots
                    log.warning("slots lost with a worker are reclaimed", ring=ring, slots=slots)
                case Quarantined(message):
                    self.quarantined[name] += 1
                    log.error(
                        "a message killed its worker twice and is quarantined",
                        worker=name,
                        message=str(messages.decode(message)),
                    )
        worker.incidents.clear()

    def close(self, worker: WorkerProcess) -> None:
        """Keep the counters of a worker that has ended; its successor starts at 0."""
        self.read(worker)
        for key in [key for key in self._running if key[0] == worker.process.name]:
            # A new Counter instead of an update in place: other threads may iterate over the old one.
            self._ended[key] = self._ended[key] + self._running.pop(key)
