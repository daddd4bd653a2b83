"""Recognise: what the texts say, the looks at one text fused into one reading."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.geometry import extent, unflat
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
from stream_ocr.gating.reread_backoff import RereadBackoff
from stream_ocr.models import presets, zoo
from stream_ocr.models.recognition.decoding import of_sources
from stream_ocr.models.recognition.recognizer import Recognizer
from stream_ocr.readings.voting import Voting
from stream_ocr.readings.word_filter import believed
from stream_ocr.stages.base import CROPS, Slots
from stream_ocr.stages.crop_snapshot import Evidence

_Key = tuple[str, int, int]  # stream, track, view


class RecognizeStage:
    """Reads the crops of all streams in batches and gives them back to their ring."""

    def __init__(self, settings: Settings, crops: Slots, recognizer: Recognizer | None = None) -> None:
        """recognizer: one to use instead of the settings' own."""
        self._settings, self._crops, self._given = settings, crops, recognizer
        self._fusions: dict[_Key, Voting] = {}
        self._doubts: dict[tuple[str, int], RereadBackoff] = {}
        self._evidence: dict[_Key, Evidence] = {}
        self._read: dict[str, int] = {}
        self.notes: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._given is None:
            self._recognizer = zoo.load_recognizer(self._settings)
            self.notes = {"network": f"{presets.choose(self._settings.models).name}, {self._recognizer.engine.picked}"}
        else:
            self._recognizer = self._given
        self._transcribe = of_sources(self._settings, self._recognizer.charset)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        """``Readings`` of every frame, in order."""
        for message in batch:
            if isinstance(message, Tracks):
                self._look(message)
                yield from self._tell_all(message)
            elif isinstance(message, SourceChanged):
                yield message

    def set_aside(self, message: Message) -> Iterator[Message]:
        """The crops go back unread, and the texts keep what was read of them before."""
        if isinstance(message, Tracks):
            self._give_back(message)
            yield from self._tell_all(message)
        else:
            yield message

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        self._keep(lambda key: key[0] != closed.stream)
        self._doubts = {key: doubt for key, doubt in self._doubts.items() if key[0] != closed.stream}
        yield closed.adding(crops_read=self._read.pop(closed.stream, 0))

    @property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """By stream."""
        return {stream: {"crops_read": crops} for stream, crops in self._read.items()}

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Go on with other lexicons and patterns of sources."""
        self._settings = Settings.model_validate(settings)
        self._transcribe = of_sources(self._settings, self._recognizer.charset)

    def _look(self, message: Tracks) -> None:
        """Read the crops that can still change something."""
        stream, time_s = message.stamp.stream, message.stamp.time_s
        wanted: list[tuple[_Key, float, np.ndarray]] = []
        for track in message.tracks:
            if track.crop is None:
                continue
            key = stream, track.id, track.revision
            height = extent(unflat(track.quad))[1]
            defers = self._doubts.setdefault(key[:2], RereadBackoff()).defers(time_s, height)
            helps = self._fusions.setdefault(key, Voting()).wants(height) and not defers
            if helps or self._settings.recognition.reread == "always":
                wanted.append((key, height, self._crop(track.crop)))
        if wanted:
            self._read[stream] = self._read.get(stream, 0) + len(wanted)
            looks = self._recognizer.read([crop for _, _, crop in wanted], self._transcribe.get(stream))
            for (key, height, crop), look in zip(wanted, looks, strict=True):
                fusion, seen = self._fusions[key], believed(look)
                fusion.add(seen, height)
                self._doubts[key[:2]].add(seen, time_s, height)
                if self._settings.store.crops:
                    self._evidence.setdefault(key, Evidence()).add(crop, seen.text, fusion.best.text)
        self._give_back(message)

    def _crop(self, ref: CropRef) -> np.ndarray:
        pixels = np.frombuffer(self._crops.view(ref.slot), dtype=np.uint8, count=ref.width * ref.height)
        return pixels.reshape(ref.height, ref.width)

    def _give_back(self, message: Tracks) -> None:
        """Only once they are read: a worker that dies over them leaves them to its successor."""
        for track in message.tracks:
            if track.crop is not None:
                self._crops.release(track.crop.slot)

    def _tell_all(self, message: Tracks) -> Iterator[Readings]:
        yield Readings(message.stamp, message.size, tuple(self._tell(message, track) for track in message.tracks))
        self._forget(message)

    def _tell(self, message: Tracks, track: TrackState) -> Reading:
        key = message.stamp.stream, track.id, track.revision
        fusion, evidence = self._fusions.get(key, Voting()), self._evidence.get(key)
        best = fusion.best
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
            len(fusion),
            track.hidden_s,
            track.overlay,
            evidence.take() if evidence else None,
        )

    def _forget(self, message: Tracks) -> None:
        """Drop what belongs to earlier views and to texts that have ended."""
        stream = message.stamp.stream
        live = {(stream, track.id, track.revision) for track in message.tracks if track.end_s is None}
        self._keep(lambda key: key[0] != stream or key in live)
        tracks = {key[:2] for key in live}
        self._doubts = {key: doubt for key, doubt in self._doubts.items() if key[0] != stream or key in tracks}

    def _keep(self, wanted: Callable[[_Key], bool]) -> None:
        self._fusions = {key: fusion for key, fusion in self._fusions.items() if wanted(key)}
        self._evidence = {key: evidence for key, evidence in self._evidence.items() if wanted(key)}


def build(settings: Mapping[str, Any], rings: Mapping[str, Slots]) -> RecognizeStage:
    """The stage for a worker process."""
    return RecognizeStage(Settings.model_validate(settings), rings[CROPS])
