"""Retry of batches, so that neither scarce memory nor one bad message stops the streams.

Out of memory: the batch is halved, and later batches are no larger. Death of the worker: its successor finds the
unfinished batch in an ``InflightJournal``, retries it message by message, and quarantines a message that kills it
again.

The journal is shared memory that belongs to the supervisor. It stays consistent whenever its worker is killed: content
is written first, then the word that makes it valid; another word counts the messages that are done.
"""

import mmap
import os
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Self

import msgspec

from stream_ocr.core import messages
from stream_ocr.core.messages import Message, Watermark
from stream_ocr.runtime.shm_ring import shared_memory
from stream_ocr.stages.base import Stage

_JOURNAL_BYTES = 64 * 2**20  # sparse: only pages that were written take memory
_HEAD = struct.Struct("=QQ")  # bytes of content, 0: none; messages that are done


class InflightBatch(msgspec.Struct, frozen=True, array_like=True):
    """Messages that a worker has received and not finished."""

    alone: bool  # the first one was being processed by itself
    messages: tuple[bytes, ...]


class InflightJournal:
    """The unfinished batch of a worker, readable by its successor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._memory = mmap.mmap(fd, 0)
        self._words = memoryview(self._memory)[: _HEAD.size].cast("Q")

    @classmethod
    def create(cls) -> Self:
        """Return an empty journal in new shared memory."""
        return cls(shared_memory("stream-ocr-inflight", _JOURNAL_BYTES))

    def write(self, batch: Sequence[Message], *, alone: bool = False) -> None:
        """Record the batch that is processed now. alone: only its first message, the others later."""
        content = msgspec.msgpack.encode(InflightBatch(alone, tuple(map(messages.encode, batch))))
        self.clear()
        self._memory[_HEAD.size : _HEAD.size + len(content)] = content
        self._words[0] = len(content)

    def mark_done(self) -> None:
        """Record that one more message is finished."""
        self._words[1] += 1

    def clear(self) -> None:
        """Record that all messages are finished."""
        self._words[0] = 0
        self._words[1] = 0

    def unfinished(self) -> tuple[list[Message], bool]:
        """Return the messages that a predecessor left, and whether it died over the first of them alone."""
        length, done = self._words
        if not length:
            return [], False
        batch = msgspec.msgpack.decode(self._memory[_HEAD.size : _HEAD.size + length], type=InflightBatch)
        left = [m for data in batch.messages[done:] if not isinstance(m := messages.decode(data), Watermark)]
        return left, batch.alone and not done

    def close(self) -> None:
        """Release the mapping and the file descriptor."""
        self._words.release()
        self._memory.close()
        os.close(self.fd)


class RetryingStage:
    """A stage, the journal of its batches, and the largest batch that it can take (``max_items``)."""

    def __init__(
        self,
        stage: Stage,
        journal: InflightJournal,
        max_items: int,
        send: Callable[[Iterable[Message]], None],
        on_quarantine: Callable[[Message], None],
    ) -> None:
        """stage: one that yields one output for each message. on_quarantine: called with each quarantined message."""
        self.max_items = max_items
        self._stage, self._journal, self._send, self._on_quarantine = stage, journal, send, on_quarantine

    def recover(self, prepare: Callable[[Message], Message]) -> None:
        """Process what a predecessor left unfinished, message by message. prepare: applied to each message before."""
        left, tried_alone = self._journal.unfinished()
        if tried_alone:
            culprit = left.pop(0)
            self._journal.write(left)
            self._on_quarantine(culprit)
            self._send(self._stage.quarantine(prepare(culprit)))
        while left:
            self._journal.write(left, alone=True)
            self._send(self._stage.process([prepare(left[0])]))
            left.pop(0)
        self._journal.clear()

    def process(self, batch: Sequence[Message]) -> None:
        """Process a batch and send the outputs. Raise MemoryError if memory does not suffice for one message."""
        self._journal.write(batch)
        left = list(batch)
        while left:
            part = left[: self.max_items]
            done, had_memory = self._try(part)
            del left[:done]
            if not had_memory:  # outside of the handler, where the memory of the attempt is free again
                self.max_items = max(1, len(part) // 2)
        self._journal.clear()

    def _try(self, part: Sequence[Message]) -> tuple[int, bool]:
        """Return the number of messages processed, and whether memory sufficed."""
        sent = 0

        def outputs() -> Iterable[Message]:
            nonlocal sent
            for message in self._stage.process(part):
                yield message
                sent += 1
                self._journal.mark_done()

        try:
            self._send(outputs())
        except MemoryError:
            if len(part) == 1:
                raise
            return sent, False
        return len(part), True
