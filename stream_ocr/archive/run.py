"""A run over an archive: skip what is done, read the rest, try again what failed, quarantine what fails again."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from stream_ocr.archive.output import Output
from stream_ocr.archive.sources import Source
from stream_ocr.archive.unit import Planner, Unit
from stream_ocr.archive.workers import Finished, Workers
from stream_ocr.errors import SourceError

Status = Literal["read", "skipped", "failed"]

_DIED = "The process that read it died; the file may be damaged, or the memory too small."


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of reading a file. sentence: why it failed. media_s: duration of the video that was read, in seconds."""

    stream: str
    status: Status
    sentence: str = ""
    media_s: float = 0.0
    frames: int = 0


class ArchiveRun:
    """Reads the files of an archive. No more units are in memory than workers have room for."""

    def __init__(
        self,
        sources: Iterable[Source],
        planner: Planner,
        output: Output,
        workers: Workers,
        *,
        force: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """force: read also what is done or quarantined. stop: start no more units once it returns True."""
        self._sources, self._planner = iter(sources), planner
        self._output, self._workers, self._force, self._stop = output, workers, force, stop
        self._next: Unit | None = None
        self._again: deque[Unit] = deque()

    def outcomes(self) -> Iterator[Outcome]:
        """Yield the outcome of every file, in the order in which they finish."""
        while True:
            yield from self._start_units()
            if not self._workers.is_busy and (self._next is None or self._stop()):
                return
            for finished in self._workers.wait():
                yield from self._settle(finished)

    def _start_units(self) -> Iterator[Outcome]:
        """Start as many units as there is room for, and yield the outcomes of files that need no reading."""
        while not self._stop():
            if self._next is None:
                yield from self._find_next()
            if self._next is None or not self._workers.has_room:
                return
            self._workers.start(self._next)
            self._next = None

    def _find_next(self) -> Iterator[Outcome]:
        """Set the unit to start next, if there is one, and yield the outcomes of the files before it."""
        if self._again:
            self._next = self._again.popleft()
            return
        for source in self._sources:
            try:
                unit = self._planner.plan(source)
            except SourceError as error:
                yield Outcome(source.stream, "failed", str(error))
                continue
            if self._force:
                self._output.forget_failure(unit)
            elif self._output.is_done(unit):
                yield Outcome(unit.stream, "skipped")
                continue
            elif (failure := self._output.failure(unit)) and failure.is_final:
                yield Outcome(unit.stream, "failed", failure.sentence)
                continue
            self._next = unit
            return

    def _settle(self, finished: Finished) -> Iterator[Outcome]:
        unit, result = finished.unit, finished.result
        if finished.lost:
            self._again.append(unit)
        elif result is None or result.failure:
            sentence, attempt = (result.failure, result.attempt) if result else (_DIED, None)
            failure = self._output.record_failure(unit, sentence, died=result is None, attempt=attempt)
            if failure.is_final:
                yield Outcome(unit.stream, "failed", sentence)
            else:
                self._again.append(unit)
        else:
            yield Outcome(unit.stream, "read", media_s=result.media_s, frames=result.frames)
