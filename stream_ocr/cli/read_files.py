"""A reading as seen at a terminal: what reads, how far it is, the events, Ctrl-C, and one line at the end."""

import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stream_ocr import api
from stream_ocr.cli.progress import Watch
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SinkError, SourceError, WorkerError
from stream_ocr.events import Event, TextEvent
from stream_ocr.models import presets
from stream_ocr.sinks import CONSOLE, Sinks, open_sinks
from stream_ocr.store.replay import read_events


class Signals:
    """The first Ctrl-C or SIGTERM stops gently, a second one at once."""

    def __init__(self) -> None:
        self.caught: int | None = None
        self._stop: Callable[[], None] = _nothing

    @contextmanager
    def calling(self, stop: Callable[[], None]) -> Iterator[None]:
        """What the first signal calls meanwhile; at once when it has come already."""
        self._stop = stop
        if self.caught:
            stop()
        try:
            yield
        finally:
            self._stop = _nothing

    @contextmanager
    def caught_here(self) -> Iterator[None]:
        """Handle the signals of this process but those that are ignored, as Ctrl-C is in the background of a script."""
        both = (signal.SIGINT, signal.SIGTERM)
        heard = [number for number in both if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._handle) for number in heard}
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


Way = Callable[[Path, str, Settings, Signals], Generator[TextEvent]]


def by_processes(file: Path, stream: str, settings: Settings, signals: Signals) -> Generator[TextEvent]:
    """Read a file with a process per stage."""
    with api.Pipeline({stream: file}, settings) as pipeline, signals.calling(pipeline.stop):
        try:
            with Watch(lambda: pipeline.progress):
                yield from pipeline.events()
        finally:
            if (summary := pipeline.summary()).frames:
                say(f"{file.name}: {summary.line()}")


def in_this_process(file: Path, stream: str, settings: Settings, signals: Signals) -> Generator[TextEvent]:
    """Read a file in this process."""
    for event in api.read(file, settings, stream=stream):
        yield event
        if signals.caught:
            return


@dataclass
class Outcome:
    """What came of a reading, and the exit code that says so."""

    events: list[TextEvent] = field(default_factory=list)
    failed: bool = False
    signal: int | None = None

    @property
    def code(self) -> int:
        """128 + the number of the signal that ended it, 1 when anything failed, or else 0."""
        return 128 + self.signal if self.signal else int(self.failed)


def read_files(files: Sequence[Path], settings: Settings, outputs: Sequence[str], way: Way) -> Outcome:
    """Read files one after the other; those that fail are named, and the others are read all the same.

    Raises SinkError when an output cannot be opened, and WorkerError when a process dies.
    """
    outcome, signals = Outcome(), Signals()
    for part, text in presets.chosen(settings):
        say(f"{part}: {text}")
    reading = settings.without_sinks()  # which are open here, over all files
    with open_sinks(outputs or [CONSOLE], settings) as sinks, signals.caught_here():
        for file, stream in zip(files, stream_names(files), strict=True):
            try:
                with closing(way(file, stream, reading, signals)) as events:
                    for event in events:
                        outcome.events.append(event)
                        sinks.write(event)
            except SourceError as error:
                say(str(error))
                outcome.failed = True
            except WorkerError:
                # A Ctrl-C at the terminal may also hit a worker that has just been forked and not yet left our group.
                if not signals.caught:
                    raise
            if signals.caught:
                break
    outcome.signal = signals.caught
    for sentence in _missing(sinks):
        say(sentence)
        outcome.failed = True
    return outcome


def stream_names(files: Sequence[Path]) -> list[str]:
    """The names of the files, or their whole paths where two have the same name; numbered where a file comes twice."""
    names = [file.name for file in files]
    paths = [str(file) if names.count(file.name) > 1 else file.name for file in files]
    return [f"{path}#{paths[:n].count(path) + 1}" if path in paths[:n] else path for n, path in enumerate(paths)]


def replay(log: Path, outputs: Sequence[str], streams: Sequence[str] = ()) -> None:
    """Hand the events of a file or store to sinks. Raises SourceError, StoreError and SinkError."""
    with open_sinks(outputs) as sinks:
        for event in read_events(log, streams):
            sinks.write(event)
    if sinks.lost:
        raise SinkError(" ".join(_missing(sinks)))


def draw(video: Path, events: Sequence[Event], target: Path, settings: Settings) -> None:
    """Write the annotated video, with progress."""
    from stream_ocr.viz import annotate  # video encoders and fonts, which reading does not need

    place = _Place()
    with Watch(lambda: place):
        frames = annotate.annotate(video, events, target, settings, progress=place.reach)
    say(f"{target}: {frames} frames")


def say(sentence: str) -> None:
    """To the person, not to the log."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()


@dataclass
class _Place:
    media_s: float = 0.0
    duration_s: float | None = None

    def reach(self, time_s: float) -> None:
        self.media_s = time_s


def _missing(sinks: Sinks) -> Iterator[str]:
    for name, lost in sinks.lost.items():
        yield f"{name} could not be written; {lost} events are missing there."


def _nothing() -> None:
    pass
