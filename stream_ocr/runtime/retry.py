"""Gives batches to a stage so that neither scarce memory nor one bad message stops the streams.

Out of memory: the batch is halved, and later ones are no larger. Death: the successor finds in ``InflightJournal`` what was being
tried, tries it message by message, and sets aside what kills it again. The stage gives one message for each.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from stream_ocr.core.messages import Message
from stream_ocr.runtime.inflight import InflightJournal
from stream_ocr.stages.base import Stage


class Retried(Stage, Protocol):
    """A stage that gives one message for each, and may be given one again."""

    def set_aside(self, message: Message) -> Iterable[Message]:
        """What is to be said instead of processing a message that cannot be processed."""
        ...


class RetryingStage:
    """A stage, its hand, and how many messages it gets at once."""

    def __init__(
        self,
        stage: Retried,
        hand: InflightJournal,
        max_items: int,
        send: Callable[[Iterable[Message]], None],
        tell_aside: Callable[[Message], None],
    ) -> None:
        """tell_aside: called with each message that is set aside."""
        self.max_items = max_items
        self._stage, self._hand, self._send, self._tell_aside = stage, hand, send, tell_aside

    def take_over(self, checked: Callable[[Message], Message]) -> None:
        """Do what a predecessor died over, each message by itself. checked: applied to each before."""
        left, tried_alone = self._hand.left()
        if tried_alone:
            culprit = left.pop(0)
            self._hand.hold(left)
            self._tell_aside(culprit)
            self._send(self._stage.set_aside(checked(culprit)))
        while left:
            self._hand.hold(left, alone=True)
            self._send(self._stage.process([checked(left[0])]))
            left.pop(0)
        self._hand.clear()

    def process(self, batch: Sequence[Message]) -> None:
        """Process a batch and send what comes of it. Raises MemoryError when there is not enough for one message."""
        self._hand.hold(batch)
        left = list(batch)
        while left:
            part = left[: self.max_items]
            done, enough = self._try(part)
            del left[:done]
            if not enough:  # what the attempt held is free again only here, outside of its handler
                self.max_items = max(1, len(part) // 2)
        self._hand.clear()

    def _try(self, part: Sequence[Message]) -> tuple[int, bool]:
        """How many messages were processed, and whether there was memory enough."""
        sent = 0

        def counted() -> Iterable[Message]:
            nonlocal sent
            for message in self._stage.process(part):
                yield message
                sent += 1
                self._hand.done()

        try:
            self._send(counted())
        except MemoryError:
            if len(part) == 1:
                raise
            return sent, False
        return len(part), True
