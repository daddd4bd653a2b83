"""Queue between the thread that reads a live source and the stage: frames in order, none of them too old."""

import threading
import time
from collections import deque
from dataclasses import dataclass, replace

from stream_ocr.core.frame import byte_count
from stream_ocr.core.messages import SourceChanged
from stream_ocr.sources.decoded_frame import DecodedFrame
from stream_ocr.sources.thresholds import QUEUE


@dataclass(frozen=True, slots=True)
class QueuedFrame:
    """A frame for the stage.

    due_s, arrived_s: monotonic times at which it should have arrived and did arrive. dropped_before: number of frames
    dropped directly before it.
    """

    decoded: DecodedFrame
    due_s: float
    arrived_s: float
    dropped_before: int = 0


class FrameQueue:
    """Drops frames that have become too old or exceed the memory; never drops changes of the source."""

    def __init__(self, max_age_s: float) -> None:
        """Create an empty queue. max_age_s: age from which frames are dropped, counted from ``due_s``."""
        self._max_age_s = max_age_s
        self._items: deque[QueuedFrame | SourceChanged] = deque()
        self._filled = threading.Condition()
        self._bytes = 0
        self._dropped = 0
        self._behind = False
        self._taken_s = time.monotonic()

    def put(self, item: QueuedFrame | SourceChanged) -> None:
        """Append an item without waiting."""
        with self._filled:
            if isinstance(item, QueuedFrame):
                self._bytes += byte_count(item.decoded.frame.size)
            self._items.append(item)
            while self._bytes > QUEUE.max_bytes:
                self._drop_oldest()
            self._filled.notify()

    def take(self, timeout_s: float) -> QueuedFrame | SourceChanged | None:
        """Remove and return the next item, or None if none arrives in time."""
        deadline_s = time.monotonic() + timeout_s
        with self._filled:
            while True:
                while self._items:
                    item = self._items.popleft()
                    if isinstance(item, SourceChanged):
                        return item
                    self._bytes -= byte_count(item.decoded.frame.size)
                    if not self._is_too_old(item):
                        self._taken_s = time.monotonic()
                        return replace(item, dropped_before=self._take_dropped())
                    self._dropped += 1
                left_s = deadline_s - time.monotonic()
                if left_s <= 0 or not self._filled.wait(left_s):
                    return None

    def take_dropped(self) -> int:
        """Return the number of dropped frames that no later frame has reported, and count from zero again."""
        with self._filled:
            return self._take_dropped()

    def _take_dropped(self) -> int:
        dropped, self._dropped = self._dropped, 0
        return dropped

    def _is_too_old(self, item: QueuedFrame) -> bool:
        """Return whether a frame is dropped. After the first one, all go that do not bring the stage up to date."""
        now_s = time.monotonic()
        limit_s = self._max_age_s * (QUEUE.catch_up if self._behind else 1.0)
        self._behind = now_s - item.due_s > limit_s
        starved = now_s - self._taken_s > QUEUE.starvation * self._max_age_s and not self._items
        return self._behind and not starved  # a source that is always late still shows a frame now and then

    def _drop_oldest(self) -> None:
        for index, item in enumerate(self._items):
            if isinstance(item, QueuedFrame):
                del self._items[index]
                self._bytes -= byte_count(item.decoded.frame.size)
                self._dropped += 1
                return
