"""Progress of an archive: a bar on a terminal, or else a line every few seconds."""

import sys
import time
from collections import Counter
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from stream_ocr.cli.thresholds import THRESHOLDS


class ArchiveTotals(Protocol):
    """Displayed figures. files: number of all files. counts: of outcomes, by status."""

    files: int
    counts: Counter[str]
    media_s: float

    @property
    def settled(self) -> int: ...


class ArchiveProgress:
    """Shows the totals. Call ``update`` after each change; it prints no more often than is useful."""

    def __init__(self, totals: ArchiveTotals, out: TextIO | None = None) -> None:
        self._totals, self._out = totals, out or sys.stderr
        self._terminal = self._out.isatty()
        self._interval_s = THRESHOLDS.bar_interval_s if self._terminal else THRESHOLDS.line_interval_s
        self._started_s = self._printed_s = time.monotonic()
        self._bar = Progress(
            TextColumn("reading"),
            BarColumn(),
            TextColumn("{task.fields[line]}"),
            console=Console(file=self._out, highlight=False),
            transient=True,
            disable=not self._terminal,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        self._task = self._bar.add_task("", total=self._totals.files, line="starting")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self) -> None:
        """Show the totals if the last time is long enough ago."""
        now_s = time.monotonic()
        if now_s - self._printed_s < self._interval_s:
            return
        self._printed_s = now_s
        line = format_totals(self._totals, now_s - self._started_s)
        if self._terminal:
            self._bar.update(self._task, completed=self._totals.settled, line=line)
        else:
            self.print(line)

    def print(self, line: str) -> None:
        """Print a line above the bar."""
        if self._terminal:
            self._bar.console.print(line, markup=False)
        else:
            self._out.write(f"{line}\n")
            self._out.flush()


def format_totals(totals: ArchiveTotals, wall_s: float) -> str:
    """Return a line such as ``120 of 1000 files, 3 failed, 40.0 files/min, 6.2 × real time, 0:22:00 left``."""
    parts = [f"{totals.settled} of {totals.files} files"]
    if totals.counts["failed"]:
        parts.append(f"{totals.counts['failed']} failed")
    read = totals.counts["read"]
    if read and wall_s > 0:
        parts += [f"{60 * read / wall_s:.1f} files/min", f"{totals.media_s / wall_s:.1f} × real time"]
        left_s = round((totals.files - totals.settled) * wall_s / read)
        parts.append(f"{left_s // 3600}:{left_s // 60 % 60:02d}:{left_s % 60:02d} left")
    return ", ".join(parts)
