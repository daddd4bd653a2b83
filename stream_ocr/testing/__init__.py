"""Fakes for tests of this package and of programs that use it: real messages, real slots, known answers.

The ``ground_truth`` of a fake is a scene, or a dict in the format of ``synthetic.scene.truth``.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core import frame as frames
from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import rectangle, to_flat
from stream_ocr.core.messages import Detections, FrameRef, Message, Published, Reading, Stamp, StreamClosed
from stream_ocr.events import Event, TextEvent
from stream_ocr.models import presets
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.sinks.base import Sinks
from stream_ocr.stages.base import Slots, SourceStage, Stage
from stream_ocr.stages.decode_file import DecodeStage
from stream_ocr.stages.inline import InlineStages
from stream_ocr.stages.publish import PublishStage
from stream_ocr.stages.track import TrackStage
from stream_ocr.testing.oracles import GroundTruth, OracleDetector, OracleRecognizer, Perturbation, unperturbed

_TIME_BASE = (1, 90_000)  # as of RTP and MPEG-TS

__all__ = [
    "FaultyStage",
    "MemorySink",
    "OracleRun",
    "ScriptedSource",
    "faulty_stage",
    "grey_frame",
    "published_event",
    "read_scripted",
    "read_with_oracles",
    "reading",
    "text_event",
]


def grey_frame(luma: np.ndarray) -> Frame:
    """Return a frame without colour. luma: (H, W) uint8."""
    chroma = np.full(((luma.shape[0] + 1) // 2, (luma.shape[1] + 1) // 2), 128, dtype=np.uint8)
    return Frame(luma, chroma, chroma, full_range=True)


class ScriptedSource(SourceStage):
    """A source stage that emits given pictures, one of them for the detector every ``detect_every_s`` seconds."""

    def __init__(
        self,
        pictures: Iterable[tuple[float, np.ndarray]],
        slots: Slots,
        *,
        stream: str = "scripted",
        frame_s: float = 0.04,
        detect_every_s: float = 0.2,
    ) -> None:
        """pictures: (media time in seconds, luma (H, W) uint8), in order. frame_s: duration of a frame in seconds."""
        self._pictures, self._slots, self._stream = pictures, slots, stream
        self._frame_s, self._detect_every_s = frame_s, detect_every_s

    def run(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Message]:
        """Yield the messages of all pictures, ``StreamClosed`` last."""
        seq, end_s, detected_s = 0, 0.0, float("-inf")
        for time_s, luma in self._pictures:
            if stop():
                break
            claim = self._slots.claim()
            assert claim is not None
            frames.write_frame(grey_frame(luma), claim[1])
            ref = self._slots.commit(claim[0])
            due = time_s - detected_s >= self._detect_every_s - 1e-6
            detected_s = time_s if due else detected_s
            ticks, duration = round(time_s * _TIME_BASE[1]), round(self._frame_s * _TIME_BASE[1])
            stamp = Stamp(self._stream, 0, seq, ticks, _TIME_BASE, duration, 0)
            yield FrameRef(stamp, luma.shape[::-1], "detect" if due else "track", ref, True, False, False)
            seq, end_s = seq + 1, stamp.end_s
        yield StreamClosed(self._stream, "end", 0.0, end_s, {"frames": seq, "dropped": 0, "damaged": 0, "corrupt": 0})


class FaultyStage(Stage):
    """A stage with injected faults.

    kill, hang, fail: sequence numbers of frames at which the process kills itself, blocks forever, or raises
    RuntimeError; in one ``stream`` or in all. max_batch: larger batches raise MemoryError. incarnations: number of
    workers in a row with these faults; all of them by default.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        kill: Sequence[int] = (),
        hang: Sequence[int] = (),
        fail: Sequence[int] = (),
        stream: str | None = None,
        max_batch: int | None = None,
        incarnations: int | None = None,
        incarnation: int = 0,
    ) -> None:
        self._stage = stage
        self._kill, self._hang, self._fail, self._max_batch = kill, hang, fail, max_batch
        self._stream = stream
        self._healthy = incarnations is not None and incarnation >= incarnations

    def __enter__(self) -> Self:
        self._stage.__enter__()
        self.notes = self._stage.notes
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stage.__exit__(kind, error, trace)

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        if not self._healthy:
            self._inject(batch)
        yield from self._stage.process(batch)

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        yield from self._stage.close(closed)

    def quarantine(self, message: Message) -> Iterator[Message]:
        yield from self._stage.quarantine(message)

    def resend(self) -> None:
        self._stage.resend()

    def _inject(self, batch: Sequence[Message]) -> None:
        stamps = [m.frame.stamp if isinstance(m, Detections) else getattr(m, "stamp", None) for m in batch]
        numbers = {stamp.seq for stamp in stamps if stamp is not None and self._stream in (None, stamp.stream)}
        if self._max_batch is not None and len(batch) > self._max_batch:
            raise MemoryError(f"no memory for {len(batch)} frames")
        if numbers.intersection(self._kill):
            os.kill(os.getpid(), signal.SIGKILL)
        if numbers.intersection(self._hang):
            threading.Event().wait()
        if numbers.intersection(self._fail):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")


