"""How far a reading is: a bar on a terminal, a plain line every few seconds otherwise."""

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

_BAR_EVERY_S = 0.25
_LINE_EVERY_S = 5.0


class Reading(Protocol):
    """What is to be shown."""

    @property
    def media_s(self) -> float: ...

    @property
    def duration_s(self) -> float | None: ...


class Watch:
    """Looks at a reading from a thread of its own while it is entered, for events may be long in coming."""

    def __init__(self, look: Callable[[], Reading], out: TextIO | None = None, *, every_s: float | None = None) -> None:
        self._look = look
        self._out = out or sys.stderr
        self._terminal = self._out.isatty()
        self._every_s = every_s or (_BAR_EVERY_S if self._terminal else _LINE_EVERY_S)
        self._begun: float | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._bar = Progress(
            TextColumn("reading"),
            BarColumn(),
            TextColumn("{task.fields[line]}"),
            console=Console(file=self._out),
            auto_refresh=False,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
            disable=not self._terminal,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        self._task = self._bar.add_task("", total=None, line="starting")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._bar.stop()

    def _run(self) -> None:
        while not self._over.wait(self._every_s):
            reading = self._look()
            if reading.media_s > 0 and self._begun is None:
                self._begun = time.monotonic()  # loading the models is no part of the speed
                continue
            if self._begun is None:
                continue
            line = describe(reading.media_s, reading.duration_s, time.monotonic() - self._begun)
            if self._terminal:
                self._bar.update(self._task, completed=reading.media_s, total=reading.duration_s, line=line)
                self._bar.refresh()
            else:
                self._out.write(f"{line}\n")
                self._out.flush()


def describe(media_s: float, duration_s: float | None, wall_s: float) -> str:
    """``12.0 of 60.0 s, 2.0 × real time, 0:24 left``"""
    speed = media_s / wall_s if wall_s > 0 else 0.0
    parts = [f"{media_s:.1f} of {duration_s:.1f} s" if duration_s else f"{media_s:.1f} s", f"{speed:.1f} × real time"]
    if duration_s and speed > 0:
        left_s = round(max(duration_s - media_s, 0.0) / speed)
        hours, minutes, seconds = left_s // 3600, left_s // 60 % 60, left_s % 60
        parts.append(f"{hours}:{minutes:02d}:{seconds:02d} left" if hours else f"{minutes}:{seconds:02d} left")
    return ", ".join(parts)
