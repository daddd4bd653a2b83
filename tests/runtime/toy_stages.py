"""Small real stages for the tests of the runtime; what they do can be observed from outside."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from stream_ocr.core.messages import (
    Detections,
    FrameRef,
    Message,
    Published,
    Readings,
    SlotRef,
    SourceChanged,
    Stamp,
    StreamClosed,
    Tracks,
)
from stream_ocr.errors import SourceError, WeightsError
from stream_ocr.runtime.topology import OUTCOME, Process, RingSize, Topology
from stream_ocr.stages.base import EPOCHS_PER_INCARNATION, Slots, SourceStage, Stage


class CountingSource(SourceStage):
    """A source of frames with their sequence number in the bytes of their slots; one frame in ``slot_each`` has one."""

    def __init__(self, slots: Slots, stream: str, frames: int, incarnation: int = 0, **options: float) -> None:
        """Take the options ``slot_each``, ``pause_s``, and ``end_s``: time to end after its last message."""
        self.slots, self.stream, self.frames, self.sent = slots, stream, frames, 0
        self.slot_each, self.pause_s = options.get("slot_each", 1), options.get("pause_s", 0.0)
        self.end_s, self.epoch = options.get("end_s", 0.0), incarnation * EPOCHS_PER_INCARNATION

    @property
    def counters(self) -> dict[str, dict[str, int]]:
        return {self.stream: {"frames": self.sent}}

    def run(self, stop: Callable[[], bool]) -> Iterator[Message]:
        seq, start = 0, time.monotonic()
        while seq < self.frames and not stop():
            slot = self._put(seq, stop) if seq % self.slot_each == 0 else None
            stamp = Stamp(self.stream, self.epoch, seq, seq, (1, 25), 1, time.time_ns())
            yield FrameRef(stamp, (8, 1), "track" if slot else "skip", slot, True, False, False)
            seq += 1
            self.sent = seq
            time.sleep(self.pause_s)
        took_ms = round(1000 * (time.monotonic() - start))
        reason = "end" if seq == self.frames else "interrupted"
        yield StreamClosed(self.stream, reason, 0.0, seq / 25, {"frames": seq, "took_ms": took_ms})
        time.sleep(self.end_s)

    def _put(self, seq: int, stop: Callable[[], bool]) -> SlotRef | None:
        while not stop():
            if claim := self.slots.claim(0.1):
                claim[1][:8] = seq.to_bytes(8, "little")
                return self.slots.commit(claim[0])
        return None


class BrokenSource(SourceStage):
    """A source that yields one frame and then fails; ``at_once``: it cannot be entered."""

    def __init__(self, stream: str, *, at_once: bool) -> None:
        self.stream, self.at_once = stream, at_once

    def __enter__(self) -> Self:
        if self.at_once:
            raise SourceError("clip.mp4 holds no video.")
        return self

    def run(self, _stop: Callable[[], bool]) -> Iterator[Message]:
        yield FrameRef(Stamp(self.stream, 0, 0, 0, (1, 25), 1, 0), (8, 1), "skip", None, True, False, False)
        raise SourceError("clip.mp4 breaks off.")


class PryingSource(SourceStage):
    """A source that says what it can reach, in the reason for which it closes."""

    def __init__(self, stream: str, path: str, port: int) -> None:
        self.stream, self.path, self.port = stream, path, port

    def run(self, _stop: Callable[[], bool]) -> Iterator[Message]:
        attempts = {
            "own file": lambda: Path(self.path).read_bytes(),
            "passwords": lambda: Path("/etc/passwd").read_bytes(),
            "another process": lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes(),
            "a new file": lambda: Path(f"{self.path}.new").touch(),
            "a socket": lambda: socket.create_connection(("127.0.0.1", self.port)).close(),
            "a program": lambda: subprocess.run(["true"], check=False),
        }
        reached = []
        for name, attempt in attempts.items():
            with suppress(OSError):
                attempt()
                reached.append(name)
        yield StreamClosed(self.stream, f"reached {', '.join(reached)}", 0.0, 0.0, {})


class AbsentSource(SourceStage):
    """A source that is down."""

    def __init__(self, stream: str, incarnation: int) -> None:
        self.stream, self.incarnation = stream, incarnation

    def run(self, stop: Callable[[], bool]) -> Iterator[Message]:
        yield SourceChanged(
            self.stream, "down", self.incarnation * EPOCHS_PER_INCARNATION, 0.0, reason="Nobody is there."
        )
        while not stop():
            time.sleep(0.01)
        yield StreamClosed(self.stream, "interrupted", 0.0, 0.0, {})


class Detect(Stage):
    """FrameRef → Detections. Checks the bytes of the slot and does not release it."""

    def __init__(self, rings: Mapping[str, Slots]) -> None:
        self.rings = rings
        self.notes = {"device": "toy"}

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        for ref in batch:
            if isinstance(ref, SourceChanged):
                yield ref
                continue
            assert isinstance(ref, FrameRef)
            if ref.slot is not None:
                check(self.rings, ref)
            yield Detections(ref, None)

    def quarantine(self, message: Message) -> Iterator[Message]:
        assert isinstance(message, FrameRef)
        yield Detections(message, ())


class Track(Stage):
    """Detections, or FrameRef at once, → Tracks. Releases the slot after ``pause_s``, or never. Touches ``sign``."""

    def __init__(self, rings: Mapping[str, Slots], pause_s: float | None, sign: str | None) -> None:
        self.rings, self.pause_s = rings, pause_s
        self.sign = Path(sign) if sign else None

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        if self.sign:
            self.sign.touch()
        for message in batch:
            if isinstance(message, SourceChanged):
                yield message
                continue
            ref = message.frame if isinstance(message, Detections) else message
            assert isinstance(ref, FrameRef)
            if ref.slot is not None and self.pause_s is not None:
                time.sleep(self.pause_s)
                check(self.rings, ref)
                self.rings[f"frames/{ref.stamp.stream}"].release(ref.slot)
            yield Tracks(ref.stamp, ref.size, ())


class Recognize(Stage):
    """Tracks → Readings."""

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        for message in batch:
            if isinstance(message, SourceChanged):
                yield message
                continue
            assert isinstance(message, Tracks)
            yield Readings(message.stamp, message.size, ())


class Publish(Stage):
    """Anything with a stamp → Published, one each. Writes a line to ``log`` for each message and for its own end.

    Entering it takes until ``sign`` exists.
    """

    def __init__(self, log: str | None, sign: str | None) -> None:
        self.log = Path(log) if log else None
        self.sign = Path(sign) if sign else None

    def __enter__(self) -> Self:
        while self.sign and not self.sign.exists():
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.write("closed")

    def write(self, line: str) -> None:
        if self.log:
            with self.log.open("a") as file:
                file.write(f"{line}\n")

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        for message in batch:
            if isinstance(message, SourceChanged):
                self.write(f"{message.stream} {message.kind} {message.reason}")
                continue
            assert isinstance(message, FrameRef | Detections | Tracks | Readings)
            stamp = message.frame.stamp if isinstance(message, Detections) else message.stamp
            self.write(f"{stamp.stream} {stamp.epoch} {stamp.seq}")
            yield Published(stamp.stream, stamp.seq + 1, stamp.time_s, ())


class Failing(Stage):
    """FrameRef → Detections until frame 20, at which it fails as ``kind`` says."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __enter__(self) -> Self:
        if self.kind == "no weights":
            raise WeightsError("Weights 'toy' are missing; run make weights.")
        return self

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        for ref in batch:
            assert isinstance(ref, FrameRef)
            if ref.stamp.seq == 20:
                self._fail()
            yield Detections(ref, None)

    def _fail(self) -> None:
        match self.kind:
            case "raise":
                raise WeightsError("Weights 'toy' went bad.")
            case "bug":
                raise ZeroDivisionError("a\nb")
            case "hang":
                time.sleep(60)
            case "leave":
                os._exit(3)


