"""Detect: where text is, in the frames that are worth a look."""

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from stream_ocr import models
from stream_ocr.detection.detector import Detector
from stream_ocr.frames import Frame, band, planes_in
from stream_ocr.geometry import flat, unflat
from stream_ocr.messages import Detections, FrameRef, Message, Region, SourceChanged, StreamClosed
from stream_ocr.settings import Settings
from stream_ocr.stages.base import FrameRings, Slots

_EDGE = 1.0
"""Pixels; what comes so near the end of the rows that are looked at may go on beyond."""


class DetectStage:
    """Runs the detector on batches of frames of all streams; other frames pass by."""

    def __init__(self, settings: Settings, frames: Mapping[str, Slots], detector: Detector | None = None) -> None:
        """frames: the ring of each stream. detector: one to use instead of the settings' own."""
        self._settings, self._frames, self._given = settings, frames, detector
        self._looks: dict[str, int] = {}
        self.notes: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._given is None:
            self._detector = models.load_detector(self._settings)
            self.notes = {"network": f"{models.choose(self._settings.models).name}, {self._detector.engine.picked}"}
        else:
            self._detector = self._given
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        """``Detections`` of every frame, in order; what is said of sources passes by."""
        refs = [message for message in batch if isinstance(message, FrameRef)]
        wanted = [ref for ref in refs if ref.look == "detect"]
        found = iter(self._detector.detect([self._part(ref) for ref in wanted]) if wanted else [])
        for message in batch:
            if isinstance(message, SourceChanged):
                yield message
            elif isinstance(message, FrameRef):
                yield Detections(message, self._counted(message, next(found)) if message.look == "detect" else None)

    def set_aside(self, message: Message) -> Iterator[Message]:
        """The frame goes on without a look of the detector."""
        yield Detections(message, None) if isinstance(message, FrameRef) else message

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        yield closed.adding(detector_frames=self._looks.pop(closed.stream, 0))

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """By stream."""
        return {stream: {"detector_frames": looks} for stream, looks in self._looks.items()}

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Go on with other regions and masks of sources."""
        self._settings = Settings.model_validate(settings)

    def _counted(self, ref: FrameRef, found: Sequence[Region]) -> tuple[Region, ...]:
        """Those regions that are whole, and count in the settings of their source."""
        stream, (top, bottom) = ref.stamp.stream, ref.rows or (0, ref.size[1])
        self._looks[stream] = self._looks.get(stream, 0) + 1
        found = [_lowered(region, top) for region in found if _is_whole(region, top, bottom, ref.size[1])]
        source = self._settings.sources.get(stream)
        if source is None or not (source.regions or source.masks):
            return tuple(found)
        return tuple(region for region in found if source.counts(_middle(region, ref.size)))

    def _part(self, ref: FrameRef) -> Frame:
        assert ref.slot is not None
        frame = planes_in(self._frames[ref.stamp.stream].view(ref.slot), ref.size, full_range=ref.full_range)
        return band(frame, *ref.rows) if ref.rows else frame


def _is_whole(region: Region, top: int, bottom: int, height: int) -> bool:
    """Whether a region of the rows from ``top`` on ends within them, or where the picture ends."""
    y = region.quad[1::2]
    return (top == 0 or min(y) > _EDGE) and (bottom == height or max(y) < bottom - top - _EDGE)


def _lowered(region: Region, top: int) -> Region:
    if top == 0:
        return region
    return Region(flat(unflat(region.quad) + np.array([0, top])), region.score)


def _middle(region: Region, size: tuple[int, int]) -> tuple[float, float]:
    """As shares of the width and height of the picture."""
    x, y = unflat(region.quad).mean(axis=0)
    return float(x) / size[0], float(y) / size[1]


def build(settings: Mapping[str, Any], rings: Mapping[str, Slots]) -> DetectStage:
    """The stage for a worker process."""
    return DetectStage(Settings.model_validate(settings), FrameRings(rings))
