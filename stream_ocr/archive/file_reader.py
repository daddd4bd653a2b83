"""Reading of files one after the other in this process; the networks stay loaded from one file to the next."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from stream_ocr.config.settings import Settings
from stream_ocr.core.messages import StreamClosed
from stream_ocr.errors import SinkError, SourceError
from stream_ocr.models import presets
from stream_ocr.reader import frame_ring
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.runtime.thresholds import THRESHOLDS
from stream_ocr.sinks import open_sinks
from stream_ocr.stages.decode_file import DecodeStage
from stream_ocr.stages.detect import DetectStage
from stream_ocr.stages.inline import InlineStages
from stream_ocr.stages.publish import PublishStage
from stream_ocr.stages.recognize import RecognizeStage
from stream_ocr.stages.track import TrackStage


class FileReader:
    """Reads files. Every file begins with fresh tracks and numbers, so its events do not depend on those before it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = presets.with_model_defaults(settings)
        self._crop_size = width, height = presets.crop_size(self._settings)
        self._frames: dict[str, Ring] = {}
        self._crops = Ring.anonymous(slots=THRESHOLDS.crop_slots, slot_bytes=width * height)
        self._detect = DetectStage(self._settings, self._frames)
        self._recognize = RecognizeStage(self._settings, self._crops)
        self._networks = InlineStages([self._detect, self._recognize])

    def __enter__(self) -> Self:
        """Load the networks. Raise WeightsError or DeviceError."""
        self._networks.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._networks.__exit__(kind, error, trace)
        self._crops.close()

    def read(self, path: Path, stream: str, outputs: Sequence[Path]) -> StreamClosed:
        """Read a file, write its events to the outputs, and return its counters.

        Raise SourceError if it cannot be read, or not to its end: the events up to there have been written. Raise
        SinkError if an output cannot be written. After any other exception the reader must not be used again.
        """
        sinks = open_sinks(outputs)
        with (
            self._ring(stream) as ring,
            DecodeStage(path, stream, self._settings, ring) as decode,
            TrackStage(self._settings, self._frames, self._crops, self._crop_size) as track,
            PublishStage(self._settings, sinks) as publish,
        ):
            chain = InlineStages([self._detect, track, self._recognize, publish])
            outputs_of_all = (output for message in decode.run(_never) for output in chain.push(message))
            (closed,) = [output for output in outputs_of_all if isinstance(output, StreamClosed)]
        if sinks.lost:
            raise SinkError(f"{next(iter(sinks.lost))} cannot be written; the disk may be full.")
        if closed.reason != "end":
            raise SourceError(closed.reason)
        return closed

    @contextmanager
    def _ring(self, stream: str) -> Iterator[Ring]:
        """Provide the ring of the frames of one file."""
        ring = self._frames[stream] = frame_ring(self._settings)
        try:
            yield ring
        finally:
            self._frames.pop(stream).close()


def _never() -> bool:
    return False
