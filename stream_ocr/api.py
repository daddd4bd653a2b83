"""Reading of files: ``read`` in this process, ``Pipeline`` with a process per stage. Both emit the same events."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from stream_ocr.config.settings import Settings
from stream_ocr.core.messages import Published, StreamClosed
from stream_ocr.errors import SourceError
from stream_ocr.events import TextEvent
from stream_ocr.models import presets
from stream_ocr.printable import encodable, path_to_text
from stream_ocr.runtime import topology
from stream_ocr.runtime.supervisor import Supervisor
from stream_ocr.sinks import Sink, Sinks, open_sinks
from stream_ocr.sources.access import video_access
from stream_ocr.sources.addresses import Video, as_address, video_name

if TYPE_CHECKING:
    from stream_ocr.service.live_pipeline import LivePipeline


_COUNTS = ("frames", "dropped", "damaged", "corrupt", "detector_frames", "boxes", "crops_read", "second_readings")


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run, summed over all files."""

    frames: int = 0
    media_s: float = 0.0
    duration_s: float | None = None  # None if a file does not declare its duration


@dataclass(frozen=True, slots=True)
class Summary:
    """Counters of a run. Low ratios mean that much work was skipped.

    media_s, wall_s: duration of the video and of the run in seconds. frames: decoded frames. dropped: frames that were
    not processed. damaged: frames that were corrupt or predicted from corrupt ones. corrupt: corrupt packets.
    detector_frames: frames on which the detector ran. boxes: text boxes, summed over all frames. crops_read: crops
    that were read. second_readings: those of them that the second reader read as well.
    """

    media_s: float
    wall_s: float
    frames: int
    dropped: int
    damaged: int
    corrupt: int
    detector_frames: int
    boxes: int
    crops_read: int
    second_readings: int = 0

    @property
    def detection_ratio(self) -> float:
        """Return detector_frames / frames."""
        return self.detector_frames / self.frames if self.frames else 0.0

    @property
    def reading_ratio(self) -> float:
        """Return crops_read / boxes."""
        return self.crops_read / self.boxes if self.boxes else 0.0

    @classmethod
    def of(cls, closed: Iterable[StreamClosed], wall_s: float) -> "Summary":
        """Return the counters of some streams that have closed."""
        streams = list(closed)
        counts = {key: sum(each.counts.get(key, 0) for each in streams) for key in _COUNTS}
        return cls(media_s=sum(each.end_s - each.start_s for each in streams), wall_s=wall_s, **counts)

    def line(self) -> str:
        """Return the counters as one line of text."""
        return (
            f"{self.frames} frames, {self.media_s:.1f} s of video in {self.wall_s:.1f} s "
            f"({self.media_s / max(self.wall_s, 1e-9):.1f} × real time), "
            f"detection ratio {self.detection_ratio:.1%}, reading ratio {self.reading_ratio:.1%} "
            f"({self.crops_read} crops, {self.second_readings} read twice), "
            f"{self.dropped} dropped, {self.damaged} damaged"
        )


def read(
    path: str | Path,
    settings: Settings | None = None,
    *,
    stream: str | None = None,
    sinks: Sequence[Sink | str | Path] = (),
) -> Iterator[TextEvent]:
    """Yield the events of a video file, lazily, in this process.

    path: of the file, or its http or https address as a string. stream: name of the stream in the events; the file name
    by default. sinks: paths or sinks that receive the events in addition to the sinks of the settings. Raises TypeError
    for arguments of another type, and SourceError if the file cannot be read. If it is damaged further on, the events
    up to there are yielded first.
    """
    yield from read_until(path, settings, stream=stream, sinks=sinks)


