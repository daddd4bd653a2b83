"""Prefetching: items are computed in a background thread before they are needed."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Iterates over the same items in another thread, up to ``count`` of them ahead.

    Useful for decoders, which release the GIL while they work. An exception is raised at the place of its item.
    """

    def __init__(self, items: Iterator[T], count: int) -> None:
        self._items = items
        self._executor = ThreadPoolExecutor(1)
        self._pending: deque[Future[T | None]] = deque(self._fetch() for _ in range(count))

    def __iter__(self) -> Iterator[T]:
        while self._pending and (item := self._pending.popleft().result()) is not None:
            self._pending.append(self._fetch())
            yield item

    def close(self) -> None:
        """Stop fetching; return when the fetch in progress has ended."""
        self._pending.clear()
        self._executor.shutdown(cancel_futures=True)

    def _fetch(self) -> "Future[T | None]":
        return self._executor.submit(next, self._items, None)
