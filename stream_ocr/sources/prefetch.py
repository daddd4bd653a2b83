"""Things fetched before they are asked for."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """The same things from another thread, which is up to ``count`` of them ahead of who takes them.

    Decoders leave Python to the others while they work. What goes wrong is raised where it would have been.
    """

    def __init__(self, things: Iterator[T], count: int) -> None:
        self._things = things
        self._reader = ThreadPoolExecutor(1)
        self._coming: deque[Future[T | None]] = deque(self._next() for _ in range(count))

    def __iter__(self) -> Iterator[T]:
        while self._coming and (thing := self._coming.popleft().result()) is not None:
            self._coming.append(self._next())
            yield thing

    def close(self) -> None:
        """Fetch no more; returns when what was under way has come."""
        self._coming.clear()
        self._reader.shutdown(cancel_futures=True)

    def _next(self) -> "Future[T | None]":
        return self._reader.submit(next, self._things, None)
