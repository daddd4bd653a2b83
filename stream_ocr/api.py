"""Reading files: in this process with ``read``, with a process per stage with ``Pipeline``. Same clip, same events."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, overload

from stream_ocr.bus.journal import open_journal
from stream_ocr.config.settings import Settings
from stream_ocr.core.messages import Published, StreamClosed
from stream_ocr.errors import SourceError
from stream_ocr.events import TextEvent
from stream_ocr.models import presets
from stream_ocr.runtime import topology
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.runtime.supervisor import Supervisor
from stream_ocr.sinks import Sink, Sinks, configured, open_sinks

if TYPE_CHECKING:
    from stream_ocr.service.live_pipeline import LivePipeline


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reading is, over all files."""

    frames: int = 0
    media_s: float = 0.0
    duration_s: float | None = None  # None where a file does not say


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did. The ratios say how much of the work was spared."""

    media_s: float
    wall_s: float
    frames: int
    dropped: int
    damaged: int
    corrupt: int
    detector_frames: int
    boxes: int
    crops_read: int

    @property
    def detection_ratio(self) -> float:
        """Frames that the detector saw ÷ decoded frames."""
        return self.detector_frames / self.frames if self.frames else 0.0

    @property
    def reading_ratio(self) -> float:
        """Crops that were read ÷ text boxes seen over all frames."""
        return self.crops_read / self.boxes if self.boxes else 0.0

    def line(self) -> str:
        """One line for people."""
        return (
            f"{self.frames} frames, {self.media_s:.1f} s of video in {self.wall_s:.1f} s "
            f"({self.media_s / max(self.wall_s, 1e-9):.1f} × real time), "
            f"detection ratio {self.detection_ratio:.1%}, reading ratio {self.reading_ratio:.1%}, "
            f"{self.dropped} dropped, {self.damaged} damaged"
        )


def read(
    path: str | Path, settings: Settings | None = None, *, stream: str | None = None, sinks: Sequence[Sink] = ()
) -> Iterator[TextEvent]:
    """The events of a video file, lazily, in this process.

    stream: what the events call the file; its name by default. sinks: get the events, beside those of the settings.
    Raises SourceError when the file cannot be read or breaks off, after the events of what came before.
    """
    # Here and not above: a program that leaves the stages to workers starts a second earlier without them.
    from stream_ocr.stages.base import Stage
    from stream_ocr.stages.decode_file import DecodeStage
    from stream_ocr.stages.detect import DetectStage
    from stream_ocr.stages.inline import InlineStages
    from stream_ocr.stages.publish import PublishStage
    from stream_ocr.stages.recognize import RecognizeStage
    from stream_ocr.stages.track import TrackStage

    path = Path(path)
    name = stream or path.name
    settings = presets.resolve(settings or Settings.load())
    frames = {name: Ring.anonymous(slots=2, slot_bytes=settings.decode.max_pixels * 2)}
    width, height = presets.crop_size(settings)
    crops = Ring.anonymous(slots=topology.CROP_SLOTS, slot_bytes=width * height)
    stages: list[Stage] = [
        DetectStage(settings, frames),
        TrackStage(settings, frames, crops, (width, height)),
        RecognizeStage(settings, crops),
        PublishStage(settings, Sinks([*sinks, *configured(settings)]), open_journal(settings)),
    ]
    with DecodeStage(path, name, settings, frames[name]) as decode, InlineStages(stages) as chain:
        for message in decode.run(stop=lambda: False):
            for output in chain.push(message):
                if isinstance(output, Published):
                    yield from output.events
                elif isinstance(output, StreamClosed) and output.reason != "end":
                    raise SourceError(output.reason)


class Pipeline:
    """Files read by a process per stage.

        with Pipeline(["match.mp4"]) as pipeline:
            for event in pipeline.events():
                ...

    Several files are read side by side, as streams of their own. sinks: paths that the events are written to, beside
    the sinks of the settings.
    """

    def __init__(
        self,
        files: Sequence[str | Path] | Mapping[str, str | Path],
        settings: Settings | None = None,
        sinks: Sequence[str | Path] = (),
    ) -> None:
        """files: paths, whose names become those of the streams; or paths by the names that streams shall have."""
        self._settings = presets.side_by_side(presets.resolve(settings or Settings.load()))
        open_sinks(sinks, self._settings)  # what is wrong with them is said here and not by a worker
        named = files if isinstance(files, Mapping) else {Path(file).name: file for file in files}
        if len(named) < len(files):
            raise SourceError("Two of the files have the same name; give their streams names: {name: path, …}.")
        self._files = {name: Path(file).absolute() for name, file in named.items()}
        dumped = self._settings.for_workers()
        width, height = presets.crop_size(self._settings)
        batch = self._settings.detection.batch
        self._supervisor = Supervisor(
            topology.five_stages(
                {name: {"path": str(path)} for name, path in self._files.items()},
                frame_bytes=self._settings.decode.max_pixels * 2,
                crop_bytes=width * height,
                detect_items=batch.max_items,
                detect_wait_ms=batch.max_wait_ms,
                publish={"sinks": [str(sink) for sink in sinks]},
            ),
            dumped,
        )
        self._told: dict[str, Published] = {}
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
        """Files read with the settings of a YAML file; without files, the cameras that it names."""
        from stream_ocr.service.live_pipeline import LivePipeline  # metrics and thumbnails, which files do not need

        return LivePipeline.load(config) if files is None else cls(files, Settings.load(Path(config)))

    def __enter__(self) -> Self:
        self._supervisor.__enter__()
        self._started_s = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._supervisor.__exit__(kind, error, trace)

    @property
    def notes(self) -> Mapping[str, Mapping[str, str]]:
        """What each stage says of itself: which models and device it took, and why."""
        return self._supervisor.notes

    @property
    def pids(self) -> Mapping[str, int]:
        """Process id of each worker."""
        return self._supervisor.pids

    @property
    def progress(self) -> Progress:
        """How far it is; changes while ``events`` is iterated."""
        told = self._told.values()
        durations = [notes.get("duration_s") for name, notes in self.notes.items() if name.startswith("decode/")]
        known = [float(duration) for duration in durations if duration]
        whole = sum(known) if known and len(known) == len(durations) else None
        return Progress(sum(t.frames for t in told), sum(t.time_s for t in told), whole)

    def events(self) -> Iterator[TextEvent]:
        """The events of all files as they come, until all are read.

        Raises SourceError, after the last event, when a file broke off; WorkerError when a worker died.
        """
        for message in self._supervisor.messages():
            if isinstance(message, Published):
                self._told[message.stream] = message
                yield from message.events
            elif isinstance(message, StreamClosed):
                self._closed[message.stream] = message
        self._ended_s = time.monotonic()
        troubles = [c.reason for c in self._closed.values() if c.reason not in ("end", "interrupted")]
        if troubles:
            raise SourceError(" ".join(troubles))

    def stop(self) -> None:
        """Read no further; ``events`` still gives what is under way. Safe in a signal handler."""
        self._supervisor.stop()

    def summary(self) -> Summary:
        """What was done, once ``events`` has come to its end."""
        closed = self._closed.values()
        count = {key: sum(c.counts.get(key, 0) for c in closed) for key in _COUNTS}
        wall_s = (self._ended_s or time.monotonic()) - self._started_s
        return Summary(media_s=sum(c.end_s - c.start_s for c in closed), wall_s=wall_s, **count)


_COUNTS = ("frames", "dropped", "damaged", "corrupt", "detector_frames", "boxes", "crops_read")
