"""Cameras as seen at a terminal: a calm table while they are watched, or lines where nobody looks."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from types import TracebackType
from typing import Literal, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stream_ocr.cli.read_files import Signals, say
from stream_ocr.events import Event
from stream_ocr.service.camera_status import Camera
from stream_ocr.service.live_pipeline import LivePipeline
from stream_ocr.sinks.console import printable, row

_EVERY_S = 0.5
_LAST_LINES_S, _MOST_TIMES = 2.0, 10
_COLUMNS: tuple[tuple[str, Literal["left", "right"], int], ...] = (
    ("state", "left", 8),
    ("fps", "right", 4),
    ("age", "right", 6),
    ("lost", "right", 5),
)
_STYLES = {"up": "green", "down": "red", "starting": "yellow", "closed": "dim"}


class View(Protocol):
    """Where events and sentences are shown."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, event: Event) -> None:
        """Something has happened."""
        ...


def run(pipeline: LivePipeline, view: View, page: View | None = None) -> int:
    """Watch the cameras until a signal; the exit code. page: entered once everything runs.

    The first SIGINT or SIGTERM drains, a second one ends at once; SIGHUP reads the settings again.
    """
    signals = Signals()
    try:
        with (
            signals.caught_here(),
            _hanging_up(pipeline.reload),
            view,
            pipeline,
            signals.calling(pipeline.stop),
            page or nullcontext() as shown,
        ):
            for stage in ("detect", "recognize"):
                for what, note in pipeline.notes.get(stage, {}).items():
                    say(f"{stage}: {what} {note}")
            say(f"watching {', '.join(pipeline.cameras)}")
            for event in pipeline.events():
                view.show(event)
                if shown is not None:
                    shown.show(event)
    except KeyboardInterrupt:
        return 128 + (signals.caught or signal.SIGINT)
    return 0


class Lines:
    """Every event as a line on standard output."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, event: Event) -> None:
        sys.stdout.write(f"{event.stream}  {row(event)}\n")
        sys.stdout.flush()


class Board:
    """A table of all cameras at the foot of the terminal; what is logged runs above it.

    While it is entered, standard error of this process, and of those that it starts, is a pipe that is read here:
    written to the terminal at once, lines would tear the table.
    """

    def __init__(self, cameras: Mapping[str, Camera]) -> None:
        self._cameras = cameras
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            console = opened.enter_context(_standard_error())
            opened.enter_context(
                Live(console=console, get_renderable=lambda: table(self._cameras), refresh_per_second=1 / _EVERY_S)
            )
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def show(self, event: Event) -> None:
        """The table has it."""


def table(cameras: Mapping[str, Camera]) -> Table:
    """A row for each camera."""
    shown = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    shown.add_column("camera", no_wrap=True, min_width=max(map(len, list(cameras)), default=0))
    for title, justify, width in _COLUMNS:
        shown.add_column(title, justify=justify, no_wrap=True, min_width=width)
    shown.add_column("latest texts", no_wrap=True, overflow="ellipsis", ratio=1)
    for name, camera in list(cameras.items()):
        age_s = camera.age_s
        texts = " · ".join(map(printable, reversed(list(camera.texts))))
        shown.add_row(
            name,
            Text(camera.state, style=_STYLES.get(camera.state, "")),
            f"{camera.fps:.1f}",
            "" if age_s is None else _age(age_s),
            str(sum(list(camera.dropped.values())) or ""),
            Text(texts if camera.state == "up" or not camera.reason else printable(camera.reason)),
        )
    return shown


def _age(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


@contextmanager
def _hanging_up(reload: Callable[[], None]) -> Iterator[None]:
    before = signal.signal(signal.SIGHUP, lambda _number, _frame: reload())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def _standard_error() -> Iterator[Console]:
    """The terminal; what is written to standard error meanwhile is printed on it line by line."""
    sys.stderr.flush()
    terminal = os.fdopen(os.dup(2), "w", encoding="utf-8")
    console = Console(file=terminal)
    said, write = os.pipe()
    printed = threading.Event()
    copying = threading.Thread(target=_copy, args=(said, console, printed), name="board", daemon=True)
    copying.start()
    os.dup2(write, 2)
    os.close(write)
    try:
        yield console
    finally:
        sys.stderr.flush()
        os.dup2(terminal.fileno(), 2)
        for _ in range(_MOST_TIMES):  # no longer: a process that is left over may still hold the pipe
            printed.clear()
            copying.join(_LAST_LINES_S)
            if not printed.is_set():
                break


def _copy(said: int, console: Console, printed: threading.Event) -> None:
    """Until nobody can write any more; the console's file is then closed."""
    with console.file, open(said, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            console.print(Text.from_ansi(line.rstrip("\n")))
            printed.set()
