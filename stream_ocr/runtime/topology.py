"""The process table: which workers run, what each reads and writes, and which rings it maps.

    decode/<stream> ──frames──► detect ──detections──► track ──tracks──► recognize ──readings──► publish ──published──►

A hop is named after what flows in it. Each hop has one receiver; many may send. A service stands outside the hops: it
serves others while the run goes on, with or without it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from stream_ocr.confinement import Access
from stream_ocr.runtime.thresholds import THRESHOLDS
from stream_ocr.stages.base import CROPS, FRAMES, frame_ring

OUTCOME = "published"  # the hop that ends in the supervisor
_CROP_BYTES = 48 * 2048  # height × width of the widest crop, grey


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table: one worker.

    factory: "module:function" of ``build(settings, rings, **arguments)``, which returns a ``stages.base.Stage``, a
    ``SourceStage`` where ``input`` is None, or a ``Service`` where ``output`` is None too. stream: what a source reads;
    its factory also gets ``stream``. rings: those that it maps; ``frames/`` stands for all rings whose names start with
    it, including later ones. fds: file descriptors of the program that it inherits, by name; its factory also gets
    ``fds``. A batch is complete with ``max_items``, or ``max_wait_ms`` after its first message. writes: the ring whose
    slots it writes. releases: prefix of the rings whose slots it releases. retries: unfinished batches are retried by
    the next incarnation. wants_incarnation: the factory also gets ``incarnation``, the number of restarts so far.
    resend_on_restart_of: name of the worker after whose restart ``Stage.resend`` is called. starts_first: before the
    others, because it takes longest to load. access: files and sockets to which the worker is confined.
    """

    name: str
    factory: str
    input: str | None
    output: str | None
    stream: str | None = None
    rings: tuple[str, ...] = ()
    fds: Mapping[str, int] = {}
    max_items: int = 1
    max_wait_ms: float = 0.0
    writes: str | None = None
    releases: str | None = None
    retries: bool = False
    wants_incarnation: bool = False
    resend_on_restart_of: str | None = None
    access: Access | None = None
    starts_first: bool = False
    arguments: Mapping[str, Any] = {}

    @property
    def is_source(self) -> bool:
        """True if it reads a stream."""
        return self.stream is not None

    @property
    def is_service(self) -> bool:
        """True if the run goes on without it."""
        return self.output is None


class RingSize(msgspec.Struct, frozen=True):
    """The size of a ring. Pages of a slot that are never written take no memory."""

    slots: int
    slot_bytes: int


class Topology(msgspec.Struct, frozen=True):
    """All processes and rings, and the streams whose end is the end of the run. trace: file to trace them in."""

    processes: tuple[Process, ...]
    rings: Mapping[str, RingSize]
    streams: tuple[str, ...]
    trace: str | None = None


def source(
    stream: str, factory: str, *, wants_incarnation: bool = False, access: Access | None = None, **arguments: Any
) -> Process:
    """Return the row of a worker that decodes one stream into its own ring."""
    return Process(
        name=f"decode/{stream}",
        factory=factory,
        input=None,
        output="frames",
        stream=stream,
        rings=(frame_ring(stream),),
        writes=frame_ring(stream),
        wants_incarnation=wants_incarnation,
        access=access,
        arguments=arguments,
    )


def file_source(stream: str, **arguments: Any) -> Process:
    """Return the row of a worker that decodes one file. arguments: of its factory."""
    return source(stream, "stream_ocr.stages.decode_file:build", **arguments)


def file_ring(frame_bytes: int) -> RingSize:
    """Return the size of the ring of a file."""
    return RingSize(THRESHOLDS.file_slots, frame_bytes)


def service(name: str, factory: str, *, rings: Sequence[str] = (), fds: Mapping[str, int], **arguments: Any) -> Process:
    """Return the row of a worker that receives and sends nothing, and without which the run goes on."""
    return Process(
        name=name, factory=factory, input=None, output=None, rings=tuple(rings), fds=fds, arguments=arguments
    )


def five_stages(
    sources: Mapping[str, Mapping[str, Any]],
    *,
    frame_bytes: int,
    crop_bytes: int = _CROP_BYTES,
    detect_items: int = 4,
    detect_wait_ms: float = 10.0,
    publish: Mapping[str, Any] | None = None,
    later: Sequence[str] = (),
    trace: Path | None = None,
) -> Topology:
    """Return the topology of a run: a decoder for each stream, and one worker of each other stage for all streams.

    sources: arguments of the decode factory by stream name. publish: arguments of the publish factory. later: streams
    that are read after those (see ``Supervisor.read_next``). trace: file to trace the run in.
    """
    return Topology(
        processes=(
            *(file_source(stream, **arguments) for stream, arguments in sources.items()),
            Process(
                name="detect",
                factory="stream_ocr.stages.detect:build",
                input="frames",
                output="detections",
                rings=(FRAMES,),
                max_items=detect_items,
                max_wait_ms=detect_wait_ms,
                retries=True,
            ),
            Process(
                name="track",
                factory="stream_ocr.stages.track:build",
                input="detections",
                output="tracks",
                rings=(FRAMES, CROPS),
                writes=CROPS,
                releases=FRAMES,
                wants_incarnation=True,
                resend_on_restart_of="recognize",
                starts_first=True,  # filterpy imports SciPy
            ),
            Process(
                name="recognize",
                factory="stream_ocr.stages.recognize:build",
                input="tracks",
                output="readings",
                rings=(CROPS,),
                releases=CROPS,
                max_items=THRESHOLDS.recognize_items,
                retries=True,
            ),
            Process(
                name="publish",
                factory="stream_ocr.stages.publish:build",
                input="readings",
                output=OUTCOME,
                max_items=THRESHOLDS.publish_items,
                wants_incarnation=True,
                arguments=publish or {},
            ),
        ),
        rings={
            **{frame_ring(stream): file_ring(frame_bytes) for stream in sources},
            CROPS: RingSize(THRESHOLDS.crop_slots, crop_bytes),
        },
        streams=(*sources, *later),
        trace=None if trace is None else str(trace.absolute()),
    )