class Serving:
    """A service that fails ``at`` "start", "check", or never. Writes a line to ``log`` at its start and end."""

    def __init__(self, fds: Mapping[str, int], at: str) -> None:
        self.log, self.at = fds["log"], at

    def __enter__(self) -> Self:
        if self.at == "start":
            os._exit(3)
        os.write(self.log, b"entered\n")
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self.log, b"closed\n")

    def check(self) -> None:
        if self.at == "check":
            raise WeightsError("The server has ended.")


def serving(_settings: object, _rings: object, fds: Mapping[str, int], at: str = "never") -> Serving:
    return Serving(fds, at)


def check(rings: Mapping[str, Slots], ref: FrameRef) -> None:
    assert ref.slot is not None
    found = int.from_bytes(rings[f"frames/{ref.stamp.stream}"].view(ref.slot)[:8], "little")
    assert found == ref.stamp.seq, f"slot holds frame {found}, not {ref.stamp.seq}"


def counting_source(
    settings: Mapping[str, Any], rings: Mapping[str, Slots], stream: str, **arguments: Any
) -> CountingSource:
    return CountingSource(rings[f"frames/{stream}"], stream, **{**settings, **arguments})


def broken_source(_settings: object, _rings: object, stream: str, *, at_once: bool) -> BrokenSource:
    return BrokenSource(stream, at_once=at_once)


