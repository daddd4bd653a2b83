"""The contract of workers: something that reads several units at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from stream_ocr.archive.unit import Unit
from stream_ocr.archive.unit_reader import UnitResult


@dataclass(frozen=True, slots=True)
class Finished:
    """A unit that a worker has finished. result: None if the worker died. lost: it died with its machine."""

    unit: Unit
    result: UnitResult | None
    lost: bool = False


class Workers(Protocol):
    """Workers read units; entered to start them, left to stop them."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def has_room(self) -> bool:
        """Return True if another unit can be started now."""
        ...

    @property
    def is_busy(self) -> bool:
        """Return True while units are being read."""
        ...

    def start(self, unit: Unit) -> None:
        """Start to read a unit. Call it only while there is room."""
        ...

    def wait(self) -> Sequence[Finished]:
        """Wait until something changes, and return the units that have finished.

        Raise what ended a unit other than its file.
        """
        ...
