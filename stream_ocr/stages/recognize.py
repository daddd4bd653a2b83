"""Recognize: read the crops of all streams, and combine the readings of each text."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from stream_ocr.gating.reading_policy import RereadBackoff
from stream_ocr.models import presets
from stream_ocr.models.recognition.recognizer import Recognizer
from stream_ocr.readings.second_reader import Crop, Readers, load_readers
from stream_ocr.readings.voting import Voting
from stream_ocr.readings.word_filter import drop_unsure_ends
from stream_ocr.stages.base import CROPS, Slots, Stage
from stream_ocr.stages.crop_snapshot import CropSnapshot

_Key = tuple[str, int, int]  # stream, track, revision


class RecognizeStage(Stage):
    """Read the crops of all streams in batches and release their slots."""

    def __init__(self, settings: Settings, crops: Slots, recognizer: Recognizer | None = None) -> None:
        """Take the rings and settings; models are loaded on entry.

        recognizer: one to use instead of those that the settings select.
        """
        self._settings, self._crops, self._given = settings, crops, recognizer
        self._votes: dict[_Key, Voting] = {}
        self._backoffs: dict[tuple[str, int], RereadBackoff] = {}
        self._snapshots: dict[_Key, CropSnapshot] = {}
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
        self._keep(lambda key: key[0] != closed.stream)
        self._backoffs = {key: backoff for key, backoff in self._backoffs.items() if key[0] != closed.stream}
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
        wanted: list[tuple[_Key, float, Crop]] = []
        for track in message.tracks:
            if track.crop is None:
                continue
            key = stream, track.id, track.revision
            height_px = side_lengths(from_flat(track.quad))[1]
            defers = self._backoffs.setdefault(key[:2], RereadBackoff()).defers(time_s, height_px)
            helps = self._votes.setdefault(key, Voting()).wants(height_px) and not defers
            if helps or self._settings.recognition.reread == "always":
                wanted.append((key, height_px, self._crop(track.crop)))
        if wanted:
            readings, read_twice = self._readers.read([crop for _, _, crop in wanted], stream)
            self._count(stream, crops_read=len(wanted), second_readings=read_twice)
            for (key, height_px, crop), reading in zip(wanted, readings, strict=True):
                votes, kept = self._votes[key], drop_unsure_ends(reading)
                votes.add(kept, height_px)
                self._backoffs[key[:2]].add(kept.confidence, time_s, height_px)
                if self._settings.store.crops:
                    self._snapshots.setdefault(key, CropSnapshot()).add(crop.pixels, kept.text, votes.best.text)
        self._release(message)

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

    def _reading(self, message: Tracks, track: TrackState) -> Reading:
        key = message.stamp.stream, track.id, track.revision
        votes, snapshot = self._votes.get(key, Voting()), self._snapshots.get(key)
        best = votes.best
        return Reading(
            track.id,
            track.quad,
            track.revision,
            track.start_s,
            track.start_quad,
            track.end_s,
            best.text,
            best.confidence,
            best.char_confidences,
            len(votes),
            track.hidden_s,
            track.overlay,
            snapshot.take() if snapshot else None,
        )

    def _forget(self, message: Tracks) -> None:
        """Drop the state of earlier revisions and of texts that have ended."""
        stream = message.stamp.stream
        live = {(stream, track.id, track.revision) for track in message.tracks if track.end_s is None}
        self._keep(lambda key: key[0] != stream or key in live)
        tracks = {key[:2] for key in live}
        self._backoffs = {key: value for key, value in self._backoffs.items() if key[0] != stream or key in tracks}

    def _keep(self, wanted: Callable[[_Key], bool]) -> None:
        self._votes = {key: votes for key, votes in self._votes.items() if wanted(key)}
        self._snapshots = {key: snapshot for key, snapshot in self._snapshots.items() if wanted(key)}


_NO_CROPS = {"crops_read": 0, "second_readings": 0}
"""Counters of a stream of which nothing has been read."""


def build(settings: Mapping[str, Any], rings: Mapping[str, Slots]) -> RecognizeStage:
    """The stage for a worker process."""
    return RecognizeStage(Settings.model_validate(settings), rings[CROPS])
