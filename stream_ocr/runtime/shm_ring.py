"""Slots of pixels in shared memory: the only flow control between stages.

A ring lies in a memfd. It has no name, so nothing is left behind however its users die. The size of /dev/shm does not
limit it. It is sparse, so slots may be as large as the largest frame: only pages that were written take memory. It is
sealed against resizing, so nobody can make the accesses of others fail.

Each slot has two words, each written by one side only: ``generation`` by the stage that writes the slot, ``released``
by the stage that releases it. A slot is free while both are equal. There are no locks, so a kill at any moment leaves
the ring consistent. (Aligned 64-bit words are written atomically; the socket that carries the reference orders the
pixels before it.) Generations count the commits of the whole ring, so they give the order in which slots were written;
``reclaim`` uses it to find slots whose references were lost with a process (docs/decisions/0007).

A third word, ``note``, describes the content of a slot to observers that have no reference. It is 0 while the slot is
written, so ``peek`` never returns a torn copy.
"""

import fcntl
import mmap
import os
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self, TypeVar

from stream_ocr.core.messages import SlotRef
from stream_ocr.errors import SlotError, WorkerError
from stream_ocr.runtime.thresholds import THRESHOLDS

_HEAD = struct.Struct("=8sQQ")  # magic, number of slots, bytes of a slot
_MAGIC = b"ocr-ring"
_LINE = 64  # bytes of a cache line: the words of both sides lie on different lines
_WORDS = 3  # per slot: generation, released, note
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL if hasattr(fcntl, "F_SEAL_SEAL") else 0

Copy = TypeVar("Copy")


def shared_memory(name: str, size: int) -> int:
    """Return a file descriptor of ``size`` zero bytes of memory that has no name and cannot be resized."""
    if not hasattr(os, "memfd_create"):
        raise WorkerError("A process per stage needs Linux (memfd); read() works here.")
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    return fd


