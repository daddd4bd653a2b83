"""Detect: where text is, in the frames that are worth a look."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, Self

import msgspec
import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame, crop_rows, frame_in_buffer
from stream_ocr.core.geometry import from_flat, to_flat
from stream_ocr.core.messages import Detection, Detections, FrameRef, Message, SourceChanged, StreamClosed
from stream_ocr.gating.detection_schedule import WHOLE
from stream_ocr.gating.known_regions import Box, KnownRegions
from stream_ocr.models import presets, zoo
from stream_ocr.models.detection.detector import SIZE_MULTIPLE
from stream_ocr.stages.base import FrameRings, Slots, Stage

_EDGE = 1.0
"""Pixels; what comes so near the end of the rows that are looked at may go on beyond."""

_ROOM = 1.0
"""Heights above and below what is new."""


class Finder(Protocol):
    """What finds text in frames: a ``Detector``, or a fake of one."""

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """The regions of each frame."""
        ...

    def detect_coarse(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """The same with less work, not as exact."""
        ...

    def detect_fine(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Small text, with more work."""
        ...


class DetectStage(Stage):
    """Runs the detector on batches of frames of all streams; other frames pass by."""

    def __init__(self, settings: Settings, frames: Mapping[str, Slots], detector: Finder | None = None) -> None:
        """frames: the ring of each stream. detector: one to use instead of the settings' own."""
        self._settings, self._frames, self._given = settings, frames, detector
        self._looks = Counter[str]()  # and glances, by stream
        self._familiar: defaultdict[str, KnownRegions] = defaultdict(KnownRegions)

    def __enter__(self) -> Self:
        if self._given is None:
            detector = zoo.load_detector(self._settings)
            self.notes = {"network": f"{presets.select_preset(self._settings).detector.family}, {detector.engine.backend}"}
            self._detector: Finder = detector
        else:
            self._detector = self._given
        return self

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        """``Detections`` of every frame, in order; what is said of sources passes by."""
        refs = [message for message in batch if isinstance(message, FrameRef)]
        wanted = [self._part(ref) for ref in refs if ref.action == "detect"]
        found = iter(self._detector.detect(wanted) if wanted else [])
        for message in batch:
            if isinstance(message, SourceChanged):
                yield message
            elif isinstance(message, FrameRef):
                yield self._answer(message, found)

    def quarantine(self, message: Message) -> Iterator[Message]:
        """The frame goes on without a look of the detector."""
        yield Detections(message, None) if isinstance(message, FrameRef) else message

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        self._familiar.pop(closed.stream, None)
        yield closed.with_counts(detector_frames=self._looks.pop(closed.stream, 0))

    @property
    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """By stream."""
        return {stream: {"detector_frames": looks} for stream, looks in self._looks.items()}

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Go on with other regions and masks of sources."""
        self._settings = Settings.model_validate(settings)

    def _answer(self, ref: FrameRef, found: Iterator[list[Detection]]) -> Detections:
        """One frame after the other: what a glance makes of one depends on the looks before it, and not on the company
        that it came in."""
        if ref.action not in ("detect_coarse", "detect", "detect_fine"):
            return Detections(ref, None)
        self._looks[ref.stamp.stream] += 1
        if ref.action == "detect_fine":
            return Detections(ref, self._that_count(ref, self._detector.detect_fine([self._part(ref)])[0]))
        if ref.action == "detect":
            seen = next(found)
        elif rows := self._news(ref):
            ref = msgspec.structs.replace(ref, rows=rows)
            (seen,) = self._detector.detect([self._part(ref)])
        else:
            return Detections(ref, None)
        regions, familiar = self._that_count(ref, seen), self._familiar[ref.stamp.stream]
        familiar.looked(self._frame(ref).y, self._that_start(regions), ref.rows or (0, ref.size[1]))
        return Detections(ref, regions)

    def _news(self, ref: FrameRef) -> tuple[int, int] | None:
        """The rows in which a glance is not enough. Where that was all of them, as in a pan, the next is spared."""
        familiar, rows = self._familiar[ref.stamp.stream], ref.rows or (0, ref.size[1])
        if familiar.restless:
            familiar.restless = False
            return rows
        glimpsed = self._that_count(ref, self._detector.detect_coarse([self._part(ref)])[0])
        news = familiar.news(self._frame(ref).y, self._that_start(glimpsed))
        wanted = _round(news, rows) if news else None
        familiar.restless = wanted == rows
        return wanted

    def _that_start(self, regions: Sequence[Detection]) -> list[Detection]:
        """Those that may start a text."""
        least = self._settings.tracking.birth_score or 0.0
        return [region for region in regions if region.score >= least]

    def _that_count(self, ref: FrameRef, found: Sequence[Detection]) -> tuple[Detection, ...]:
        """Those regions that are whole, and count in the settings of their source."""
        stream, (top, bottom) = ref.stamp.stream, ref.rows or (0, ref.size[1])
        found = [_lowered(region, top) for region in found if _is_whole(region, top, bottom, ref.size[1])]
        source = self._settings.sources.get(stream)
        if source is None or not (source.regions or source.masks):
            return tuple(found)
        return tuple(region for region in found if source.includes(_middle(region, ref.size)))

    def _frame(self, ref: FrameRef) -> Frame:
        assert ref.slot is not None
        return frame_in_buffer(self._frames[ref.stamp.stream].view(ref.slot), ref.size, full_range=ref.full_range)

    def _part(self, ref: FrameRef) -> Frame:
        return crop_rows(self._frame(ref), *ref.rows) if ref.rows else self._frame(ref)


def _is_whole(region: Detection, top: int, bottom: int, height: int) -> bool:
    """Whether a region of the rows from ``top`` on ends within them, or where the picture ends."""
    y = region.quad[1::2]
    return (top == 0 or min(y) > _EDGE) and (bottom == height or max(y) < bottom - top - _EDGE)


def _round(boxes: Sequence[Box], rows: tuple[int, int]) -> tuple[int, int]:
    """The rows round some boxes, with room for what a glance does not see of them; all, unless that spares much."""
    top = min(box[1] - _ROOM * (box[3] - box[1]) for box in boxes)
    bottom = max(box[3] + _ROOM * (box[3] - box[1]) for box in boxes)
    top, bottom = max(int(top) // SIZE_MULTIPLE * SIZE_MULTIPLE, rows[0]), min(-(-int(bottom) // SIZE_MULTIPLE) * SIZE_MULTIPLE, rows[1])
    return (top, bottom) if bottom - top < WHOLE * (rows[1] - rows[0]) else rows


def _lowered(region: Detection, top: int) -> Detection:
    if top == 0:
        return region
    return Detection(to_flat(from_flat(region.quad) + np.array([0, top])), region.score)


def _middle(region: Detection, size: tuple[int, int]) -> tuple[float, float]:
    """As shares of the width and height of the picture."""
    x, y = from_flat(region.quad).mean(axis=0)
    return float(x) / size[0], float(y) / size[1]


def build(settings: Mapping[str, Any], rings: Mapping[str, Slots]) -> DetectStage:
    """The stage for a worker process."""
    return DetectStage(Settings.model_validate(settings), FrameRings(rings))
