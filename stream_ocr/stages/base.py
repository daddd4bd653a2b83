"""The contract of a stage: a plain object that knows nothing of sockets, processes or shutdown."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any, Protocol, Self

from stream_ocr.core.messages import Message, SlotRef, StreamClosed


class Stage(ABC):
    """One step of the pipeline. Enter it once to load its model, then pass it batches in the order of each stream.

    Only ``process`` must be written. Everything else has a default that does nothing or passes the message on.
    """

    notes: Mapping[str, str] = MappingProxyType({})
    """Facts for the user, known once the stage is entered: the model and the device."""

    def __enter__(self) -> Self:
        """Load what the stage needs."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release what ``__enter__`` loaded."""
        return

    @abstractmethod
    def process(self, batch: Sequence[Message]) -> Iterable[Message]:
        """Return the outputs of a batch, in order."""

    def gains_from_batches(self, message: Message) -> bool:  # noqa: ARG002 for those that override it
        """Return whether several messages like this one take less time together, so that it may wait for more."""
        return False

    def close(self, closed: StreamClosed) -> Iterable[Message]:
        """Return the remaining outputs of a stream that closed, its ``StreamClosed`` last."""
        return [closed]

    def quarantine(self, message: Message) -> Iterable[Message]:  # noqa: ARG002 for those that override it
        """Return the outputs for a message that killed its worker twice and is not processed again.

        A stage that is retried (``retries`` in the topology) gives one output for each message, here too.
        """
        return []

    def resend(self) -> None:
        """Send the full state again with the next messages: the stage behind was restarted and has forgotten it."""
        return

    def configure(self, settings: Mapping[str, Any]) -> None:  # noqa: ARG002 for those that override it
        """Apply new settings of the sources."""
        return

    @property
    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """Return numbers that only grow, by stream and name."""
        return {}


class SourceStage(Stage):
    """A stage without input: the first one of a stream."""

    duration_s: float | None = None
    """Length of the stream in media seconds, where it is known once the stage is entered."""

    @abstractmethod
    def run(self, stop: Callable[[], bool]) -> Iterator[Message]:
        """Yield the messages of the stream, ``StreamClosed`` last, even if ``stop()`` ends it early."""

    def process(self, batch: Sequence[Message]) -> Iterable[Message]:  # noqa: ARG002 a source has no input
        """Return nothing: a source has no input."""
        return []


class Slots(Protocol):
    """Pixels in shared memory. One stage writes a slot, exactly one later stage releases it.

    slots: their number.
    """

    slots: int

    @property
    def in_use(self) -> int:
        """Return the number of slots that are written and not yet released."""
        ...

    def claim(self, timeout_s: float | None = None, among: int | None = None) -> tuple[int, memoryview] | None:
        """Return a free slot and its bytes, or None if none becomes free within ``timeout_s``.

        timeout_s: None waits without limit. among: consider only the first ``among`` slots.
        """
        ...

    def commit(self, slot: int, note: int = 0) -> SlotRef:
        """Return the reference to a claimed slot whose bytes are written. note: 64 bits that describe the content."""
        ...

    def view(self, ref: SlotRef) -> memoryview:
        """Return the bytes of a slot. Raise SlotError if the slot has been reused since."""
        ...

    def release(self, ref: SlotRef) -> None:
        """Return a slot to its writer."""
        ...


EPOCHS_PER_INCARNATION = 1_000_000
"""Each incarnation of a source (0, then 1 more for each restart of its worker) starts at a multiple of this epoch."""

FRAMES, CROPS = "frames/", "crops"
"""Names of rings: one of frames per stream, named by this prefix, and one of crops for all streams."""


def frame_ring(stream: str) -> str:
    """Return the name of the ring that holds the frames of a stream."""
    return FRAMES + stream


class FrameRings(Mapping[str, Slots]):
    """Maps streams to their rings of frames, also those that are added to ``rings`` later."""

    def __init__(self, rings: Mapping[str, Slots]) -> None:
        self._rings = rings

    def __getitem__(self, stream: str) -> Slots:
        return self._rings[frame_ring(stream)]

    def __iter__(self) -> Iterator[str]:
        return (name.removeprefix(FRAMES) for name in self._rings if name.startswith(FRAMES))

    def __len__(self) -> int:
        return sum(1 for _ in self)
