"""Fakes for tests, yours and ours: real messages, real slots, known answers.

A ``world`` says what is to be read: a scene, or a dict in the format of a truth file (``sources.synthetic.truth``).
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
from stream_ocr.core.messages import Detections, FrameRef, Message, Published, Stamp, StreamClosed
from stream_ocr.events import Event, TextEvent
from stream_ocr.models import presets
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.sinks.base import Sinks
from stream_ocr.stages.base import Slots, Stage
from stream_ocr.stages.decode_file import DecodeStage
from stream_ocr.stages.inline import InlineStages
from stream_ocr.stages.publish import PublishStage
from stream_ocr.stages.track import TrackStage
from stream_ocr.testing.oracles import Disturb, OracleDetector, OracleRecognizer, World, undisturbed

_TIME_BASE = (1, 90_000)


def grey(luma: np.ndarray) -> Frame:
    """A frame without colour. luma: (H, W) uint8."""
    chroma = np.full(((luma.shape[0] + 1) // 2, (luma.shape[1] + 1) // 2), 128, dtype=np.uint8)
    return Frame(luma, chroma, chroma, full_range=True)


class ScriptedSource:
    """A source stage that shows given pictures at given times, and wants the detector ``detect_every_s``."""

    def __init__(
        self,
        pictures: Iterable[tuple[float, np.ndarray]],
        slots: Slots,
        *,
        stream: str = "scripted",
        frame_s: float = 0.04,
        detect_every_s: float = 0.2,
    ) -> None:
        """pictures: (media time, luma (H, W) uint8), in order."""
        self._pictures, self._slots, self._stream = pictures, slots, stream
        self._frame_s, self._detect_every_s = frame_s, detect_every_s

    def run(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Message]:
        """The messages of all pictures, ``StreamClosed`` last."""
        seq, end_s, detected_s = 0, 0.0, float("-inf")
        for time_s, luma in self._pictures:
            if stop():
                break
            claim = self._slots.claim()
            assert claim is not None
            frames.write(grey(luma), claim[1])
            ref = self._slots.commit(claim[0])
            due = time_s - detected_s >= self._detect_every_s - 1e-6
            detected_s = time_s if due else detected_s
            ticks, duration = round(time_s * _TIME_BASE[1]), round(self._frame_s * _TIME_BASE[1])
            stamp = Stamp(self._stream, 0, seq, ticks, _TIME_BASE, duration, 0)
            yield FrameRef(stamp, luma.shape[::-1], "detect" if due else "track", ref, True, False, False)
            seq, end_s = seq + 1, stamp.end_s
        yield StreamClosed(self._stream, "end", 0.0, end_s, {"frames": seq, "dropped": 0, "damaged": 0, "corrupt": 0})


class Faulty:
    """A stage in which something goes wrong.

    kill, hang, fail: sequence numbers of frames at which the process kills itself, sleeps for ever, or raises
    RuntimeError; of one ``stream`` or of all. memory: frames for which there is enough; more raise MemoryError. lives:
    how many workers in a row this happens to; all of them by default.
    """

    def __init__(
        self,
        stage: Any,
        *,
        kill: Sequence[int] = (),
        hang: Sequence[int] = (),
        fail: Sequence[int] = (),
        stream: str | None = None,
        memory: int | None = None,
        lives: int | None = None,
        life: int = 0,
    ) -> None:
        self._stage = stage
        self._kill, self._hang, self._fail, self._memory = kill, hang, fail, memory
        self._stream = stream
        self._well = lives is not None and life >= lives
        self.notes = getattr(stage, "notes", {})

    def __enter__(self) -> Self:
        self._stage.__enter__()
        self.notes = getattr(self._stage, "notes", {})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stage.__exit__(kind, error, trace)

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        if not self._well:
            self._happen(batch)
        yield from self._stage.process(batch)

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        yield from self._stage.close(closed)

    def set_aside(self, message: Message) -> Iterator[Message]:
        yield from self._stage.set_aside(message)

    def renew(self) -> None:
        self._stage.renew()

    def _happen(self, batch: Sequence[Message]) -> None:
        stamps = [m.frame.stamp if isinstance(m, Detections) else getattr(m, "stamp", None) for m in batch]
        numbers = {stamp.seq for stamp in stamps if stamp is not None and self._stream in (None, stamp.stream)}
        if self._memory is not None and len(batch) > self._memory:
            raise MemoryError(f"no room for {len(batch)} frames")
        if numbers.intersection(self._kill):
            os.kill(os.getpid(), signal.SIGKILL)
        if numbers.intersection(self._hang):
            threading.Event().wait()
        if numbers.intersection(self._fail):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")


def faulty(
    settings: Mapping[str, Any], rings: Mapping[str, Slots], *, factory: str, faults: Mapping[str, Any], life: int = 0
) -> Faulty:
    """A worker's factory: the stage of another ``factory`` (``package.module:name``), with ``faults`` of ``Faulty``."""
    module, _, name = factory.partition(":")
    return Faulty(getattr(import_module(module), name)(settings, rings), life=life, **faults)


