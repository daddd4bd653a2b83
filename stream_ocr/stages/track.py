"""Track: which text is the same as before, and which is worth reading."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import planes_in
from stream_ocr.core.geometry import extent, flat, grown, rectangle
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
from stream_ocr.stages.base import CROPS, FrameRings, Slots
from stream_ocr.tracking.template_matching import rectify
from stream_ocr.tracking.ticker.mosaic import TickerMessage
from stream_ocr.tracking.tracker import Followed, Tracker, TrackLifetimes

MOST_CROPS = 48
"""Crops of one frame. Fewer than the ring has slots: they are given back only after the frame has been sent on."""

_IDS_OF_A_LIFE = 1 << 20


@dataclass(slots=True)
class _Stream:
    """What is known of one stream."""

    tracker: Tracker
    gate: ReadingPolicy
    epoch: int
    size: tuple[int, int]
    last: Stamp
    told: int = 0  # boxes

    @property
    def boxes(self) -> int:
        """Boxes over all frames, from the beginning of each text on."""
        return self.told + self.tracker.overlooked


class TrackStage:
    """One tracker per stream. Gives frames back to their ring once it has looked at them."""

    def __init__(
        self,
        settings: Settings,
        frames: Mapping[str, Slots],
        crops: Slots,
        crop_size: tuple[int, int],
        life: int = 0,
    ) -> None:
        """crops: the ring of crops. crop_size: (greatest width, height) that the recogniser reads.

        life: how often this stage has been replaced in a run; no life repeats the track ids of another.
        """
        self._settings, self._frames, self._crops, self._crop_size = settings, frames, crops, crop_size
        self._first_id = life * _IDS_OF_A_LIFE + 1
        self._next_ids: dict[str, int] = {}  # of streams that have closed, for they may come back
        self._streams: dict[str, _Stream] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        """``Tracks`` of every frame, in order."""
        for message in batch:
            if isinstance(message, Detections):
                yield from self._follow(message)
            elif isinstance(message, SourceChanged):
                stream = self._streams.get(message.stream)
                if stream is not None and message.kind == "down":
                    yield self._end_all(stream, stream.last.end_s)
                yield message

    def renew(self) -> None:
        """Have every text read again: what was read of it has been forgotten."""
        for stream in self._streams.values():
            stream.gate.forget_all()

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """By stream."""
        return {name: {"boxes": stream.boxes} for name, stream in self._streams.items()}

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        stream = self._streams.pop(closed.stream, None)
        if stream is None:
            yield closed.adding(boxes=0)
            return
        yield self._end_all(stream, closed.end_s)
        self._next_ids[closed.stream] = stream.tracker.next_id
        yield closed.adding(boxes=stream.boxes)

    def _follow(self, detections: Detections) -> Iterator[Tracks]:
        ref = detections.frame
        stream = self._streams.get(ref.stamp.stream)
        if stream is None:
            stream = self._streams[ref.stamp.stream] = self._new(ref)
        elif (ref.stamp.epoch, ref.stamp.seq) <= (stream.last.epoch, stream.last.seq):
            self._take_luma(ref)  # told again, or overtaken, when a worker before was replaced
            return
        elif (stream.epoch, stream.size) != (ref.stamp.epoch, ref.size):
            yield self._end_all(stream, stream.last.end_s)
            stream.epoch, stream.size = ref.stamp.epoch, ref.size
        time_s = ref.stamp.time_s
        ended: list[Followed] = []
        if ref.damaged:
            stream.tracker.coast(time_s)
        else:
            ended = stream.tracker.advance(time_s, self._take_luma(ref))
            if detections.regions is not None:
                stream.tracker.detected(detections.regions, time_s, ref.rows, close=ref.action == "detect_fine")
        stream.last = ref.stamp
        live = stream.tracker.in_view
        stream.told += sum(text.in_sight for text in live)
        crops = {} if ref.damaged else self._crops_of(stream, live, time_s)
        yield Tracks(
            ref.stamp,
            ref.size,
            tuple(_track(text, crops.get(text.id)) for text in live) + self._bury(stream, ended),
        )

    def _new(self, ref: FrameRef) -> _Stream:
        tracking, recognition = self._settings.tracking, self._settings.recognition
        assert tracking.birth_score is not None, "models.resolve fills it in"
        lifetimes = TrackLifetimes(tracking.birth_score, tracking.min_age_s, tracking.max_lost_s)
        gate = ReadingPolicy(recognition.max_readings, recognition.reread_interval_s, recognition.max_readings_per_s)
        first_id = self._next_ids.get(ref.stamp.stream, self._first_id)
        return _Stream(Tracker(lifetimes, first_id), gate, ref.stamp.epoch, ref.size, ref.stamp)

    def _take_luma(self, ref: FrameRef) -> np.ndarray | None:
        """A copy of the luma plane; its slot is free again."""
        if ref.slot is None:
            return None
        ring = self._frames[ref.stamp.stream]
        luma = planes_in(ring.view(ref.slot), ref.size).y.copy()
        ring.release(ref.slot)
        return luma

    def _crops_of(self, stream: _Stream, live: Sequence[Followed], time_s: float) -> dict[int, CropRef]:
        """Crops of the texts that are to be read now, by track; what is too much for one frame waits for the next."""
        crops: dict[int, CropRef] = {}
        for text in live:
            if len(crops) == MOST_CROPS:
                break
            quad = text.quad()
            if text.settled and stream.gate.wants(text.id, text.revision, text.drifts, quad, time_s):
                crops[text.id] = self._cut(stream.tracker, text)
        return crops

    def _bury(self, stream: _Stream, ended: Sequence[Followed]) -> tuple[TrackState, ...]:
        """A message of a ticker that was broken off has not been read before."""
        tracks = []
        for text in ended:
            unread = isinstance(text, TickerMessage) and not stream.gate.knows(text.id)
            tracks.append(_track(text, self._cut(stream.tracker, text) if unread else None))
            stream.gate.forget(text.id)
        return tuple(tracks)

    def _end_all(self, stream: _Stream, end_s: float) -> Tracks:
        return Tracks(stream.last, stream.size, self._bury(stream, stream.tracker.close(end_s)))

    def _cut(self, tracker: Tracker, text: Followed) -> CropRef:
        """Rectify a text into the crop ring."""
        if isinstance(text, TickerMessage):
            luma, quad = text.picture, rectangle(0, 0, text.picture.shape[1], text.picture.shape[0])
        else:
            assert tracker.luma is not None, "a settled text has been seen"
            luma, quad = tracker.luma, grown(text.quad(), self._settings.recognition.margin or 0.0)
        widest, height = self._crop_size
        across, tall = extent(quad)
        width = int(np.clip(round(height * across / max(tall, 1e-6)), 8, widest))
        claim = self._crops.claim()
        assert claim is not None
        pixels = np.frombuffer(claim[1], dtype=np.uint8, count=width * height).reshape(height, width)
        np.copyto(pixels, rectify(luma, quad, width, height))
        return CropRef(self._crops.commit(claim[0]), width, height)


def _track(text: Followed, crop: CropRef | None) -> TrackState:
    return TrackState(
        text.id,
        flat(text.end_quad if text.ended else text.quad()),
        text.revision,
        text.start_s,
        flat(text.start_quad),
        text.shown_until_s if text.ended else None,
        crop,
        None if text.ended else text.shown_until_s,
        text.stay.is_overlay,
    )


def build(settings: Mapping[str, Any], rings: Mapping[str, Slots], *, life: int = 0) -> TrackStage:
    """The stage for a worker process."""
    typed = Settings.model_validate(settings)
    return TrackStage(typed, FrameRings(rings), rings[CROPS], presets.crop_size(typed), life)
