"""Decode stage for files: decodes a file and puts the frames that need work into slots."""

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from stream_ocr.config.settings import Settings
from stream_ocr.core.messages import Message, StreamClosed
from stream_ocr.printable import text_to_path
from stream_ocr.sources.addresses import Video
from stream_ocr.sources.files import FileSource, open_file
from stream_ocr.sources.prefetch import Prefetcher
from stream_ocr.stages.base import Slots, SourceStage, frame_ring
from stream_ocr.stages.frame_writer import FrameWriter
from stream_ocr.stages.thresholds import DECODE


class DecodeStage(SourceStage):
    """Decodes one file."""

    def __init__(self, path: Video, stream: str, settings: Settings, slots: Slots) -> None:
        self._path, self._stream, self._settings = path, stream, settings
        self._writer = FrameWriter(settings, slots)

    def __enter__(self) -> Self:
        """Open the file. Raise SourceError if it cannot be read."""
        self._source: FileSource = open_file(
            self._path,
            stream=self._stream,
            max_pixels=self._settings.decode.max_pixels,
            threads=self._settings.decode.threads,
            ca_file=self._settings.decode.ca_file,
        ).__enter__()
        self._frames = Prefetcher(iter(self._source), DECODE.prefetched_frames)
        self.duration_s = self._source.duration_s
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._frames.close()
        self._source.__exit__(kind, error, trace)

    def run(self, stop: Callable[[], bool]) -> Iterator[Message]:
        """Yield every frame in turn until the end of the file or until ``stop()``, then ``StreamClosed``."""
        frames = damaged = 0
        end_s = self._source.start_s
        reason = "end"
        for decoded in self._frames:
            ref = self._writer.write(decoded, stop)
            if ref is None:
                reason = "interrupted"
                break
            yield ref
            frames += 1
            damaged += decoded.damaged
            end_s = decoded.stamp.end_s
        if reason == "end" and self._source.failure:
            reason = self._source.failure
        counts = {"frames": frames, "dropped": 0, "damaged": damaged, "corrupt": self._source.corrupt_packets}
        yield StreamClosed(self._stream, reason, self._source.start_s, end_s, counts)


def build(settings: Mapping[str, Any], rings: Mapping[str, Slots], *, stream: str, path: str) -> DecodeStage:
    """Return the stage for a worker process. path: as text, see ``path_to_text``."""
    return DecodeStage(text_to_path(path), stream, Settings.model_validate(settings), rings[frame_ring(stream)])
