"""Heartbeats of workers: one cache line of shared memory for each, written by the worker alone.

A worker beats when it receives, sends, or waits for a message, for room, or for a free slot. A stage that computes for
long beats by yielding outputs as they come; a source also beats by asking whether to stop. Times are of the monotonic
clock, which neither clock steps nor suspension move.
"""

import mmap
import os
import time
from typing import Literal, Self

from stream_ocr.runtime.shm_ring import shared_memory

State = Literal["starting", "running", "finished"]
_STATES: tuple[State, ...] = ("starting", "running", "finished")
_LINE_WORDS = 8  # words of 8 bytes in a cache line


class Heartbeat:
    """The heartbeat of one worker; its supervisor reads it through another mapping of the same memory."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._memory = mmap.mmap(fd, 0)
        self._words = memoryview(self._memory).cast("Q")

    @classmethod
    def create(cls) -> Self:
        """Return a heartbeat in new shared memory, before the first beat."""
        return cls(shared_memory("stream-ocr-heartbeat", 8 * _LINE_WORDS))

    def beat(self, progress: int = 0) -> None:
        """Record that the worker is alive and handled ``progress`` more messages."""
        self._words[0] = time.monotonic_ns()
        if progress:
            self._words[1] += progress

    def enter(self, state: State) -> None:
        """Record the state of the worker from now on."""
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
        """State of the worker."""
        return _STATES[self._words[3]]

    def close(self) -> None:
        """Release the mapping and the file descriptor."""
        self._words.release()
        self._memory.close()
        os.close(self.fd)
