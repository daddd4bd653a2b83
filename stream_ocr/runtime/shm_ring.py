"""Slots of pixels in shared memory: the only credit there is between stages.

A ring lies in a memfd: it has no name, so nothing is left behind however its users die; it is not bounded by the
size of /dev/shm; and it is sparse, so that slots may be as large as the largest picture: only pages that were
written count. It is sealed against resizing, so that nobody can make another's access fail.

Each slot has two words, each written by one side only: ``generation`` by the stage that fills the slot, ``released``
by the stage that gives it back. A slot is free while both are the same. Nothing is locked, so a kill at any moment
leaves the ring sound. (Aligned 64-bit words are written whole; the socket that carries the reference orders the
pixels before it.) Generations count the fillings of the whole ring, and so say in which order slots were filled; by
that order ``settle`` finds the slots whose references were lost with a process (docs/decisions/0007).

A third word, ``note``, says what a slot holds, for onlookers who have no reference: it is 0 while the slot is written,
so that what ``peek`` copies is whole.
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

_HEAD = struct.Struct("=8sQQ")  # magic, slots, bytes of a slot
_MAGIC = b"ocr-ring"
_LINE = 64  # bytes of a cache line: the words of both sides lie apart
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.0002, 0.002
_WORDS = 3  # of each slot
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL if hasattr(fcntl, "F_SEAL_SEAL") else 0

Seen = TypeVar("Seen")


def shared_memory(name: str, size: int) -> int:
    """A file descriptor of ``size`` zero bytes in memory that can be neither resized nor found by name."""
    if not hasattr(os, "memfd_create"):
        raise WorkerError("A process per stage needs Linux (memfd); read() works here.")
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    return fd


class Ring:
    """``stages.base.Slots`` for one writer and one releaser, in one process or in several.

    Made by ``create`` or ``anonymous``; other processes ``attach`` to the descriptor. ``in_use`` slots are filled and
    not yet given back.
    """

    def __init__(self, memory: mmap.mmap, fd: int | None, waiting: Callable[[], None] | None = None) -> None:
        magic, self.slots, self.slot_bytes = _HEAD.unpack_from(memory)
        if magic != _MAGIC or len(memory) != _size(self.slots, self.slot_bytes):
            raise SlotError(f"This is no ring of slots: {bytes(magic)!r}, {len(memory)} bytes.")
        self._memory, self._fd, self._waiting = memory, fd, waiting
        self._bytes = memoryview(memory)
        words = self._bytes[_LINE : _LINE + _WORDS * _words_bytes(self.slots)].cast("Q")
        apart = len(words) // _WORDS
        self._generation, self._released, self._note = (words[n * apart :][: self.slots] for n in range(_WORDS))
        self._claimed: set[int] = set()

    @classmethod
    def create(cls, slots: int, slot_bytes: int) -> Self:
        """A ring that other processes can attach to (Linux)."""
        fd = shared_memory("stream-ocr-ring", _size(slots, slot_bytes))
        memory = mmap.mmap(fd, 0)
        _HEAD.pack_into(memory, 0, _MAGIC, slots, slot_bytes)
        return cls(memory, fd)

    @classmethod
    def attach(cls, fd: int, waiting: Callable[[], None] | None = None) -> Self:
        """The ring behind a descriptor that ``create`` made. ``waiting`` is called now and then inside ``claim``."""
        return cls(mmap.mmap(fd, 0), fd, waiting)

    @classmethod
    def anonymous(cls, slots: int, slot_bytes: int) -> Self:
        """A ring for this process alone."""
        memory = mmap.mmap(-1, _size(slots, slot_bytes))
        _HEAD.pack_into(memory, 0, _MAGIC, slots, slot_bytes)
        return cls(memory, None)

    @property
    def fd(self) -> int:
        """The descriptor to hand to other processes."""
        if self._fd is None:
            raise SlotError("An anonymous ring cannot be shared; make it with Ring.create.")
        return self._fd

    @property
    def in_use(self) -> int:
        """Slots that are filled and not yet given back."""
        return sum(map(int.__ne__, self._generation, self._released))

    @property
    def filled(self) -> int:
        """How often a slot has been filled so far: the last generation."""
        return max(self._generation)

    def claim(self, timeout_s: float | None = None, among: int | None = None) -> tuple[int, memoryview] | None:
        """The first free slot and its bytes, once there is one; None when the time is over. among: so many, not all."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        pause_s = _FIRST_PAUSE_S
        while (slot := self._free(among or self.slots)) is None:
            if deadline is not None and time.monotonic() >= deadline:
                return None
            if self._waiting is not None:
                self._waiting()
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        self._claimed.add(slot)
        self._note[slot] = 0
        return slot, self._slot(slot)

    def commit(self, slot: int, note: int = 0) -> SlotRef:
        """Hand a claimed slot on, once its bytes are written. Raises SlotError when it was not claimed here.

        note: what ``peek`` tells of it; 0 hides it from there.
        """
        if slot not in self._claimed:
            raise SlotError(f"Slot {slot} was committed without a claim.")
        self._claimed.discard(slot)
        self._note[slot] = note
        self._generation[slot] = generation = self.filled + 1
        return SlotRef(slot, generation)

    def holds(self, ref: SlotRef) -> bool:
        """Whether a slot still is what ``ref`` refers to, and was not given back."""
        return self._holds(ref) and self._released[ref.slot] != ref.generation

    def view(self, ref: SlotRef) -> memoryview:
        """The bytes of a slot. Raises SlotError when they are no longer what ``ref`` refers to."""
        if not self.holds(ref):
            raise SlotError(f"Slot {ref.slot} no longer holds generation {ref.generation}; it was given back before.")
        return self._slot(ref.slot)

    def peek(self, copy: Callable[[int, memoryview], Seen]) -> Seen | None:
        """What ``copy`` makes of the note and the bytes of the slot that was filled last, also when it was given back.

        For onlookers; nobody waits for them. None when there is nothing, or when it was written over each time.
        """
        for slot in sorted(range(self.slots), key=self._generation.__getitem__, reverse=True):
            before = self._generation[slot], self._note[slot]
            if before[1]:
                seen = copy(before[1], self._slot(slot))
                if before == (self._generation[slot], self._note[slot]):
                    return seen
        return None

    def release(self, ref: SlotRef) -> None:
        """Give a slot back to its writer. A slot that holds something newer is left alone.

        Raises SlotError when the slot has been given back already.
        """
        if not self._holds(ref):
            return
        if self._released[ref.slot] == ref.generation:
            raise SlotError(f"Slot {ref.slot} with generation {ref.generation} was given back twice.")
        self._released[ref.slot] = ref.generation

    def settle(self, first: int, last: int) -> int:
        """Give back what was filled as ``first`` to ``last`` and is still out; how many slots that were.

        For the stage that gives slots back, once it knows that no reference to them is on its way any more.
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
        """Close the descriptor. The memory goes with the last view of a slot."""
        for view in (self._generation, self._released, self._note, self._bytes):
            view.release()
        with suppress(BufferError):  # a slot is still looked at
            self._memory.close()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _free(self, among: int) -> int | None:
        # The first one rather than the next one: a ring that is seldom full touches few pages.
        for slot in range(min(among, self.slots)):
            if self._generation[slot] == self._released[slot] and slot not in self._claimed:
                return slot
        return None

    def _holds(self, ref: SlotRef) -> bool:
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
