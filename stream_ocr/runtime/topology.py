"""The process table: who runs, what each reads and writes, and which slots it maps.

    decode/<stream> ──frames──► detect ──detections──► track ──tracks──► recognize ──readings──► publish ──published──►

A hop is named by what flows in it. Each hop has one receiver; many may send.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from stream_ocr.stages.base import CROPS, FRAMES, frame_ring

FILE_SLOTS = 64  # per file: filled by decode, given back by track; enough to decode on while others load or look
CAMERA_SLOTS = 12  # per camera: more would only wait
CROP_SLOTS = 128  # filled by track, given back by recognize; a frame must not need more
CROP_BYTES = 48 * 2048
OUTCOME = "published"  # the hop that ends in the supervisor


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table.

    factory: dotted path of ``build(settings, rings, **arguments)``, which gives a stage, or a source stage where
    ``input`` is None; that one's arguments have the ``stream`` that it gives. rings: those that it maps; ``frames/``
    stands for all whose names begin so, also those of streams that come later. A batch goes on with ``max_items``, or
    ``max_wait_ms`` after its first one. fills: the ring that it fills. frees: what the names of the rings begin with
    whose slots it gives back. retries: the stage is a ``runtime.retry.Retried``. counts_lives: the factory also gets
    ``life``, how often the worker has been replaced. renewed_by: when the worker of that name was replaced, this
    stage's ``renew`` is called.
    """

    name: str
    factory: str
    input: str | None
    output: str
    rings: tuple[str, ...] = ()
    max_items: int = 1
    max_wait_ms: float = 0.0
    fills: str | None = None
    frees: str | None = None
    retries: bool = False
    counts_lives: bool = False
    renewed_by: str | None = None
    arguments: Mapping[str, Any] = {}


class RingSize(msgspec.Struct, frozen=True):
    """How large a ring is; pages of a slot that are never written cost nothing."""

    slots: int
    slot_bytes: int


class Topology(msgspec.Struct, frozen=True):
    """All processes and rings, and the streams whose end is the end of the run."""

    processes: tuple[Process, ...]
    rings: Mapping[str, RingSize]
    streams: tuple[str, ...]


def five_stages(
    sources: Mapping[str, Mapping[str, Any]],
    *,
    frame_bytes: int,
    crop_bytes: int = CROP_BYTES,
    detect_items: int = 4,
    detect_wait_ms: float = 10.0,
    publish: Mapping[str, Any] | None = None,
) -> Topology:
    """The product: a decoder for each stream, and one of each other stage for all.

    sources: arguments of the decode factory by stream name; the factory also gets ``stream``.
    publish: arguments of the publish factory.
    """
    at = "stream_ocr.stages"
    return Topology(
        processes=(
            *(
                Process(
                    name=f"decode/{stream}",
                    factory=f"{at}.decode_file:build",
                    input=None,
                    output="frames",
                    rings=(frame_ring(stream),),
                    fills=frame_ring(stream),
                    arguments={"stream": stream, **arguments},
                )
                for stream, arguments in sources.items()
            ),
            Process(
                name="detect",
                factory=f"{at}.detect:build",
                input="frames",
                output="detections",
                rings=(FRAMES,),
                max_items=detect_items,
                max_wait_ms=detect_wait_ms,
                retries=True,
            ),
            Process(
                name="track",
                factory=f"{at}.track:build",
                input="detections",
                output="tracks",
                rings=(FRAMES, CROPS),
                fills=CROPS,
                frees=FRAMES,
                counts_lives=True,
                renewed_by="recognize",
            ),
            Process(
                name="recognize",
                factory=f"{at}.recognize:build",
                input="tracks",
                output="readings",
                rings=(CROPS,),
                frees=CROPS,
                max_items=16,
                retries=True,
            ),
            Process(
                name="publish",
                factory=f"{at}.publish:build",
                input="readings",
                output=OUTCOME,
                max_items=64,  # committed together, without waiting for more
                arguments=publish or {},
            ),
        ),
        rings={
            **{frame_ring(stream): RingSize(FILE_SLOTS, frame_bytes) for stream in sources},
            CROPS: RingSize(CROP_SLOTS, crop_bytes),
        },
        streams=tuple(sources),
    )
