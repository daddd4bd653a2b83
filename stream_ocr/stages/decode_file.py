"""Decode: from a file to frames in slots, and only those frames that are worth it.

Decides here, once, how much of the work each frame deserves. Decisions follow media time, so that the same file
gives the same frames whatever the machine.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stream_ocr.config.settings import Settings
from stream_ocr.core import frame as frames
from stream_ocr.core.messages import FrameRef, Message, SlotRef, StreamClosed
from stream_ocr.gating.frame_policy import SKIP, FramePolicy
from stream_ocr.sources.decoded_frame import DecodedFrame
from stream_ocr.sources.files import FileSource, open_file
from stream_ocr.sources.prefetch import Prefetcher
from stream_ocr.stages.base import Slots, SourceStage, frame_ring

_PATIENCE_S = 0.1
_FEWEST, _MOST_BYTES = 12, 96 << 20  # slots, and bytes in them, that wait for the stages that follow
_AHEAD = 3  # pictures that are decoded while one is compared with those before it


class DecodeStage(SourceStage):
    """A source stage: ``run`` gives the messages of one file, ``StreamClosed`` last."""

    def __init__(self, path: Path, stream: str, settings: Settings, slots: Slots) -> None:
        self._path, self._stream, self._settings, self._slots = path, stream, settings, slots
        self._worth = FramePolicy(settings)

    def __enter__(self) -> Self:
        self._source: FileSource = open_file(
            self._path,
            stream=self._stream,
            max_pixels=self._settings.decode.max_pixels,
            threads=self._settings.decode.threads,
        ).__enter__()
        self._pictures = Prefetcher(iter(self._source), _AHEAD)
        self.duration_s = self._source.duration_s
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pictures.close()
        self._source.__exit__(kind, error, trace)

    def run(self, stop: Callable[[], bool]) -> Iterator[Message]:
        """Every frame in turn, until the end of the file or until ``stop()``."""
        seen = damaged = 0
        end_s = self._source.start_s
        reason = "end"
        for picture in self._pictures:
            ref = self._refer(picture, stop)
            if ref is None:
                reason = "interrupted"
                break
            yield ref
            seen += 1
            damaged += picture.damaged
            end_s = picture.stamp.end_s
        if reason == "end" and self._source.trouble:
            reason = self._source.trouble
        counts = {"frames": seen, "dropped": 0, "damaged": damaged, "corrupt": self._source.corrupt_packets}
        yield StreamClosed(self._stream, reason, self._source.start_s, end_s, counts)

    def _refer(self, picture: DecodedFrame, stop: Callable[[], bool]) -> FrameRef | None:
        """The message for a picture, its pixels in a slot where they are wanted; None when told to stop."""
        work = SKIP
        if not picture.damaged:
            work = self._worth.look(picture.frame, picture.stamp.time_s)
        slot = None
        if work.action != "skip":
            self._worth.handed_on(picture.frame)
            slot = self._put(picture, stop)
        if stop() and slot is None:
            return None
        frame = picture.frame
        return FrameRef(
            picture.stamp, frame.size, work.action, slot, frame.full_range, picture.damaged, work.cut, work.rows
        )

    def _put(self, picture: DecodedFrame, stop: Callable[[], bool]) -> SlotRef | None:
        while not stop():
            claim = self._slots.claim(_PATIENCE_S, max(_FEWEST, _MOST_BYTES // frames.byte_count(picture.frame.size)))
            if claim is not None:
                frames.write_frame(picture.frame, claim[1])
                return self._slots.commit(claim[0])
        return None


def build(settings: Mapping[str, Any], rings: Mapping[str, Slots], *, stream: str, path: str) -> DecodeStage:
    """The stage for a worker process."""
    return DecodeStage(Path(path), stream, Settings.model_validate(settings), rings[frame_ring(stream)])
