"""What a successor finds, tries again, and sets aside. Real shared memory; a death is an exception here."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import pytest

from stream_ocr.core.messages import Detections, FrameRef, Message, Stamp, StreamClosed
from stream_ocr.runtime.inflight import InflightJournal
from stream_ocr.runtime.retry import RetryingStage


class Death(BaseException):
    """Nothing catches it."""


class Picky:
    """FrameRef → Detections; dies over some, has memory for so many at once."""

    def __init__(self, deadly: Sequence[int] = (), memory: int = 100) -> None:
        self.deadly, self.memory = deadly, memory
        self.batches: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        yield closed

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        self.batches.append(len(batch))
        if len(batch) > self.memory:
            raise MemoryError
        for ref in batch:
            assert isinstance(ref, FrameRef)
            if ref.stamp.seq in self.deadly:
                raise Death
            yield Detections(ref, ())

    def set_aside(self, message: Message) -> Iterator[Message]:
        assert isinstance(message, FrameRef)
        yield Detections(message, None)


def frames(count: int) -> list[FrameRef]:
    return [
        FrameRef(Stamp("a", 0, n, n, (1, 25), 1, 0), (8, 1), "skip", None, True, False, False) for n in range(count)
    ]


class Worker:
    """One life of a worker with its hand."""

    def __init__(self, hand: InflightJournal, stage: Picky) -> None:
        self.sent: list[tuple[int, bool]] = []
        self.aside: list[int] = []
        self.careful = RetryingStage(stage, hand, 4, self.send, self.put_aside)

    def send(self, outputs: Iterable[Message]) -> None:
        for message in outputs:
            assert isinstance(message, Detections)
            self.sent.append((message.frame.stamp.seq, message.regions is not None))

    def put_aside(self, message: Message) -> None:
        assert isinstance(message, FrameRef)
        self.aside.append(message.stamp.seq)

    def take_over(self) -> None:
        self.careful.take_over(lambda message: message)


@pytest.fixture
def hand() -> Iterator[InflightJournal]:
    hand = InflightJournal.create()
    yield hand
    hand.close()


def test_what_was_in_hand_is_tried_again_one_by_one_and_the_culprit_set_aside(hand: InflightJournal) -> None:
    first = Worker(hand, Picky(deadly=[1]))
    with pytest.raises(Death):
        first.careful.process(frames(4))
    assert first.sent == [(0, True)]
    second = Worker(InflightJournal(os.dup(hand.fd)), Picky(deadly=[1]))
    with pytest.raises(Death):
        second.take_over()
    assert second.sent == [], "the first one was done"
    third = Worker(InflightJournal(os.dup(hand.fd)), Picky(deadly=[1]))
    third.take_over()
    assert third.aside == [1]
    assert third.sent == [(1, False), (2, True), (3, True)]
    fourth = Worker(hand, Picky())
    fourth.take_over()
    assert fourth.sent == []


def test_two_culprits_in_one_batch(hand: InflightJournal) -> None:
    aside, lives = [], 0
    first = Worker(hand, Picky(deadly=[1, 2]))
    with pytest.raises(Death):
        first.careful.process(frames(4))
    sent = first.sent
    while lives < 5:
        lives += 1
        worker = Worker(hand, Picky(deadly=[1, 2]))
        try:
            worker.take_over()
        except Death:
            continue
        finally:
            sent += worker.sent
            aside += worker.aside
        break
    assert (lives, aside) == (3, [1, 2])
    assert sent == [(0, True), (1, False), (2, False), (3, True)]


def test_what_is_done_is_not_tried_again(hand: InflightJournal) -> None:
    Worker(hand, Picky()).careful.process(frames(4))
    successor = Worker(hand, Picky())
    successor.take_over()
    assert successor.sent == []


def test_scarce_memory_halves_this_batch_and_later_ones(hand: InflightJournal) -> None:
    stage = Picky(memory=1)
    worker = Worker(hand, stage)
    worker.careful.process(frames(4))
    assert worker.sent == [(n, True) for n in range(4)]
    assert stage.batches == [4, 2, 1, 1, 1, 1]
    assert worker.careful.max_items == 1


def test_no_memory_for_a_single_frame_is_an_error(hand: InflightJournal) -> None:
    with pytest.raises(MemoryError):
        Worker(hand, Picky(memory=0)).careful.process(frames(2))
