"""Prefetcher: items from a background thread."""

import threading
from collections.abc import Iterator
from itertools import count

import pytest

from stream_ocr.sources.prefetch import Prefetcher


def test_prefetcher_yields_all_items_once_in_order() -> None:
    prefetcher = Prefetcher(iter(range(100)), 3)
    assert list(prefetcher) == list(range(100))
    assert list(prefetcher) == []
    prefetcher.close()
    empty = Prefetcher(iter(()), 3)
    assert list(empty) == []
    empty.close()


def test_prefetcher_fetches_count_items_ahead() -> None:
    fetched: list[int] = []
    fourth = threading.Event()

    def numbers() -> Iterator[int]:
        for number in count():
            fetched.append(number)
            if number == 3:
                fourth.set()
            yield number

    prefetcher = Prefetcher(numbers(), 3)
    assert next(iter(prefetcher)) == 0
    assert fourth.wait(5), "the next items are fetched while one is in use"
    prefetcher.close()
    assert fetched == [0, 1, 2, 3]


def test_prefetcher_raises_an_error_after_the_items_before_it() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("no more")

    prefetcher = Prefetcher(numbers(), 3)
    received: list[int] = []
    with pytest.raises(ValueError, match="no more"):
        received.extend(prefetcher)
    prefetcher.close()
    assert received == [1, 2]


def test_close_waits_for_the_fetch_in_progress() -> None:
    busy, enough = threading.Event(), threading.Event()

    def numbers() -> Iterator[int]:
        yield 0
        busy.set()
        assert enough.wait(5)
        yield 1

    prefetcher = Prefetcher(numbers(), 2)
    assert busy.wait(5)
    threading.Timer(0.05, enough.set).start()
    prefetcher.close()
    assert enough.is_set(), "close() has waited for the fetch that it cannot interrupt"
    assert list(prefetcher) == []
    assert not any("ThreadPool" in thread.name for thread in threading.enumerate())
