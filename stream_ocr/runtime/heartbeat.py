"""Signs of life: one cache line of shared memory for each worker, written by it alone.

A worker beats whenever it receives, sends, or waits: for a message, for room, for a free slot. A stage that computes
for long beats by yielding what it has so far; a source also by asking whether to stop. Times are of the monotonic
clock, which no clock step and no suspend can move.
"""

import mmap
import os
import time
from typing import Literal, Self

from stream_ocr.runtime.shm_ring import shared_memory

State = Literal["starting", "running", "finished"]
_STATES: tuple[State, ...] = ("starting", "running", "finished")
_LINE_WORDS = 8


class Heartbeat:
    """The line of one worker; its supervisor reads it through another mapping of the same memory."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._memory = mmap.mmap(fd, 0)
        self._words = memoryview(self._memory).cast("Q")

    @classmethod
    def create(cls) -> Self:
        """A line on which nothing is written yet."""
        return cls(shared_memory("stream-ocr-heartbeat", 8 * _LINE_WORDS))

    def beat(self, progress: int = 0) -> None:
        """Say that the worker lives, and that it handled ``progress`` more messages."""
        self._words[0] = time.monotonic_ns()
        if progress:
            self._words[1] += progress

    def enter(self, state: State) -> None:
        """Say what the worker is doing from now on."""
        self._words[2] = os.getpid()
        self._words[3] = _STATES.index(state)
        self.beat()

    @property
    def last_ns(self) -> int:
        """Monotonic nanoseconds of the last beat; 0 before the first."""
        return self._words[0]

    @property
    def progress(self) -> int:
        """Messages received and sent so far."""
        return self._words[1]

    @property
    def pid(self) -> int:
        """Process that beats; 0 before the first beat."""
        return self._words[2]

    @property
    def state(self) -> State:
        """What the worker is doing."""
        return _STATES[self._words[3]]

    def close(self) -> None:
        """Let go of the memory and the descriptor; the line is of no use after that."""
        self._words.release()
        self._memory.close()
        os.close(self.fd)