class MemorySink:
    """Keeps the events that it is given."""

    name = "memory"

    def __init__(self) -> None:
        self.events: list[Event] = []

    def open(self) -> None:
        """Nothing to do."""

    def write(self, event: Event) -> None:
        """Keep one event."""
        self.events.append(event)

    def close(self) -> None:
        """Nothing to do."""


@dataclass(frozen=True)
class Watched:
    """What came of a file that was read with oracles."""

    events: list[TextEvent]
    counts: Mapping[str, int]  # frames, detector_frames, boxes, crops_read, …


def watch(path: Path, world: World, *, settings: Settings | None = None, disturb: Disturb = undisturbed) -> Watched:
    """Read a real file in this process, with oracles for detector and recogniser: tests all the rest."""
    settings = presets.resolve(settings or Settings.load(overrides=["models=builtin"]))
    frame_slots, crop_slots = Ring.anonymous(2, 1 << 23), Ring.anonymous(64, 1 << 17)
    stages: list[Stage] = [
        OracleDetector(world, {path.name: frame_slots}, settings, disturb=disturb),
        TrackStage(settings, {path.name: frame_slots}, crop_slots, (2048, 48)),
        OracleRecognizer(world, crop_slots, settings),
        PublishStage(settings, Sinks([])),
    ]
    with DecodeStage(path, path.name, settings, frame_slots) as decode, InlineStages(stages) as chain:
        outputs = [output for message in decode.run(lambda: False) for output in chain.push(message)]
    counts = next(output.counts for output in outputs if isinstance(output, StreamClosed))
    return Watched([event for output in outputs if isinstance(output, Published) for event in output.events], counts)


def follow(
    pictures: Iterable[tuple[float, np.ndarray]],
    world: World,
    *,
    settings: Settings | None = None,
    detect_every_s: float = 0.2,
) -> list[TextEvent]:
    """The events of scripted pictures, with detector and recogniser that know the truth: tests what lies between."""
    frame_slots, crop_slots = Ring.anonymous(2, 1 << 23), Ring.anonymous(64, 1 << 17)
    settings = settings or Settings.load(overrides=["tracking.birth_score=0.5"])
    source = ScriptedSource(pictures, frame_slots, detect_every_s=detect_every_s)
    stages: list[Stage] = [
        OracleDetector(world, {"scripted": frame_slots}, settings),
        TrackStage(settings, {"scripted": frame_slots}, crop_slots, (2048, 48)),
        OracleRecognizer(world, crop_slots, settings),
        PublishStage(settings, Sinks([])),
    ]
    with InlineStages(stages) as chain:
        outputs = [output for message in source.run() for output in chain.push(message)]
    return [event for output in outputs if isinstance(output, Published) for event in output.events]


def text_event(seq: int = 0, **facts: Any) -> TextEvent:
    """An event with these facts, and something fitting for all others."""
    place = ((10.0, 10.0), (110.0, 10.0), (110.0, 30.0), (10.0, 30.0))
    given: dict[str, Any] = {
        "id": f"{seq:016x}",
        "kind": "appeared",
        "stream": "cam-1",
        "track": seq,
        "text": f"TEXT {seq}",
        "confidence": 0.9,
        "start": float(seq),
        "polygon": place,
        "size": (640, 360),
    }
    return TextEvent(seq=seq, **given | facts)


def published_event(seq: int = 0, text: str = "GATE 4", *, stream: str = "gate", **facts: Any) -> TextEvent:
    """An event of one text in one stream, published now."""
    return text_event(seq, text=text, stream=stream, **{"track": 1, "emitted_utc": datetime.now(UTC), **facts})
