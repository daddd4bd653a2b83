"""What a reader leaves for a stage to fetch: pictures in order, none of them stale."""

import threading
import time
from collections import deque
from dataclasses import dataclass, replace

from stream_ocr.core.frame import byte_count
from stream_ocr.core.messages import SourceChanged
from stream_ocr.sources.decoded_frame import DecodedFrame

_MOST_BYTES = 256 << 20
_CAUGHT_UP = 0.25  # of the age at which pictures are stale, down to which the ones that wait are dropped
_PATIENCE = 2.0  # stale ages without any picture, until a stale one has to do


@dataclass(frozen=True, slots=True)
class QueuedFrame:
    """A picture to be looked at. due_s, arrived_s: when it should have come and when it came, monotonic.

    missed: pictures dropped before it.
    """

    picture: DecodedFrame
    due_s: float
    arrived_s: float
    missed: int = 0


class FrameQueue:
    """Between the thread that reads a source and the one that asks ``take``. Pictures grow stale, news does not."""

    def __init__(self, stale_s: float) -> None:
        self._stale_s = stale_s
        self._items: deque[QueuedFrame | SourceChanged] = deque()
        self._filled = threading.Condition()
        self._bytes = 0
        self._missed = 0
        self._behind = False
        self._taken_s = time.monotonic()

    def put(self, item: QueuedFrame | SourceChanged) -> None:
        """Leave something; never waits."""
        with self._filled:
            if isinstance(item, QueuedFrame):
                self._bytes += byte_count(item.picture.frame.size)
            self._items.append(item)
            while self._bytes > _MOST_BYTES:
                self._drop_first()
            self._filled.notify()

    def take(self, timeout_s: float) -> QueuedFrame | SourceChanged | None:
        """The next item; None when there is none in time."""
        deadline_s = time.monotonic() + timeout_s
        with self._filled:
            while True:
                while self._items:
                    item = self._items.popleft()
                    if isinstance(item, SourceChanged):
                        return item
                    self._bytes -= byte_count(item.picture.frame.size)
                    if not self._is_stale(item):
                        self._taken_s = time.monotonic()
                        missed, self._missed = self._missed, 0
                        return replace(item, missed=missed)
                    self._missed += 1
                left_s = deadline_s - time.monotonic()
                if left_s <= 0 or not self._filled.wait(left_s):
                    return None

    def _is_stale(self, item: QueuedFrame) -> bool:
        """Whether a picture has waited too long. Once one has, all go that do not bring the reader up to date."""
        now_s = time.monotonic()
        limit_s = self._stale_s * (_CAUGHT_UP if self._behind else 1.0)
        self._behind = now_s - item.due_s > limit_s
        always_late = now_s - self._taken_s > _PATIENCE * self._stale_s and not self._items
        return self._behind and not always_late  # something must be seen

    def _drop_first(self) -> None:
        """Drop the oldest picture."""
        for index, item in enumerate(self._items):
            if isinstance(item, QueuedFrame):
                del self._items[index]
                self._bytes -= byte_count(item.picture.frame.size)
                self._missed += 1
                return
