"""Reading files at a terminal: models, progress, events, Ctrl-C, and a summary line."""

import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from stream_ocr import api
from stream_ocr.cli.options import print_status
from stream_ocr.cli.output_names import SUBTITLE_SUFFIXES
from stream_ocr.cli.progress import ProgressDisplay
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError, SinkError, SourceError, WorkerError
from stream_ocr.events import Event, TextEvent
from stream_ocr.models import presets
from stream_ocr.printable import encodable, escape_unprintable
from stream_ocr.sinks import CONSOLE, Sink, Sinks, open_sinks
from stream_ocr.sinks.subtitles import Select
from stream_ocr.sources.addresses import Video, as_address, video_name
from stream_ocr.sources.file_check import check_file

if TYPE_CHECKING:
    from stream_ocr.sources.cuts import Cuts


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


ReadFile = Callable[[Video, str, Settings, Signals, Sink], Generator[TextEvent]]
"""Takes a file, the name of its stream, settings, signals, and a sink that writes nothing."""


class Workers:
    """Reads files with a process per stage; the processes start with the first file and serve all of them."""

    def __init__(self, files: Sequence[Video]) -> None:
        """files: in the order in which they will be read."""
        self._files = dict(zip(stream_names(files), files, strict=True))
        self._queue: api.FileQueue | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def read(
        self, file: Video, stream: str, settings: Settings, signals: Signals, origins: Sink
    ) -> Generator[TextEvent]:
        """Read the next file."""
        if self._queue is None:
            self._queue = self._open.enter_context(api.FileQueue(self._files, settings))
        queue = self._queue
        with signals.stopping_with(queue.stop):
            try:
                with ProgressDisplay(lambda: queue.progress):
                    yield from queue.read(stream, [origins])
            finally:
                _print_summary(file, queue.summary())


def read_in_process(
    file: Video, stream: str, settings: Settings, signals: Signals, origins: Sink
) -> Generator[TextEvent]:
    """Read a file in this process."""
    yield from api.read_until(
        file,
        settings,
        stream=stream,
        sinks=[origins],
        stop=lambda: signals.caught is not None,
        on_summary=partial(_print_summary, file),
    )


def _print_summary(file: Video, summary: api.Summary) -> None:
    if summary.frames:
        print_status(f"{escape_unprintable(video_name(file))}: {summary.line()}")


class _Origins:
    """A sink that only tells other sinks, which stay open over several files, where a video starts."""

    name = "origins"

    def __init__(self, sinks: Sequence[Sinks]) -> None:
        self._sinks = sinks

    def open(self) -> None:
        """Do nothing: the other sinks are open."""

    def set_origin(self, stream: str, origin_s: float) -> None:
        for each in self._sinks:
            each.set_origin(stream, origin_s)

    def write(self, event: Event) -> None:
        """Do nothing: events are written by who reads them."""

    def close(self) -> None:
        """Do nothing: the other sinks stay open."""


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


def read_files(
    files: Sequence[Video],
    settings: Settings,
    outputs: Sequence[str],
    read_file: ReadFile,
    *,
    own_outputs: Sequence[Sequence[str]] = (),
    select: Select = "all",
) -> ReadResult:
    """Read files one after the other. Report files that fail and read the others.

    outputs: of all files. own_outputs: further ones of each file. select: texts in subtitle files. Raises SinkError
    when an output cannot be opened, and WorkerError when a worker dies.
    """
    result, signals = ReadResult(), Signals()
    shared = open_sinks(outputs or ([] if any(own_outputs) else [CONSOLE]), settings, select=select)
    own_sinks = [open_sinks(names, select=select) for names in own_outputs or [[] for _ in files]]
    for part, text in presets.describe(settings):
        print_status(f"{part}: {text}")
    with shared, signals.handled():
        for file, stream, own in zip(files, stream_names(files), own_sinks, strict=True):
            with own:
                read = partial(read_file, file, stream, settings.without_sinks(), signals, _Origins([shared, own]))
                _read_into(read, [shared, own], result, signals)
            if signals.caught:
                break
    result.signal = signals.caught
    for sinks in (shared, *own_sinks):
        for sentence in _missing(sinks):
            print_status(sentence)
            result.failed = True
    return result


def _read_into(
    read: Callable[[], Generator[TextEvent]], sinks: Sequence[Sinks], result: ReadResult, signals: Signals
) -> None:
    """Write the events of one file to sinks that are open."""
    try:
        with closing(read()) as events:
            for event in events:
                result.events.append(event)
                for each in sinks:
                    each.write(event)
    except SourceError as error:
        print_status(str(error))
        result.failed = True
    except WorkerError:
        # Ctrl-C may also hit a worker that has just been forked and has not yet left our process group.
        if not signals.caught:
            raise


def is_readable(file: Video) -> bool:
    """Return False for what is certainly no video, and print why."""
    try:
        if not as_address(file):
            check_file(Path(file))
    except SourceError as error:
        print_status(str(error))
        return False
    return True


def stream_names(files: Sequence[Video]) -> list[str]:
    """Return the file names; full paths where names repeat, numbered where a file repeats."""
    names = [video_name(file) for file in files]
    full = [str(as_address(file) or file) for file in files]
    paths = [encodable(path if names.count(name) > 1 else name) for name, path in zip(names, full, strict=True)]
    return [f"{path}#{paths[:n].count(path) + 1}" if path in paths[:n] else path for n, path in enumerate(paths)]


def export_events(
    log: Path,
    outputs: Sequence[str],
    streams: Sequence[str] = (),
    *,
    select: Select = "all",
    origin_s: float = 0.0,
    lists: Sequence[Sink] = (),
) -> None:
    """Write the events of a file or store to sinks. Raises SourceError, StoreError and SinkError.

    select: texts in subtitle files. origin_s: media time from which their times count. lists: sinks of one film, too.
    """
    from stream_ocr.store.replay import read_events  # imports SQLite

    subtitles = [output for output in outputs if Path(output).suffix.lower() in SUBTITLE_SUFFIXES]
    subtitles += [sink.name for sink in lists]
    found = sorted({event.stream for event in read_events(log, streams)}) if subtitles else []
    if len(found) > 1:
        raise SinkError(
            f"{subtitles[0]} would mix the texts of {len(found)} streams ({', '.join(found[:3])}"
            f"{', …' if len(found) > 3 else ''}); choose one with --stream."
        )
    with open_sinks([*outputs, *lists], select=select) as sinks:
        for name in found:
            sinks.set_origin(name, origin_s)
        for event in read_events(log, streams):
            sinks.write(event)
    if sinks.lost:
        raise SinkError(" ".join(_missing(sinks)))


def find_cuts(video: Path, fps: float, max_pixels: int) -> "Cuts":
    """Return the cuts of a video and show the progress. Raise SettingsError without the extra, and SourceError."""
    try:
        from stream_ocr.sources import cuts
    except ImportError as error:
        raise SettingsError(
            f"Scenes by cuts of --video need {error.name}, which is not installed; pip install 'stream-ocr[scenes]', or"
            " leave --video out to split scenes by texts only."
        ) from error
    position = _Position()
    with ProgressDisplay(lambda: position):
        found = cuts.find_cuts(video, fps, max_pixels, position.set_position)
    if found.failure:
        print_status(found.failure)
    return found


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
        # A file that is written as a whole at the end loses none of them singly.
        missing = f"{lost} events are missing there" if lost else "it is not complete"
        yield f"{name} could not be written; {missing}."


def _nothing() -> None:
    pass