def read_until(
    path: Video,
    settings: Settings | None = None,
    *,
    stream: str | None = None,
    sinks: Sequence[Sink | str | Path] = (),
    stop: Callable[[], bool] = lambda: False,
    on_summary: Callable[[Summary], None] = lambda _summary: None,
) -> Iterator[TextEvent]:
    """Yield the events as ``read`` does, until ``stop()`` returns True; call ``on_summary`` after the last frame."""
    # Imported here: a program that runs the stages in workers starts a second faster without these modules.
    from stream_ocr.reader import frame_ring, in_process_stages
    from stream_ocr.stages.decode_file import DecodeStage

    path = _video(path)
    name = stream or encodable(video_name(path))
    settings = presets.with_model_defaults(Settings.require(settings))
    frames = {name: frame_ring(settings)}
    stages = in_process_stages(settings, frames, sinks)
    closed: list[StreamClosed] = []
    with DecodeStage(path, name, settings, frames[name]) as decode, stages as inline:
        started_s = time.monotonic()
        for message in decode.run(stop):
            for output in inline.push(message):
                if isinstance(output, Published):
                    yield from output.events
                elif isinstance(output, StreamClosed):
                    closed.append(output)
    on_summary(Summary.of(closed, time.monotonic() - started_s))
    errors = [each.reason for each in closed if each.reason not in ("end", "interrupted")]
    if errors:
        raise SourceError(" ".join(errors))


class Pipeline:
    """Reading of files with a process per stage.

        with Pipeline(["match.mp4"]) as pipeline:
            for event in pipeline.events():
                ...

    Several files are read in parallel, each as its own stream.
    """

    def __init__(
        self,
        files: Sequence[str | Path] | Mapping[str, str | Path],
        settings: Settings | None = None,
        sinks: Sequence[Sink | str | Path] = (),
    ) -> None:
        """files: paths, whose file names become the stream names; or a mapping of stream names to paths. An http or
        https address is given as a string.

        sinks: receive the events in addition to the sinks of the settings: paths in the process that publishes, sinks
        of your own in this one. Raises TypeError, SettingsError, SourceError or SinkError for invalid arguments.
        """
        self._prepare(files, settings, sinks, in_turn=False)

    def _prepare(
        self,
        files: Sequence[str | Path] | Mapping[str, str | Path],
        settings: Settings | None,
        sinks: Sequence[Sink | str | Path],
        *,
        in_turn: bool,
    ) -> None:
        """Check the arguments. in_turn: the run begins with the first file only."""
        self._settings = presets.with_shared_threads(presets.with_model_defaults(Settings.require(settings)))
        open_sinks(sinks, self._settings)  # report errors here rather than from a worker
        named = files if isinstance(files, Mapping) else {encodable(video_name(_video(file))): file for file in files}
        if len(named) < len(files):
            raise SourceError("Two files have the same name; give each stream a name: {name: path, …}.")
        self._files = {name: _absolute(_video(file)) for name, file in named.items()}
        first = list(self._files)[:1] if in_turn else list(self._files)
        width, height = presets.crop_size(self._settings)
        batch = self._settings.detection.batch
        self._supervisor = Supervisor(
            topology.five_stages(
                {name: self._source_arguments(name) for name in first},
                frame_bytes=self._frame_bytes,
                crop_bytes=width * height,
                detect_items=batch.max_items,
                detect_wait_ms=batch.max_wait_ms,
                publish={"sinks": [str(sink) for sink in sinks if isinstance(sink, str | Path)]},
                later=[name for name in self._files if name not in first],
                trace=self._settings.logs.trace,
            ),
            self._settings.for_workers(),
        )
        self._own_sinks = Sinks([sink for sink in sinks if not isinstance(sink, str | Path)])
        self._published: dict[str, Published] = {}
        self._closed: dict[str, StreamClosed] = {}
        self._started_s = self._ended_s = 0.0

    @overload
    @classmethod
    def load(cls, config: str | Path, files: Sequence[str | Path]) -> Self: ...

    @overload
    @classmethod
    def load(cls, config: str | Path) -> "LivePipeline": ...

    @classmethod
    def load(cls, config: str | Path, files: Sequence[str | Path] | None = None) -> "Self | LivePipeline":
        """Return a pipeline with the settings of a YAML file; without files, one for the cameras in the settings."""
        from stream_ocr.service.live_pipeline import (
            LivePipeline,
        )  # imports metrics and thumbnails, which files do not need

        return LivePipeline.load(config) if files is None else cls(files, Settings.load(Path(config)))

    def __enter__(self) -> Self:
        self._own_sinks.__enter__()
        try:
            self._supervisor.__enter__()
        except BaseException:
            self._own_sinks.close()
            raise
        self._started_s = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._supervisor.__exit__(kind, error, trace)
        finally:
            self._own_sinks.close()

    @property
    def _frame_bytes(self) -> int:
        return self._settings.decode.max_pixels * 2

    def _source_arguments(self, name: str) -> dict[str, Any]:
        path = self._files[name]
        access = video_access(path, self._settings.decode)
        return {"path": path_to_text(path), "access": access}

    @property
    def notes(self) -> Mapping[str, Mapping[str, str]]:
        """Return information from each stage: its models and device, and the reason for the choice."""
        return self._supervisor.notes

    @property
    def pids(self) -> Mapping[str, int]:
        """Return the process id of each worker."""
        return self._supervisor.pids

    @property
    def progress(self) -> Progress:
        """Return the progress; it changes while ``events`` is iterated."""
        published = self._published.values()
        durations_s = self._supervisor.durations_s.values()
        known_s = [duration_s for duration_s in durations_s if duration_s]
        total_s = sum(known_s) if known_s and len(known_s) == len(durations_s) else None
        return Progress(sum(p.frames for p in published), sum(p.time_s for p in published), total_s)

    def events(self) -> Iterator[TextEvent]:
        """Yield the events of all files as they are published, until all files are read.

        Raises SourceError, after the last event, if a file is damaged; WorkerError if a worker died.
        """
        for message in self._supervisor.messages():
            if isinstance(message, Published):
                if message.stream not in self._published:
                    self._own_sinks.set_origin(message.stream, message.origin_s)
                self._published[message.stream] = message
                for event in message.events:
                    self._own_sinks.write(event)
                    yield event
            elif isinstance(message, StreamClosed):
                self._closed[message.stream] = message
                if self._is_over():
                    break
        self._ended_s = time.monotonic()
        errors = [c.reason for c in self._closed.values() if c.reason not in ("end", "interrupted")]
        if errors:
            raise SourceError(" ".join(errors))

    def _is_over(self) -> bool:
        """Return whether events end before the workers do."""
        return False

    def stop(self) -> None:
        """Stop decoding; ``events`` still yields what is in flight. Safe to call in a signal handler."""
        self._supervisor.stop()

    def summary(self) -> Summary:
        """Return the counters; call it after ``events`` is exhausted."""
        return Summary.of(self._closed.values(), (self._ended_s or time.monotonic()) - self._started_s)


