"""Track stage: associates detections with tracks and cuts the crops that are to be read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import frame_in_buffer
from stream_ocr.core.geometry import expand, rectangle, to_flat
from stream_ocr.core.messages import (
    CropRef,
    Detections,
    FrameRef,
    Message,
    SourceChanged,
    Stamp,
    StreamClosed,
    Tracks,
    TrackState,
)
from stream_ocr.gating.reading_policy import ReadingPolicy
from stream_ocr.models import presets
from stream_ocr.stages.base import CROPS, FrameRings, Slots, Stage
from stream_ocr.stages.thresholds import TRACK
from stream_ocr.tracking.template_matching import cut_crop
from stream_ocr.tracking.ticker.mosaic import TickerMessage
from stream_ocr.tracking.track import TextTrack
from stream_ocr.tracking.tracker import AnyTrack, Tracker, TrackLifetimes

_IDS_PER_INCARNATION = 1 << 20  # so that a restarted worker reuses no track's id


@dataclass(slots=True)
class _Stream:
    tracker: Tracker
    policy: ReadingPolicy
    epoch: int
    size: tuple[int, int]
    last: Stamp
    reported_boxes: int = 0

    @property
    def boxes(self) -> int:
        """Number of boxes over all frames, counted from the start of each text."""
        return self.reported_boxes + self.tracker.backfilled_boxes


class TrackStage(Stage):
    """Runs one tracker per stream, and releases the frames."""

    def __init__(
        self,
        settings: Settings,
        frames: Mapping[str, Slots],
        crops: Slots,
        crop_size: tuple[int, int],
        incarnation: int = 0,
    ) -> None:
        """Create the stage.

        frames: frame rings by stream. crops: the crop ring. crop_size: (maximum width, height) of a crop that the
        recogniser reads. incarnation: how often this stage was restarted in a run; no two use the same track ids.
        """
        self._settings, self._frames, self._crops, self._crop_size = settings, frames, crops, crop_size
        self._first_id = incarnation * _IDS_PER_INCARNATION + 1
        self._next_ids: dict[str, int] = {}  # of closed streams, which may come back
        self._streams: dict[str, _Stream] = {}

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        """Yield the ``Tracks`` of every frame, in order."""
        for message in batch:
            if isinstance(message, Detections):
                yield from self._track(message)
            elif isinstance(message, SourceChanged):
                stream = self._streams.get(message.stream)
                if stream is not None and message.kind == "down":
                    yield self._end_all(stream, stream.last.end_s)
                yield message

    def resend(self) -> None:
        """Have every text read again, because its readings were lost."""
        for stream in self._streams.values():
            stream.policy.forget_all()

    @property
    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """Number of boxes by stream."""
        return {name: {"boxes": stream.boxes} for name, stream in self._streams.items()}

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        """Yield the ends of all tracks, then ``StreamClosed``."""
        stream = self._streams.pop(closed.stream, None)
        if stream is None:
            yield closed.with_counts(boxes=0)
            return
        yield self._end_all(stream, closed.end_s)
        self._next_ids[closed.stream] = stream.tracker.next_id
        yield closed.with_counts(boxes=stream.boxes)

    def _track(self, detections: Detections) -> Iterator[Tracks]:
        ref = detections.frame
        stream = self._streams.get(ref.stamp.stream)
        if stream is None:
            stream = self._streams[ref.stamp.stream] = self._start_stream(ref)
        elif (ref.stamp.epoch, ref.stamp.seq) <= (stream.last.epoch, stream.last.seq):
            self._take_luma(ref)  # sent again, or out of order, because the worker before was restarted
            return
        elif (stream.epoch, stream.size) != (ref.stamp.epoch, ref.size):
            yield self._end_all(stream, stream.last.end_s)
            stream.epoch, stream.size = ref.stamp.epoch, ref.size
        time_s = ref.stamp.time_s
        ended: list[AnyTrack] = []
        if ref.damaged:
            stream.tracker.coast(time_s)
        else:
            ended = stream.tracker.advance(time_s, self._take_luma(ref))
            if detections.regions is not None:
                stream.tracker.update(detections.regions, time_s, ref.rows, fine=ref.action == "detect_fine")
        stream.last = ref.stamp
        live = stream.tracker.tracks
        stream.reported_boxes += sum(track.visible for track in live)
        crops = {} if ref.damaged else self._cut_crops(stream, live, time_s)
        states = tuple(_state(track, crops.get(track.id)) for track in live)
        yield Tracks(ref.stamp, ref.size, states + self._end_tracks(stream, ended))

    def _start_stream(self, ref: FrameRef) -> _Stream:
        tracking, recognition = self._settings.tracking, self._settings.recognition
        assert tracking.birth_score is not None, "models.presets.with_model_defaults fills it in"
        lifetimes = TrackLifetimes(tracking.birth_score, tracking.min_age_s, tracking.max_lost_s)
        policy = ReadingPolicy(recognition.max_readings, recognition.reread_interval_s, recognition.max_readings_per_s)
        first_id = self._next_ids.get(ref.stamp.stream, self._first_id)
        return _Stream(Tracker(lifetimes, first_id), policy, ref.stamp.epoch, ref.size, ref.stamp)

    def _take_luma(self, ref: FrameRef) -> np.ndarray | None:
        """Return a copy of the luma plane, (H, W) uint8, and release its slot; None for a frame without a slot."""
        if ref.slot is None:
            return None
        ring = self._frames[ref.stamp.stream]
        luma = frame_in_buffer(ring.view(ref.slot), ref.size).y.copy()
        ring.release(ref.slot)
        return luma

    def _cut_crops(self, stream: _Stream, live: Sequence[AnyTrack], time_s: float) -> dict[int, CropRef]:
        """Return crops of the texts to be read now, by track. Those above the limit wait for the next frame."""
        crops: dict[int, CropRef] = {}
        for track in live:
            if len(crops) == TRACK.max_crops_per_frame:
                break
            quad = track.quad()
            if track.readable and stream.policy.should_read(
                track.id, track.revision, track.appearance_drifts, quad, time_s
            ):
                crops[track.id] = self._cut(stream.tracker, track)
        return crops

    def _end_tracks(self, stream: _Stream, ended: Sequence[AnyTrack]) -> tuple[TrackState, ...]:
        """Return the last states of tracks, with crops of those that were never read."""
        states = []
        for track in ended:
            unread = track.unread if isinstance(track, TextTrack) else not stream.policy.has_read(track.id)
            states.append(_state(track, self._cut(stream.tracker, track) if unread else None))
            stream.policy.forget(track.id)
        return tuple(states)

    def _end_all(self, stream: _Stream, end_s: float) -> Tracks:
        return Tracks(stream.last, stream.size, self._end_tracks(stream, stream.tracker.close(end_s)))

    def _cut(self, tracker: Tracker, track: AnyTrack) -> CropRef:
        """Rectify a text into the crop ring."""
        if isinstance(track, TickerMessage):
            luma, quad, margin = track.image, rectangle(0, 0, track.image.shape[1], track.image.shape[0]), 0.0
        else:
            margin = self._settings.recognition.margin or 0.0
            luma, quad = track.take_view(tracker.luma)
            quad = expand(quad, margin)
        crop_HW = cut_crop(luma, quad, self._crop_size)
        height, width = crop_HW.shape
        claim = self._crops.claim()
        assert claim is not None
        pixels = np.frombuffer(claim[1], dtype=np.uint8, count=width * height).reshape(height, width)
        np.copyto(pixels, crop_HW)
        return CropRef(self._crops.commit(claim[0]), width, height, margin)


def _state(track: AnyTrack, crop: CropRef | None) -> TrackState:
    return TrackState(
        id=track.id,
        quad=to_flat(track.end_quad if track.ended else track.quad()),
        revision=track.revision,
        start_s=track.start_s,
        start_quad=to_flat(track.start_quad),
        end_s=track.lost_s if track.ended else None,
        crop=crop,
        hidden_s=None if track.ended else track.lost_s,
        overlay=track.persistence.is_overlay,
        rest=track.rest,
    )


def build(settings: Mapping[str, Any], rings: Mapping[str, Slots], *, incarnation: int = 0) -> TrackStage:
    """Return the stage for a worker process."""
    typed = Settings.model_validate(settings)
    return TrackStage(typed, FrameRings(rings), rings[CROPS], presets.crop_size(typed), incarnation)
