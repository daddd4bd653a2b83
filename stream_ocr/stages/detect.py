"""Detect stage: finds text in the frames that need it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, Self, TypeGuard

import msgspec
import numpy as np

from stream_ocr.config.areas import Areas
from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame, crop_rows, frame_in_buffer
from stream_ocr.core.geometry import from_flat, relative_centre, to_flat
from stream_ocr.core.messages import Detection, Detections, FrameRef, Message, SourceChanged, StreamClosed
from stream_ocr.gating.detection_schedule import Rows
from stream_ocr.gating.known_regions import KnownRegions
from stream_ocr.models import presets, zoo
from stream_ocr.models.detection.detector import SIZE_MULTIPLE
from stream_ocr.stages.base import FrameRings, Slots, Stage
from stream_ocr.stages.thresholds import DETECT


class TextDetector(Protocol):
    """Finds text in frames at three resolutions: a ``Detector``, or a fake of one.

    max_batch: frames that it computes at once; others wait.
    """

    max_batch: int

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Return the regions of each frame."""
        ...

    def detect_coarse(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Return the regions of each frame at half the resolution: cheaper and less exact."""
        ...

    def detect_fine(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Return the regions of each frame at twice the resolution: small text, at a higher cost."""
        ...


class DetectStage(Stage):
    """Runs the detector on batches of frames of all streams; frames that need no detection pass through."""

    def __init__(self, settings: Settings, frames: Mapping[str, Slots], detector: TextDetector | None = None) -> None:
        """Create the stage. frames: the ring of each stream. detector: None for the one of the settings."""
        self._settings, self._frames, self._given = settings, frames, detector
        self._areas_of: dict[str, Areas] = {}
        self._runs = Counter[str]()  # of the detector, by stream
        self._known_regions: defaultdict[str, KnownRegions] = defaultdict(lambda: KnownRegions(SIZE_MULTIPLE))

    def __enter__(self) -> Self:
        if self._given is None:
            detector = zoo.load_detector(self._settings)
            self.notes = {
                "network": f"{presets.select_preset(self._settings).detector.family}, {detector.engine.backend}"
            }
            self._detector: TextDetector = detector
        else:
            self._detector = self._given
        return self

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        """Yield ``Detections`` of every frame, in order; other messages pass through."""
        found = self._full_passes([message for message in batch if _is_full_pass(message)])
        for message in batch:
            if isinstance(message, SourceChanged):
                yield message
            elif isinstance(message, FrameRef):
                yield self._detect(message, found)

    def gains_from_batches(self, message: Message) -> bool:
        """Return True for a full pass on a device that computes several frames at once."""
        return self._detector.max_batch > 1 and _is_full_pass(message)

    def quarantine(self, message: Message) -> Iterator[Message]:
        """Yield the frame without a detector run."""
        yield Detections(message, None) if isinstance(message, FrameRef) else message

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        self._known_regions.pop(closed.stream, None)
        self._areas_of.pop(closed.stream, None)
        yield closed.with_counts(detector_frames=self._runs.pop(closed.stream, 0))

    @property
    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """Return the number of frames that the detector processed, by stream."""
        return {stream: {"detector_frames": runs} for stream, runs in self._runs.items()}

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Apply new regions and masks of the sources."""
        self._settings = Settings.model_validate(settings)
        self._areas_of.clear()

    def _full_passes(self, refs: Sequence[FrameRef]) -> Iterator[list[Detection]]:
        """Yield the regions of each frame. The network runs when they are wanted: no frame waits for a later one."""
        step = self._detector.max_batch
        for start in range(0, len(refs), step):
            yield from self._detector.detect([self._image(ref) for ref in refs[start : start + step]])

    def _detect(self, ref: FrameRef, found: Iterator[list[Detection]]) -> Detections:
        """Return the detections of one frame. found: those of the full passes that were batched.

        Frames are taken one after the other, because the result of a coarse pass depends on the passes before it and
        must not depend on the batch.
        """
        if ref.action not in ("detect_coarse", "detect", "detect_fine"):
            return Detections(ref, None)
        self._runs[ref.stamp.stream] += 1
        if ref.action == "detect_fine":
            return Detections(ref, self._filtered(ref, self._detector.detect_fine([self._image(ref)])[0]))
        if ref.action == "detect":
            regions = next(found)
        elif rows := self._rows_to_detect(ref):
            ref = msgspec.structs.replace(ref, rows=rows)
            (regions,) = self._detector.detect([self._image(ref)])
        else:
            return Detections(ref, None)
        filtered, known = self._filtered(ref, regions), self._known_regions[ref.stamp.stream]
        known.update(self._frame(ref).y, self._able_to_start(filtered), _rows(ref))
        return Detections(ref, filtered)

    def _rows_to_detect(self, ref: FrameRef) -> Rows | None:
        """Return the rows in which a coarse pass is not enough, None if there are none."""
        known = self._known_regions[ref.stamp.stream]
        if not known.needs_coarse_pass():
            return _rows(ref)
        regions = self._filtered(ref, self._detector.detect_coarse([self._image(ref)])[0])
        return known.rows_to_detect(self._frame(ref).y, self._able_to_start(regions), _rows(ref))

    def _able_to_start(self, regions: Sequence[Detection]) -> list[Detection]:
        """Return the regions whose score is high enough to start a track."""
        birth_score = self._settings.tracking.birth_score or 0.0
        return [region for region in regions if region.score >= birth_score]

    def _filtered(self, ref: FrameRef, regions: Sequence[Detection]) -> tuple[Detection, ...]:
        """Return the regions, in frame coordinates, that are not truncated and that the source includes."""
        top, bottom = _rows(ref)
        moved = [_moved_down(region, top) for region in regions if _is_whole(region, top, bottom, ref.size[1])]
        areas = self._areas(ref.stamp.stream)
        if not (areas.regions or areas.masks):
            return tuple(moved)
        return tuple(region for region in moved if areas.includes(relative_centre(region.quad, ref.size)))

    def _areas(self, stream: str) -> Areas:
        if stream not in self._areas_of:
            self._areas_of[stream] = self._settings.for_stream(stream).detection
        return self._areas_of[stream]

    def _frame(self, ref: FrameRef) -> Frame:
        assert ref.slot is not None
        return frame_in_buffer(self._frames[ref.stamp.stream].view(ref.slot), ref.size, full_range=ref.full_range)

    def _image(self, ref: FrameRef) -> Frame:
        return crop_rows(self._frame(ref), *ref.rows) if ref.rows else self._frame(ref)


def _is_full_pass(message: Message) -> TypeGuard[FrameRef]:
    return isinstance(message, FrameRef) and message.action == "detect"


def _rows(ref: FrameRef) -> Rows:
    return ref.rows or (0, ref.size[1])


def _is_whole(region: Detection, top: int, bottom: int, height: int) -> bool:
    """Return whether a region, relative to ``top``, ends within the rows, or at the border of the frame."""
    y = region.quad[1::2]
    margin = DETECT.truncated_margin
    return (top == 0 or min(y) > margin) and (bottom == height or max(y) < bottom - top - margin)


def _moved_down(region: Detection, top: int) -> Detection:
    if top == 0:
        return region
    return Detection(to_flat(from_flat(region.quad) + np.array([0, top])), region.score)


def build(settings: Mapping[str, Any], rings: Mapping[str, Slots]) -> DetectStage:
    """Return the stage for a worker process."""
    return DetectStage(Settings.model_validate(settings), FrameRings(rings))
