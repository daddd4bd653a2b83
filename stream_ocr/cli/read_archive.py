"""Reading an archive at a terminal: progress, failures, Ctrl-C, and a table at the end."""

import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from stream_ocr.archive.output import Output
from stream_ocr.archive.run import ArchiveRun, Outcome
from stream_ocr.archive.sources import Sources
from stream_ocr.archive.unit import Planner
from stream_ocr.archive.workers import Workers
from stream_ocr.cli.archive_progress import ArchiveProgress
from stream_ocr.cli.options import print_status
from stream_ocr.cli.read_files import Signals
from stream_ocr.printable import escape_unprintable


@dataclass
class Totals:
    """Sums over the files of a run."""

    files: int
    counts: Counter[str] = field(default_factory=Counter)
    media_s: float = 0.0
    frames: int = 0

    @property
    def settled(self) -> int:
        """Return the number of files with an outcome."""
        return self.counts.total()

    def add(self, outcome: Outcome) -> None:
        """Add the outcome of a file."""
        self.counts[outcome.status] += 1
        self.media_s += outcome.media_s
        self.frames += outcome.frames


def read_archive(sources: Sources, planner: Planner, output: Output, workers: Workers, *, force: bool = False) -> int:
    """Read the files and return the exit code: 1 if some could not be read, 128 + the number of a signal.

    The first signal lets the files that have been started finish, the second one stops at once.
    """
    totals, signals, started_s = Totals(sources.count(planner.check)), Signals(), time.monotonic()
    output.prepare()
    run = ArchiveRun(sources, planner, output, workers, force=force, stop=lambda: signals.caught is not None)
    # The workers come first: Ray handles SIGTERM itself when it connects.
    with workers, signals.handled(), signals.stopping_with(_say_stopping), ArchiveProgress(totals) as progress:
        for outcome in run.outcomes():
            totals.add(outcome)
            if outcome.status == "failed":
                progress.print(f"{escape_unprintable(outcome.stream)}: {escape_unprintable(outcome.sentence)}")
            progress.update()
    _print_table(totals, output, time.monotonic() - started_s)
    return 128 + signals.caught if signals.caught else int(totals.counts["failed"] > 0)


def _say_stopping() -> None:
    print_status("stopping when the files that have been started are read; once more stops at once")


def _print_table(totals: Totals, output: Output, wall_s: float) -> None:
    table = Table(show_header=False, box=None)
    for name, value in (
        ("read", f"{totals.counts['read']} files, {totals.media_s:.1f} s of video, {totals.frames} frames"),
        ("done before", f"{totals.counts['skipped']} files"),
        ("failed", f"{totals.counts['failed']} files"),
        ("not read", f"{totals.files - totals.settled} files"),
        ("time", f"{wall_s:.1f} s ({totals.media_s / max(wall_s, 1e-9):.1f} × real time)"),
        ("output", str(output.folder / "units")),
    ):
        table.add_row(name, escape_unprintable(value))
    Console(file=sys.stderr, highlight=False).print(table)
    if totals.counts["failed"]:
        print_status(
            f"Files that failed are described in {output.folder / 'quarantine'} and are not tried again until they "
            "change; remove their folders there, or use --force, to try them again."
        )