class FileQueue(Pipeline):
    """Reading of files one after the other, with one process per stage for all of them.

        with FileQueue({"a": "a.mp4", "b": "b.mp4"}, settings) as queue:
            for name in ("a", "b"):
                for event in queue.read(name):
                    ...

    The processes start once. The events of a file are those of a run over that file alone.
    """

    def __init__(self, files: Mapping[str, str | Path], settings: Settings | None = None) -> None:
        """files: paths by stream name, in the order in which they will be read. Raises as ``Pipeline`` does."""
        self._prepare(files, settings, (), in_turn=True)
        self._unread = list(self._files)

    def read(self, stream: str, sinks: Sequence[Sink] = ()) -> Iterator[TextEvent]:
        """Yield the events of the next file; none after ``stop``. sinks: receive them as well.

        Raises as ``Pipeline.events`` does.
        """
        assert self._unread[0] == stream, "files are read in their order"
        self._published.clear()
        self._closed.clear()
        if self._supervisor.stopping:
            return
        if len(self._unread) < len(self._files):
            self._started_s, self._ended_s = time.monotonic(), 0.0
            source = topology.file_source(stream, **self._source_arguments(stream))
            self._supervisor.read_next(source, topology.file_ring(self._frame_bytes))
        del self._unread[0]
        with Sinks(sinks) as self._own_sinks:
            yield from self.events()

    def _is_over(self) -> bool:
        return bool(self._unread and self._closed)  # the last file is over when the workers are


def _video(file: object) -> Video:
    """Return a path, or an address unchanged. Raises TypeError for anything else."""
    if isinstance(file, str) and as_address(file):
        return file
    if isinstance(file, str | os.PathLike):
        return Path(file)
    raise TypeError(
        f"A video file is named by its path, not by {type(file).__name__}; stream_ocr.Reader takes frames of your own."
    )


def _absolute(video: Video) -> Video:
    return video.absolute() if isinstance(video, Path) else video
