"""Retry and quarantine by successors. Real shared memory; a death is an exception here."""

import os
from collections.abc import Iterable, Iterator, Sequence

import pytest

from stream_ocr.core.messages import Detections, FrameRef, Message, Stamp
from stream_ocr.runtime.retry import InflightJournal, RetryingStage
from stream_ocr.stages.base import Stage


class Death(BaseException):
    """Nothing catches it."""


class FragileStage(Stage):
    """FrameRef → Detections. Dies over the frames in ``deadly``; has memory for ``memory`` frames at once."""

    def __init__(self, deadly: Sequence[int] = (), memory: int = 100) -> None:
        self.deadly, self.memory = deadly, memory
        self.batches: list[int] = []

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        self.batches.append(len(batch))
        if len(batch) > self.memory:
            raise MemoryError
        for ref in batch:
            assert isinstance(ref, FrameRef)
            if ref.stamp.seq in self.deadly:
                raise Death
            yield Detections(ref, ())

    def quarantine(self, message: Message) -> Iterator[Message]:
        assert isinstance(message, FrameRef)
        yield Detections(message, None)


def frames(count: int) -> list[FrameRef]:
    return [
        FrameRef(Stamp("a", 0, n, n, (1, 25), 1, 0), (8, 1), "skip", None, True, False, False) for n in range(count)
    ]


class Worker:
    """One incarnation of a worker with its journal."""

    def __init__(self, journal: InflightJournal, stage: FragileStage) -> None:
        self.sent: list[tuple[int, bool]] = []
        self.quarantined: list[int] = []
        self.retrying = RetryingStage(stage, journal, 4, self.send, self.on_quarantine)

    def send(self, outputs: Iterable[Message]) -> None:
        for message in outputs:
            assert isinstance(message, Detections)
            self.sent.append((message.frame.stamp.seq, message.regions is not None))

    def on_quarantine(self, message: Message) -> None:
        assert isinstance(message, FrameRef)
        self.quarantined.append(message.stamp.seq)

    def recover(self) -> None:
        self.retrying.recover(lambda message: message)


@pytest.fixture
def journal() -> Iterator[InflightJournal]:
    journal = InflightJournal.create()
    yield journal
    journal.close()


def test_recover_retries_messages_one_by_one_and_quarantines_the_culprit(journal: InflightJournal) -> None:
    first = Worker(journal, FragileStage(deadly=[1]))
    with pytest.raises(Death):
        first.retrying.process(frames(4))
    assert first.sent == [(0, True)]
    second = Worker(InflightJournal(os.dup(journal.fd)), FragileStage(deadly=[1]))
    with pytest.raises(Death):
        second.recover()
    assert second.sent == [], "the first one was done"
    third = Worker(InflightJournal(os.dup(journal.fd)), FragileStage(deadly=[1]))
    third.recover()
    assert third.quarantined == [1]
    assert third.sent == [(1, False), (2, True), (3, True)]
    fourth = Worker(journal, FragileStage())
    fourth.recover()
    assert fourth.sent == []


def test_recover_quarantines_two_culprits_of_one_batch(journal: InflightJournal) -> None:
    quarantined, incarnations = [], 0
    first = Worker(journal, FragileStage(deadly=[1, 2]))
    with pytest.raises(Death):
        first.retrying.process(frames(4))
    sent = first.sent
    while incarnations < 5:
        incarnations += 1
        worker = Worker(journal, FragileStage(deadly=[1, 2]))
        try:
            worker.recover()
        except Death:
            continue
        finally:
            sent += worker.sent
            quarantined += worker.quarantined
        break
    assert (incarnations, quarantined) == (3, [1, 2])
    assert sent == [(0, True), (1, False), (2, False), (3, True)]


def test_recover_does_not_repeat_finished_messages(journal: InflightJournal) -> None:
    Worker(journal, FragileStage()).retrying.process(frames(4))
    successor = Worker(journal, FragileStage())
    successor.recover()
    assert successor.sent == []


def test_process_halves_this_batch_and_later_ones_when_memory_is_scarce(journal: InflightJournal) -> None:
    stage = FragileStage(memory=1)
    worker = Worker(journal, stage)
    worker.retrying.process(frames(4))
    assert worker.sent == [(n, True) for n in range(4)]
    assert stage.batches == [4, 2, 1, 1, 1, 1]
    assert worker.retrying.max_items == 1


def test_process_raises_memory_error_for_a_single_message(journal: InflightJournal) -> None:
    with pytest.raises(MemoryError):
        Worker(journal, FragileStage(memory=0)).retrying.process(frames(2))
