"""What a stage is: a plain object that knows nothing of sockets, processes or shutdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from stream_ocr.core.messages import Message, SlotRef, StreamClosed


class Stage(Protocol):
    """Entered once (loads its model), then given batches in the order of each stream."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def process(self, batch: Sequence[Message]) -> Iterable[Message]:
        """What follows from these messages, in order."""
        ...

    def close(self, closed: StreamClosed) -> Iterable[Message]:
        """What is still to be said of a stream that closed, its ``StreamClosed`` last."""
        ...


class Slots(Protocol):
    """Pixels in shared memory, written by one stage and released by exactly one later stage.

    slots: how many there are.
    """

    slots: int

    @property
    def in_use(self) -> int:
        """Slots that are filled and not yet given back."""
        ...

    def claim(self, timeout_s: float | None = None, among: int | None = None) -> tuple[int, memoryview] | None:
        """A free slot and its bytes, once there is one; None when the time is over. among: the first so many slots."""
        ...

    def commit(self, slot: int, note: int = 0) -> SlotRef:
        """Hand a claimed slot on, once its bytes are written. note: what it holds, for onlookers."""
        ...

    def view(self, ref: SlotRef) -> memoryview:
        """The bytes of a slot. Raises SlotError when they are no longer what ``ref`` refers to."""
        ...

    def release(self, ref: SlotRef) -> None:
        """Give a slot back to its writer."""
        ...


EPOCHS_OF_A_LIFE = 1_000_000
"""A source that is replaced counts its epochs from the next multiple of this."""

FRAMES, CROPS = "frames/", "crops"
"""Names of rings: one of frames for each stream, one of crops for all."""


def frame_ring(stream: str) -> str:
    """The name of the ring that holds the frames of a stream."""
    return FRAMES + stream


class FrameRings(Mapping[str, Slots]):
    """The rings of frames by stream, among ``rings``; also those that come later."""

    def __init__(self, rings: Mapping[str, Slots]) -> None:
        self._rings = rings

    def __getitem__(self, stream: str) -> Slots:
        return self._rings[frame_ring(stream)]

    def __iter__(self) -> Iterator[str]:
        return (name.removeprefix(FRAMES) for name in self._rings if name.startswith(FRAMES))

    def __len__(self) -> int:
        return sum(1 for _ in self)
