"""Recognize: read the crops of all streams, and combine the readings of each text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.geometry import from_flat, side_lengths
from stream_ocr.core.messages import (
    CropRef,
    Message,
    Reading,
    Readings,
    SourceChanged,
    StreamClosed,
    Tracks,
    TrackState,
)
from stream_ocr.gating.reading_policy import RereadBackoff, may_change_result
from stream_ocr.models import presets
from stream_ocr.models.recognition.recognizer import Recognizer
from stream_ocr.readings.second_reader import Crop, Readers, load_readers
from stream_ocr.readings.track_readings import TrackReadings
from stream_ocr.readings.word_filter import is_single_glyph
from stream_ocr.stages.base import CROPS, Slots, Stage
from stream_ocr.stages.crop_snapshot import CropSnapshot

_Key = tuple[str, int]  # stream, track


@dataclass(slots=True)
class _Track:
    """State of one track."""

    readings: TrackReadings
    backoff: RereadBackoff = field(default_factory=RereadBackoff)
    snapshot: CropSnapshot = field(default_factory=CropSnapshot)


class RecognizeStage(Stage):
    """Read the crops of all streams in batches and release their slots."""

    def __init__(self, settings: Settings, crops: Slots, recognizer: Recognizer | None = None) -> None:
        """Take the rings and settings; models are loaded on entry.

        recognizer: one to use instead of those that the settings select.
        """
        self._settings, self._crops, self._given = settings, crops, recognizer
        self._tracks: dict[_Key, _Track] = {}
        self._counters: dict[str, dict[str, int]] = {}

    def __enter__(self) -> Self:
        if self._given is not None:
            self._readers = Readers(self._given, self._settings)
            return self
        self._readers = load_readers(self._settings)
        family = presets.select_preset(self._settings).recognizer.family
        self.notes = {"network": f"{family}, {self._readers.first.engine.backend}"}
        return self

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        """Yield ``Readings`` of every frame, in order."""
        for message in batch:
            if isinstance(message, Tracks):
                self._read(message)
                yield from self._report(message)
            elif isinstance(message, SourceChanged):
                yield message

    def quarantine(self, message: Message) -> Iterator[Message]:
        """Release the crops unread; texts keep their earlier readings."""
        if isinstance(message, Tracks):
            self._release(message)
            yield from self._report(message)
        else:
            yield message

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        self._keep(closed.stream, set())
        yield closed.with_counts(**_NO_CROPS | self._counters.pop(closed.stream, {}))

    @property
    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """Counters by stream."""
        return self._counters

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take over other lexicons and patterns of sources."""
        self._settings = Settings.model_validate(settings)
        self._readers.configure(self._settings)

    def _read(self, message: Tracks) -> None:
        """Read the crops that can still change something."""
        stream, time_s = message.stamp.stream, message.stamp.time_s
        wanted: list[tuple[_Track, TrackState, float, Crop]] = []
        for state in message.tracks:
            if state.crop is None:
                continue
            track, crop = self._track(stream, state), self._crop(state.crop)
            height_px = side_lengths(from_flat(state.quad))[1]
            if self._helps(track, state, crop, height_px, time_s) or self._settings.recognition.reread == "always":
                wanted.append((track, state, height_px, crop))
        if wanted:
            votes, read_twice = self._readers.read([crop for *_, crop in wanted], stream)
            self._count(stream, crops_read=len(wanted), second_readings=read_twice)
            for (track, state, height_px, crop), each in zip(wanted, votes, strict=True):
                track.readings.add(each, height_px, state, crop)
                surest = max(each, key=lambda vote: vote.certainty).reading
                track.backoff.add(surest.confidence, time_s, height_px)
                if self._settings.keeps_crops:
                    track.snapshot.add(crop.pixels, surest.text, track.readings.votes.best.text)
        self._release(message)

    def _helps(self, track: _Track, state: TrackState, crop: Crop, height_px: float, time_s: float) -> bool:
        """Return True if a reading of a crop may change what is known of the track."""
        if track.backoff.defers(time_s, height_px):
            return False
        votes = track.readings.votes
        return track.readings.shows_new_text(state, crop) or may_change_result(
            votes.best,
            agreeing=votes.agreeing,
            growth=height_px / votes.tallest if votes.tallest else 1.0,
            ambiguous=is_single_glyph(votes.best.text),
        )

    def _track(self, stream: str, state: TrackState) -> _Track:
        key = stream, state.id
        if key not in self._tracks:
            self._tracks[key] = _Track(TrackReadings(state))
        return self._tracks[key]

    def _count(self, stream: str, **counts: int) -> None:
        counters = self._counters.setdefault(stream, dict(_NO_CROPS))
        for name, count in counts.items():
            counters[name] += count

    def _crop(self, ref: CropRef) -> Crop:
        pixels = np.frombuffer(self._crops.view(ref.slot), dtype=np.uint8, count=ref.width * ref.height)
        return Crop(pixels.reshape(ref.height, ref.width), ref.margin)

    def _release(self, message: Tracks) -> None:
        """Release crops only once they are read: a worker that dies while reading leaves them to its successor."""
        for track in message.tracks:
            if track.crop is not None:
                self._crops.release(track.crop.slot)

    def _report(self, message: Tracks) -> Iterator[Readings]:
        yield Readings(message.stamp, message.size, tuple(self._reading(message, track) for track in message.tracks))
        self._forget(message)

    def _reading(self, message: Tracks, state: TrackState) -> Reading:
        track = self._track(message.stamp.stream, state)
        return track.readings.reading(state, track.snapshot.take())

    def _forget(self, message: Tracks) -> None:
        """Drop the state of texts that have ended."""
        self._keep(message.stamp.stream, {state.id for state in message.tracks if state.end_s is None})

    def _keep(self, stream: str, tracks: set[int]) -> None:
        """Keep the state of these tracks of a stream, and that of other streams."""
        self._tracks = {key: track for key, track in self._tracks.items() if key[0] != stream or key[1] in tracks}


_NO_CROPS = {"crops_read": 0, "second_readings": 0}
"""Counters of a stream of which nothing has been read."""


def build(settings: Mapping[str, Any], rings: Mapping[str, Slots]) -> RecognizeStage:
    """Return the stage for a worker process."""
    return RecognizeStage(Settings.model_validate(settings), rings[CROPS])
