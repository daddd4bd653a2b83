"""What a worker has in hand, in memory that outlives it, so that its successor can try again.

A batch during which a worker died is tried once more, message by message; a message that kills its worker alone, too,
is set aside. The memory belongs to the supervisor. It is written so that a kill at any moment leaves it whole: the
content first, then the word that makes it valid; another word counts what is done.
"""

import mmap
import os
import struct
from collections.abc import Sequence
from typing import Self

import msgspec

from stream_ocr.core import messages
from stream_ocr.core.messages import Message, Watermark
from stream_ocr.runtime.shm_ring import shared_memory

_HAND_BYTES = 64 * 2**20  # sparse: only what was written counts
_HEAD = struct.Struct("=QQ")  # bytes of content, 0: none; messages that are done


class InflightBatch(msgspec.Struct, frozen=True, array_like=True):
    """Messages that a worker has taken and not yet done with."""

    alone: bool  # the first one was being tried by itself
    messages: tuple[bytes, ...]


class InflightJournal:
    """The memory, as the worker uses it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._memory = mmap.mmap(fd, 0)
        self._words = memoryview(self._memory)[: _HEAD.size].cast("Q")

    @classmethod
    def create(cls) -> Self:
        """An empty hand."""
        return cls(shared_memory("stream-ocr-hand", _HAND_BYTES))

    def hold(self, batch: Sequence[Message], *, alone: bool = False) -> None:
        """Note what is tried now; ``alone``: the first message by itself, the others after it."""
        held = msgspec.msgpack.encode(InflightBatch(alone, tuple(map(messages.encode, batch))))
        self.clear()
        self._memory[_HEAD.size : _HEAD.size + len(held)] = held
        self._words[0] = len(held)

    def done(self) -> None:
        """One more of the messages needs no further try."""
        self._words[1] += 1

    def clear(self) -> None:
        """All is done."""
        self._words[0] = 0
        self._words[1] = 0

    def left(self) -> tuple[list[Message], bool]:
        """What a predecessor had still to do, and whether it died over the first of these messages alone."""
        length, done = self._words
        if not length:
            return [], False
        held = msgspec.msgpack.decode(self._memory[_HEAD.size : _HEAD.size + length], type=InflightBatch)
        left = [m for data in held.messages[done:] if not isinstance(m := messages.decode(data), Watermark)]
        return left, held.alone and not done

    def close(self) -> None:
        """Let go of the memory and the descriptor."""
        self._words.release()
        self._memory.close()
        os.close(self.fd)