def prying_source(_settings: object, _rings: object, stream: str, *, path: str, port: int) -> PryingSource:
    return PryingSource(stream, path, port)


def absent_source(_settings: object, _rings: object, stream: str, *, incarnation: int) -> AbsentSource:
    return AbsentSource(stream, incarnation)


def detect(_settings: object, rings: Mapping[str, Slots]) -> Detect:
    return Detect(rings)


def track(_settings: object, rings: Mapping[str, Slots], pause_s: float | None = 0.0, sign: str | None = None) -> Track:
    return Track(rings, pause_s, sign)


def recognize(_settings: object, _rings: object) -> Recognize:
    return Recognize()


def publish(_settings: object, _rings: object, log: str | None = None, sign: str | None = None) -> Publish:
    return Publish(log, sign)


def failing(_settings: object, _rings: object, kind: str) -> Failing:
    return Failing(kind)


def table(sources: Mapping[str, Mapping[str, Any]], *, slots: int = 12, **stages: Mapping[str, Any]) -> Topology:
    """Return decoders of ``sources``, then one worker for each of ``stages`` with the stage named by its ``toy``."""
    hops = [f"hop{number}" for number in range(len(stages))] + [OUTCOME]
    rings = {f"frames/{stream}": RingSize(slots, 50_000_000) for stream in sources}
    decoders = [
        Process(
            name=f"decode/{stream}",
            factory=f"toy_stages:{arguments.get('source', 'counting_source')}",
            input=None,
            output=hops[0],
            rings=(f"frames/{stream}",),
            writes=f"frames/{stream}",
            wants_incarnation="source" not in arguments,
            stream=stream,
            arguments={key: value for key, value in arguments.items() if key != "source"},
        )
        for stream, arguments in sources.items()
    ]
    others = [
        Process(
            name=name,
            factory="stream_ocr.testing:faulty_stage" if "faults" in options else f"toy_stages:{options['toy']}",
            input=hops[number],
            output=hops[number + 1],
            wants_incarnation="faults" in options,
            rings=("frames/",),
            releases="frames/" if options["toy"] == "track" else None,
            retries=options["toy"] == "detect",
            max_items=4,
            max_wait_ms=2,
            arguments={
                **{key: value for key, value in options.items() if key != "toy"},
                **({"factory": f"toy_stages:{options['toy']}"} if "faults" in options else {}),
            },
        )
        for number, (name, options) in enumerate(stages.items())
    ]
    return Topology((*decoders, *others), rings, tuple(sources))
