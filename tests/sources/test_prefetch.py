import threading
from collections.abc import Iterator
from itertools import count

import pytest

from stream_ocr.sources.prefetch import Prefetcher


def test_everything_comes_once_and_in_order() -> None:
    ahead = Prefetcher(iter(range(100)), 3)
    assert list(ahead) == list(range(100))
    assert list(ahead) == []
    ahead.close()
    empty = Prefetcher(iter(()), 3)
    assert list(empty) == []
    empty.close()


def test_it_is_so_many_ahead_and_no_more() -> None:
    fetched: list[int] = []
    fourth = threading.Event()

    def numbers() -> Iterator[int]:
        for number in count():
            fetched.append(number)
            if number == 3:
                fourth.set()
            yield number

    ahead = Prefetcher(numbers(), 3)
    assert next(iter(ahead)) == 0
    assert fourth.wait(5), "the next ones are under way while one is in use"
    ahead.close()
    assert fetched == [0, 1, 2, 3]


def test_what_goes_wrong_is_raised_behind_what_was_right() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("no more")

    ahead = Prefetcher(numbers(), 3)
    seen: list[int] = []
    with pytest.raises(ValueError, match="no more"):
        seen.extend(ahead)
    ahead.close()
    assert seen == [1, 2]


def test_nothing_is_under_way_when_it_is_closed() -> None:
    busy, enough = threading.Event(), threading.Event()

    def numbers() -> Iterator[int]:
        yield 0
        busy.set()
        assert enough.wait(5)
        yield 1

    ahead = Prefetcher(numbers(), 2)
    assert busy.wait(5)
    threading.Timer(0.05, enough.set).start()
    ahead.close()
    assert enough.is_set(), "it has waited for what it cannot interrupt"
    assert list(ahead) == []
    assert not any("ThreadPool" in thread.name for thread in threading.enumerate())
