"""Output of ``stream-ocr run``: a table of cameras on a terminal, or else a line per event."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Literal, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stream_ocr.cli.options import print_status
from stream_ocr.cli.read_files import Signals
from stream_ocr.cli.thresholds import THRESHOLDS
from stream_ocr.events import Event
from stream_ocr.service.camera_status import Camera
from stream_ocr.service.live_pipeline import LivePipeline
from stream_ocr.sinks.console import escape_unprintable, format_event

_COLUMNS: tuple[tuple[str, Literal["left", "right"], int], ...] = (
    ("state", "left", 8),
    ("fps", "right", 4),
    ("age", "right", 6),
    ("lost", "right", 5),
)
_STYLES = {"up": "green", "down": "red", "starting": "yellow", "closed": "dim"}


class EventView(Protocol):
    """Displays events while it is entered."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, event: Event) -> None:
        """Display an event."""
        ...


def watch_cameras(pipeline: LivePipeline, view: EventView) -> int:
    """Read the cameras until a signal and return the exit code.

    The first SIGINT or SIGTERM drains the pipeline, the second one ends it at once; SIGHUP reloads the settings.
    """
    signals = Signals()
    try:
        with (
            signals.handled(),
            _reloading_on_sighup(pipeline.reload),
            view,
            pipeline,
            signals.stopping_with(pipeline.stop),
        ):
            for stage in ("detect", "recognize"):
                for key, note in pipeline.notes.get(stage, {}).items():
                    print_status(f"{stage}: {key} {note}")
            print_status(f"watching {', '.join(pipeline.cameras)}")
            if pipeline.dashboard_url is not None:
                print_status(f"{pipeline.dashboard_url} shows the dashboard")
            for event in pipeline.events():
                view.show(event)
    except KeyboardInterrupt:
        return 128 + (signals.caught or signal.SIGINT)
    return 0


class LineView:
    """Prints every event as a line on standard output."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, event: Event) -> None:
        sys.stdout.write(f"{event.stream}  {format_event(event)}\n")
        sys.stdout.flush()


class TableView:
    """Shows a table of all cameras at the bottom of the terminal, with log lines above it.

    While it is entered, standard error of this process and its children is a pipe that a thread copies to the
    terminal: lines written directly would corrupt the table.
    """

    def __init__(self, cameras: Mapping[str, Camera]) -> None:
        self._cameras = cameras
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            console = opened.enter_context(_captured_stderr())
            opened.enter_context(
                Live(
                    console=console,
                    get_renderable=lambda: render_table(self._cameras),
                    refresh_per_second=1 / THRESHOLDS.table_interval_s,
                )
            )
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def show(self, event: Event) -> None:
        """Do nothing: the table shows the status of the cameras."""


def render_table(cameras: Mapping[str, Camera]) -> Table:
    """Return a table with a row for each camera."""
    shown = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    shown.add_column("camera", no_wrap=True, min_width=max(map(len, list(cameras)), default=0))
    for title, justify, width in _COLUMNS:
        shown.add_column(title, justify=justify, no_wrap=True, min_width=width)
    shown.add_column("latest texts", no_wrap=True, overflow="ellipsis", ratio=1)
    for name, camera in list(cameras.items()):
        age_s = camera.age_s
        texts = " · ".join(map(escape_unprintable, reversed(list(camera.texts))))
        shown.add_row(
            name,
            Text(camera.state, style=_STYLES.get(camera.state, "")),
            f"{camera.fps:.1f}",
            "" if age_s is None else _age(age_s),
            str(sum(list(camera.dropped.values())) or ""),
            Text(texts if camera.state == "up" or not camera.reason else escape_unprintable(camera.reason)),
        )
    return shown


def _age(seconds: float) -> str:
    if seconds < THRESHOLDS.decimal_below_s:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < THRESHOLDS.minutes_from_s else f"{seconds / 60:.0f} min"


@contextmanager
def _reloading_on_sighup(reload: Callable[[], None]) -> Iterator[None]:
    before = signal.signal(signal.SIGHUP, lambda _number, _frame: reload())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def _captured_stderr() -> Iterator[Console]:
    """Yield a console on the terminal and print on it, line by line, what is written to standard error meanwhile."""
    sys.stderr.flush()
    terminal = os.fdopen(os.dup(2), "w", encoding="utf-8")
    console = Console(file=terminal)
    read_fd, write_fd = os.pipe()
    printed = threading.Event()
    copying = threading.Thread(target=_copy, args=(read_fd, console, printed), name="stderr", daemon=True)
    copying.start()
    os.dup2(write_fd, 2)
    os.close(write_fd)
    try:
        yield console
    finally:
        sys.stderr.flush()
        os.dup2(terminal.fileno(), 2)
        for _ in range(THRESHOLDS.max_drains):  # bounded: a leftover process may hold the pipe open
            printed.clear()
            copying.join(THRESHOLDS.drain_s)
            if not printed.is_set():
                break


def _copy(read_fd: int, console: Console, printed: threading.Event) -> None:
    """Copy lines until all writers have closed the pipe, then close the console's file."""
    with console.file, open(read_fd, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            console.print(Text.from_ansi(line.rstrip("\n")))
            printed.set()
