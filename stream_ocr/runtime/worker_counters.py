"""What a worker counts, told to its supervisor once a second."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from stream_ocr.runtime.worker_process import CountersUpdate

_EVERY_S = 1.0


@runtime_checkable
class CountingStage(Protocol):
    """A stage that counts."""

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Numbers that only grow, by stream and by what is counted."""
        ...


class WorkerCounters:
    """Batches and messages of a worker, and what its stage counts."""

    def __init__(self, tell: Callable[[CountersUpdate], None]) -> None:
        self._tell = tell
        self._batches = self._messages = 0
        self._told_s = 0.0

    def took(self, messages: int) -> None:
        """A batch of so many messages was taken."""
        self._batches += messages > 0
        self._messages += messages

    def tell(self, stage: object, *, every_s: float = _EVERY_S) -> None:
        """Tell it all, when the last time is long enough ago."""
        now = time.monotonic()
        if now - self._told_s < every_s:
            return
        self._told_s = now
        if self._batches:
            self._tell(CountersUpdate("", {"batches": self._batches, "messages": self._messages}))
        if isinstance(stage, CountingStage):
            for stream, counts in stage.counts.items():
                self._tell(CountersUpdate(stream, counts))
