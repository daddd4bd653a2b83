"""What the workers of a run have counted, over all lives of each."""

from collections import Counter, defaultdict

import structlog

from stream_ocr.core import messages
from stream_ocr.runtime.worker_process import Quarantined, SlotsReclaimed, WorkerProcess

log = structlog.get_logger(__name__)


class RunCounters:
    """Counts by worker, stream (the empty name: the worker itself) and what is counted.

    lost_slots: taken back because their references had been lost, by ring. set_aside: messages that killed their
    worker twice, by worker.
    """

    def __init__(self) -> None:
        self.lost_slots: Counter[str] = Counter()
        self.set_aside: Counter[str] = Counter()
        self._before: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)  # of lives that have ended
        self._now: dict[tuple[str, str], Counter[str]] = {}

    def counts(self, stream: str) -> Counter[str]:
        """What all workers have counted of a stream."""
        keys = {key for key in (*self._before, *self._now) if key[1] == stream}
        return sum((self._before.get(key, Counter()) + self._now.get(key, Counter()) for key in keys), Counter())

    def of_worker(self, name: str) -> Counter[str]:
        """What a worker has counted of itself."""
        return self._before.get((name, ""), Counter()) + self._now.get((name, ""), Counter())

    def read(self, worker: WorkerProcess) -> None:
        """Take in what a worker has said of late."""
        name = worker.process.name
        for stream, counts in worker.counts.items():
            self._now[name, stream] = Counter(counts)
        for news in worker.news:
            match news:
                case SlotsReclaimed(ring, slots):
                    self.lost_slots[ring] += slots
                    log.warning("slots that were lost with a worker are back", ring=ring, slots=slots)
                case Quarantined(message):
                    self.set_aside[name] += 1
                    log.error(
                        "a message killed its worker twice and is set aside",
                        worker=name,
                        message=str(messages.decode(message)),
                    )
        worker.news.clear()

    def close(self, worker: WorkerProcess) -> None:
        """A worker has ended, and its successor counts from 0."""
        self.read(worker)
        for key in [key for key in self._now if key[0] == worker.process.name]:
            self._before[key] = self._before[key] + self._now.pop(key)  # anew: others may be looking through it
