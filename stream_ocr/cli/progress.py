"""Progress of reading: a bar on a terminal, or else a line every few seconds."""

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from stream_ocr.cli.thresholds import THRESHOLDS

if TYPE_CHECKING:
    from rich.progress import Progress


class ProgressSource(Protocol):
    """The progress to display: position and duration in media seconds; duration None if unknown."""

    @property
    def media_s(self) -> float: ...

    @property
    def duration_s(self) -> float | None: ...


class ProgressDisplay:
    """Polls the progress from a thread while it is entered, since events may be far apart."""

    def __init__(
        self,
        get_progress: Callable[[], ProgressSource],
        out: TextIO | None = None,
        *,
        interval_s: float | None = None,
    ) -> None:
        self._get_progress = get_progress
        self._out = out or sys.stderr
        self._terminal = self._out.isatty()
        default_s = THRESHOLDS.bar_interval_s if self._terminal else THRESHOLDS.line_interval_s
        self._interval_s = interval_s or default_s
        self._started_s: float | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._bar = _new_bar(self._out) if self._terminal else None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("", total=None, line="starting")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._bar is not None:
            self._bar.stop()

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            progress = self._get_progress()
            if progress.media_s > 0 and self._started_s is None:
                self._started_s = time.monotonic()  # excludes the time for loading the models
                continue
            if self._started_s is None:
                continue
            line = format_progress(progress.media_s, progress.duration_s, time.monotonic() - self._started_s)
            if self._bar is not None:
                self._bar.update(self._task, completed=progress.media_s, total=progress.duration_s, line=line)
                self._bar.refresh()
            else:
                self._out.write(f"{line}\n")
                self._out.flush()


def _new_bar(out: TextIO) -> "Progress":
    # Imported for a terminal only: it takes 20 ms.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("reading"),
        BarColumn(),
        TextColumn("{task.fields[line]}"),
        console=Console(file=out),
        auto_refresh=False,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )


def format_progress(media_s: float, duration_s: float | None, wall_s: float) -> str:
    """Return a line such as ``12.0 of 60.0 s, 2.0 × real time, 0:24 left``."""
    speed = media_s / wall_s if wall_s > 0 else 0.0
    parts = [f"{media_s:.1f} of {duration_s:.1f} s" if duration_s else f"{media_s:.1f} s", f"{speed:.1f} × real time"]
    if duration_s and speed > 0:
        left_s = round(max(duration_s - media_s, 0.0) / speed)
        hours, minutes, seconds = left_s // 3600, left_s // 60 % 60, left_s % 60
        parts.append(f"{hours}:{minutes:02d}:{seconds:02d} left" if hours else f"{minutes}:{seconds:02d} left")
    return ", ".join(parts)