def faulty_stage(
    settings: Mapping[str, Any],
    rings: Mapping[str, Slots],
    *,
    factory: str,
    faults: Mapping[str, Any],
    incarnation: int = 0,
) -> FaultyStage:
    """Create a ``FaultyStage`` with ``faults`` around the stage of a ``factory`` (``package.module:name``)."""
    module, _, name = factory.partition(":")
    return FaultyStage(getattr(import_module(module), name)(settings, rings), incarnation=incarnation, **faults)


class MemorySink:
    """A sink that collects events in a list."""

    name = "memory"

    def __init__(self) -> None:
        self.events: list[Event] = []

    def open(self) -> None:
        """Do nothing."""

    def write(self, event: Event) -> None:
        """Append an event to ``events``."""
        self.events.append(event)

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class OracleRun:
    """Events and counters of a file that was read with oracles."""

    events: list[TextEvent]
    counts: Mapping[str, int]  # frames, detector_frames, boxes, crops_read, …


def read_with_oracles(
    path: Path, ground_truth: GroundTruth, *, settings: Settings | None = None, perturb: Perturbation = unperturbed
) -> OracleRun:
    """Read a video file in this process with oracles instead of networks. Everything but the networks is real.

    perturb: detection errors to simulate.
    """
    settings = presets.with_model_defaults(settings or Settings.load(overrides=["models=builtin"]))
    frame_slots, crop_slots = Ring.anonymous(2, 1 << 23), Ring.anonymous(64, 1 << 17)
    stages: list[Stage] = [
        OracleDetector(ground_truth, {path.name: frame_slots}, settings, perturb=perturb),
        TrackStage(settings, {path.name: frame_slots}, crop_slots, (2048, 48)),
        OracleRecognizer(ground_truth, crop_slots, settings),
        PublishStage(settings, Sinks([])),
    ]
    with DecodeStage(path, path.name, settings, frame_slots) as decode, InlineStages(stages) as inline:
        outputs = [output for message in decode.run(lambda: False) for output in inline.push(message)]
    counts = next(output.counts for output in outputs if isinstance(output, StreamClosed))
    return OracleRun([event for output in outputs if isinstance(output, Published) for event in output.events], counts)


def read_scripted(
    pictures: Iterable[tuple[float, np.ndarray]],
    ground_truth: GroundTruth,
    *,
    settings: Settings | None = None,
    detect_every_s: float = 0.2,
) -> list[TextEvent]:
    """Return the events of scripted pictures, read with oracles instead of decoder and networks."""
    frame_slots, crop_slots = Ring.anonymous(2, 1 << 23), Ring.anonymous(64, 1 << 17)
    settings = settings or Settings.load(overrides=["tracking.birth_score=0.5"])
    source = ScriptedSource(pictures, frame_slots, detect_every_s=detect_every_s)
    stages: list[Stage] = [
        OracleDetector(ground_truth, {"scripted": frame_slots}, settings),
        TrackStage(settings, {"scripted": frame_slots}, crop_slots, (2048, 48)),
        OracleRecognizer(ground_truth, crop_slots, settings),
        PublishStage(settings, Sinks([])),
    ]
    with InlineStages(stages) as inline:
        outputs = [output for message in source.run() for output in inline.push(message)]
    return [event for output in outputs if isinstance(output, Published) for event in output.events]


def reading(
    text: str = "",
    confidence: float = 0.95,
    *,
    revision: int = 0,
    start_s: float = 0.0,
    end_s: float | None = None,
    crops_read: int = 1,
    track: int = 1,
    x: float = 20,
    start_x: float = 20,
) -> Reading:
    """Return the reading of a line of 200×30 pixels at (x, 300), which began at start_x; "" is not read yet."""
    quad, start_quad = to_flat(rectangle(x, 300, 200, 30)), to_flat(rectangle(start_x, 300, 200, 30))
    crops_read = crops_read if text else 0
    char_confidences = (confidence,) * len(text)
    confidence = confidence if text else 0.0
    return Reading(track, quad, revision, start_s, start_quad, end_s, text, confidence, char_confidences, crops_read)


def text_event(seq: int = 0, **fields: Any) -> TextEvent:
    """Return an event with the given fields and valid defaults for all others."""
    polygon = ((10.0, 10.0), (110.0, 10.0), (110.0, 30.0), (10.0, 30.0))
    defaults: dict[str, Any] = {
        "id": f"{seq:016x}",
        "kind": "appeared",
        "stream": "cam-1",
        "track": seq,
        "text": f"TEXT {seq}",
        "confidence": 0.9,
        "start": float(seq),
        "polygon": polygon,
        "size": (640, 360),
    }
    return TextEvent(seq=seq, **defaults | fields)


def published_event(seq: int = 0, text: str = "GATE 4", *, stream: str = "gate", **fields: Any) -> TextEvent:
    """Return an event of the only text of a stream, published now."""
    return text_event(seq, text=text, stream=stream, **{"track": 1, "emitted_utc": datetime.now(UTC), **fields})
