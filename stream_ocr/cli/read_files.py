"""Reading files at a terminal: models, progress, events, Ctrl-C, and a summary line."""

import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stream_ocr import api
from stream_ocr.cli.options import print_status
from stream_ocr.cli.progress import ProgressDisplay
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SinkError, SourceError, WorkerError
from stream_ocr.events import Event, TextEvent
from stream_ocr.models import presets
from stream_ocr.printable import encodable, escape_unprintable
from stream_ocr.sinks import CONSOLE, Sinks, open_sinks
from stream_ocr.sources.file_check import check_file
from stream_ocr.store.replay import read_events


class Signals:
    """Handles SIGINT and SIGTERM: the first signal stops gracefully, the second at once."""

    def __init__(self) -> None:
        self.caught: int | None = None
        self._stop: Callable[[], None] = _nothing

    @contextmanager
    def stopping_with(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call ``stop`` at the first signal within the block, or at once if it has already arrived."""
        self._stop = stop
        if self.caught:
            stop()
        try:
            yield
        finally:
            self._stop = _nothing

    @contextmanager
    def handled(self) -> Iterator[None]:
        """Handle the signals, except ignored ones such as SIGINT in background jobs of a script."""
        both = (signal.SIGINT, signal.SIGTERM)
        caught = [number for number in both if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._handle) for number in caught}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, _frame: object) -> None:
        if self.caught:
            raise KeyboardInterrupt
        self.caught = number
        self._stop()


ReadFile = Callable[[Path, str, Settings, Signals], Generator[TextEvent]]


def read_in_workers(file: Path, stream: str, settings: Settings, signals: Signals) -> Generator[TextEvent]:
    """Read a file with a process per stage."""
    with api.Pipeline({stream: file}, settings) as pipeline, signals.stopping_with(pipeline.stop):
        try:
            with ProgressDisplay(lambda: pipeline.progress):
                yield from pipeline.events()
        finally:
            if (summary := pipeline.summary()).frames:
                print_status(f"{escape_unprintable(file.name)}: {summary.line()}")


def read_in_process(file: Path, stream: str, settings: Settings, signals: Signals) -> Generator[TextEvent]:
    """Read a file in this process."""
    for event in api.read(file, settings, stream=stream):
        yield event
        if signals.caught:
            return


@dataclass
class ReadResult:
    """The events that were read, and the exit code."""

    events: list[TextEvent] = field(default_factory=list)
    failed: bool = False
    signal: int | None = None

    @property
    def code(self) -> int:
        """Return 128 + the signal number after a signal, 1 after a failure, or else 0."""
        return 128 + self.signal if self.signal else int(self.failed)


def read_files(files: Sequence[Path], settings: Settings, outputs: Sequence[str], read_file: ReadFile) -> ReadResult:
    """Read files one after the other. Report files that fail and read the others.

    Raises SinkError when an output cannot be opened, and WorkerError when a worker dies.
    """
    result, signals = ReadResult(), Signals()
    sinks = open_sinks(outputs or [CONSOLE], settings)
    for part, text in presets.describe(settings):
        print_status(f"{part}: {text}")
    file_settings = settings.without_sinks()  # the sinks are open here, over all files
    with sinks, signals.handled():
        for file, stream in zip(files, stream_names(files), strict=True):
            try:
                with closing(read_file(file, stream, file_settings, signals)) as events:
                    for event in events:
                        result.events.append(event)
                        sinks.write(event)
            except SourceError as error:
                print_status(str(error))
                result.failed = True
            except WorkerError:
                # Ctrl-C may also hit a worker that has just been forked and has not yet left our process group.
                if not signals.caught:
                    raise
            if signals.caught:
                break
    result.signal = signals.caught
    for sentence in _missing(sinks):
        print_status(sentence)
        result.failed = True
    return result


def is_readable(file: Path) -> bool:
    """Return False for what is certainly no video, and print why."""
    try:
        check_file(file)
    except SourceError as error:
        print_status(str(error))
        return False
    return True


def stream_names(files: Sequence[Path]) -> list[str]:
    """Return the file names; full paths where names repeat, numbered where a file repeats."""
    names = [file.name for file in files]
    paths = [encodable(str(file) if names.count(file.name) > 1 else file.name) for file in files]
    return [f"{path}#{paths[:n].count(path) + 1}" if path in paths[:n] else path for n, path in enumerate(paths)]


def export_events(log: Path, outputs: Sequence[str], streams: Sequence[str] = ()) -> None:
    """Write the events of a file or store to sinks. Raises SourceError, StoreError and SinkError."""
    with open_sinks(outputs) as sinks:
        for event in read_events(log, streams):
            sinks.write(event)
    if sinks.lost:
        raise SinkError(" ".join(_missing(sinks)))


def annotate_video(video: Path, events: Sequence[Event], target: Path, settings: Settings) -> None:
    """Write the annotated video and show the progress."""
    from stream_ocr.viz import annotate  # imports video encoders and fonts, which reading does not need

    position = _Position()
    with ProgressDisplay(lambda: position):
        frames = annotate.annotate(video, events, target, settings, progress=position.set_position)
    print_status(f"{target}: {frames} frames")


@dataclass
class _Position:
    media_s: float = 0.0
    duration_s: float | None = None

    def set_position(self, time_s: float) -> None:
        self.media_s = time_s


def _missing(sinks: Sinks) -> Iterator[str]:
    for name, lost in sinks.lost.items():
        yield f"{name} could not be written; {lost} events are missing there."


def _nothing() -> None:
    pass