class Ring:
    """``stages.base.Slots`` for one writer and one releaser, in one process or in several.

    Create it with ``create`` or ``anonymous``; other processes ``attach`` to its file descriptor.
    """

    def __init__(self, memory: mmap.mmap, fd: int | None, on_wait: Callable[[], None] | None = None) -> None:
        magic, self.slots, self.slot_bytes = _HEAD.unpack_from(memory)
        if magic != _MAGIC or len(memory) != _size(self.slots, self.slot_bytes):
            raise SlotError(f"This is no ring of slots: {bytes(magic)!r}, {len(memory)} bytes.")
        self._memory, self._fd, self._on_wait = memory, fd, on_wait
        self._bytes = memoryview(memory)
        words = self._bytes[_LINE : _LINE + _WORDS * _words_bytes(self.slots)].cast("Q")
        stride = len(words) // _WORDS
        self._generation, self._released, self._note = (words[n * stride :][: self.slots] for n in range(_WORDS))
        self._claimed: set[int] = set()

    @classmethod
    def create(cls, slots: int, slot_bytes: int) -> Self:
        """Return a new ring that other processes can attach to (Linux)."""
        fd = shared_memory("stream-ocr-ring", _size(slots, slot_bytes))
        memory = mmap.mmap(fd, 0)
        _HEAD.pack_into(memory, 0, _MAGIC, slots, slot_bytes)
        return cls(memory, fd)

    @classmethod
    def attach(cls, fd: int, on_wait: Callable[[], None] | None = None) -> Self:
        """Return the ring behind a file descriptor of ``create``. on_wait: called repeatedly while ``claim`` waits."""
        return cls(mmap.mmap(fd, 0), fd, on_wait)

    @classmethod
    def anonymous(cls, slots: int, slot_bytes: int) -> Self:
        """Return a new ring for this process alone."""
        memory = mmap.mmap(-1, _size(slots, slot_bytes))
        _HEAD.pack_into(memory, 0, _MAGIC, slots, slot_bytes)
        return cls(memory, None)

    @property
    def fd(self) -> int:
        """File descriptor to pass to other processes."""
        if self._fd is None:
            raise SlotError("An anonymous ring cannot be shared; make it with Ring.create.")
        return self._fd

    @property
    def in_use(self) -> int:
        """Slots that are written and not yet released."""
        return sum(map(int.__ne__, self._generation, self._released))

    @property
    def filled(self) -> int:
        """Commits so far, which is the last generation."""
        return max(self._generation)

    def claim(self, timeout_s: float | None = None, among: int | None = None) -> tuple[int, memoryview] | None:
        """Return the first free slot and its bytes, or None if none becomes free within ``timeout_s``.

        timeout_s: None waits without limit. among: consider only the first ``among`` slots.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        wait_s = THRESHOLDS.slot_first_poll_s
        while (slot := self._free(among or self.slots)) is None:
            if deadline is not None and time.monotonic() >= deadline:
                return None
            if self._on_wait is not None:
                self._on_wait()
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, THRESHOLDS.slot_longest_poll_s)
        self._claimed.add(slot)
        self._note[slot] = 0
        return slot, self._slot(slot)

    def commit(self, slot: int, note: int = 0) -> SlotRef:
        """Return the reference to a claimed slot whose bytes are written. Raise SlotError without a claim.

        note: 64 bits that describe the content to ``peek``; 0 hides the slot from it.
        """
        if slot not in self._claimed:
            raise SlotError(f"Slot {slot} was committed without a claim.")
        self._claimed.discard(slot)
        self._note[slot] = note
        self._generation[slot] = generation = self.filled + 1
        return SlotRef(slot, generation)

    def holds(self, ref: SlotRef) -> bool:
        """Return whether the slot still has the content of ``ref`` and is not released."""
        return self._is_current(ref) and self._released[ref.slot] != ref.generation

    def view(self, ref: SlotRef) -> memoryview:
        """Return the bytes of a slot. Raise SlotError if it has been released or reused since."""
        if not self.holds(ref):
            raise SlotError(f"Slot {ref.slot} no longer holds generation {ref.generation}; it has been released.")
        return self._slot(ref.slot)

    def peek(self, copy: Callable[[int, memoryview], Copy]) -> Copy | None:
        """Return ``copy(note, bytes)`` of the slot that was written last, even if it has been released.

        For observers, which delay nobody. None if no slot has a note, or if each was overwritten during the copy.
        """
        for slot in sorted(range(self.slots), key=self._generation.__getitem__, reverse=True):
            before = self._generation[slot], self._note[slot]
            if before[1]:
                copied = copy(before[1], self._slot(slot))
                if before == (self._generation[slot], self._note[slot]):
                    return copied
        return None

    def release(self, ref: SlotRef) -> None:
        """Return a slot to its writer. Do nothing if it has newer content.

        Raise SlotError if it has been released already.
        """
        if not self._is_current(ref):
            return
        if self._released[ref.slot] == ref.generation:
            raise SlotError(f"Slot {ref.slot} with generation {ref.generation} was released twice.")
        self._released[ref.slot] = ref.generation

    def reclaim(self, first: int, last: int) -> int:
        """Release all slots with generations ``first`` to ``last`` that are not released. Return their number.

        For the stage that releases slots, once no reference to them can be on its way any more.
        """
        lost = [
            slot
            for slot in range(self.slots)
            if first <= self._generation[slot] <= last and self._generation[slot] != self._released[slot]
        ]
        for slot in lost:
            self._released[slot] = self._generation[slot]
        return len(lost)

    def close(self) -> None:
        """Close the file descriptor. The memory is freed with the last view of a slot."""
        for view in (self._generation, self._released, self._note, self._bytes):
            view.release()
        with suppress(BufferError):  # somebody still has a view of a slot
            self._memory.close()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _free(self, among: int) -> int | None:
        # The first free slot rather than the next one: a ring that is seldom full touches few pages.
        for slot in range(min(among, self.slots)):
            if self._generation[slot] == self._released[slot] and slot not in self._claimed:
                return slot
        return None

    def _is_current(self, ref: SlotRef) -> bool:
        if not 0 <= ref.slot < self.slots:
            raise SlotError(f"There is no slot {ref.slot} in a ring of {self.slots}.")
        return self._generation[ref.slot] == ref.generation

    def _slot(self, slot: int) -> memoryview:
        start = _first_slot(self.slots) + slot * _pages(self.slot_bytes)
        return self._bytes[start : start + self.slot_bytes]


def _words_bytes(slots: int) -> int:
    return -(-8 * slots // _LINE) * _LINE


def _pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE


def _first_slot(slots: int) -> int:
    return _pages(_LINE + _WORDS * _words_bytes(slots))


def _size(slots: int, slot_bytes: int) -> int:
    return _first_slot(slots) + slots * _pages(slot_bytes)
