"""Events: what users receive, one JSON object per event.

``make docs`` writes docs/events.md and the schemas beside it from the definitions below. New fields are added at the
end with a default; any other change increments ``schema``.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import msgspec
from msgspec import Meta

from stream_ocr.errors import SourceError
from stream_ocr.events.polygon import FlatQuad, Point
from stream_ocr.logs import get_logger

__all__ = [
    "DECODE_ERRORS",
    "KINDS",
    "SCHEMA",
    "Event",
    "Kind",
    "Polygon",
    "SourceEvent",
    "SourceKind",
    "TextEvent",
    "Utc",
    "UtcSource",
    "parse",
    "read_jsonl",
]

log = get_logger(__name__)

SCHEMA = 2  # version of the event format
_ASSIGNMENT = re.compile(r"(\d{1,15})-", re.ASCII)

Polygon = tuple[Point, Point, Point, Point]
Kind = Literal["appeared", "updated", "changed", "ended"]
SourceKind = Literal["source.up", "source.down", "source.gap"]
KINDS: frozenset[str] = frozenset((*get_args(Kind), *get_args(SourceKind)))
UtcSource = Literal["rtcp", "arrival", "file"]
Utc = Annotated[datetime, Meta(tz=True)]

# Decimal places in events.
TIME_DIGITS = 6
PIXEL_DIGITS = 2
CONFIDENCE_DIGITS = 4


class TextEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A text appeared, got a better reading, was replaced by another text, or ended."""

    schema: Annotated[int, Meta(description="Version of the event format.")] = SCHEMA
    id: Annotated[str, Meta(description="Deterministic: the same input yields the same id, so writes are idempotent.")]
    seq: Annotated[int, Meta(description="Sequence number within the stream, from 0 without gaps.", ge=0)]
    kind: Annotated[
        Kind,
        Meta(
            description="`appeared`: a new text. `updated`: a better reading of the same text. `changed`: another text "
            "took its place at `start`, where the previous one ended. `ended`: the text is gone."
        ),
    ]
    stream: Annotated[str, Meta(description="Name of the source.")]
    track: Annotated[int, Meta(description="Number of the track, unique within the stream.")]
    text: Annotated[str, Meta(description="Best reading so far.")]
    confidence: Annotated[float, Meta(description="Probability that the whole text is correct, 0 to 1.", ge=0, le=1)]
    char_confidences: Annotated[
        tuple[float, ...], Meta(description="Probability that each character is correct, 0 to 1.")
    ] = ()
    start: Annotated[float, Meta(description="Media time in seconds of the first frame that shows this text.")]
    end: Annotated[
        float | None,
        Meta(description="Media time in seconds at which the last frame that shows the text ends; only on `ended`."),
    ] = None
    start_utc: Annotated[Utc | None, Meta(description="UTC of `start`; null if unknown.")] = None
    end_utc: Annotated[Utc | None, Meta(description="UTC of `end`; null if unknown.")] = None
    utc_source: Annotated[
        UtcSource | None,
        Meta(
            description="Source of UTC. `rtcp`: the clock of the camera. `arrival`: the time of arrival here. "
            "`file`: the metadata of the file."
        ),
    ] = None
    polygon: Annotated[
        Polygon,
        Meta(
            description="Corners [x, y] in pixels of the source frame, clockwise from the top left corner of the text: "
            "at `start` on `appeared` and `changed`, at `end` on `ended`, otherwise now. For a text that flies in and "
            "rests, or rested and flies out, they are those where it rests."
        ),
    ]
    size: Annotated[tuple[int, int], Meta(description="Width and height of the source frame in pixels.")]
    previous: Annotated[str | None, Meta(description="Previous text; only on `changed` and `updated`.")] = None
    emitted_utc: Annotated[Utc | None, Meta(description="UTC at which the event was published.")] = None
    durable: Annotated[
        bool | None,
        Meta(
            description="`true`: the event was committed to the store before it was published. `false`: storing "
            "failed, so a replay may lack the event. null: there is no store."
        ),
    ] = None
    overlay: Annotated[
        bool,
        Meta(
            description="`true` if the text is a persistent graphic of the channel, such as a logo or a clock, rather "
            "than part of the scene. Known only after some time: an `updated` or `changed` event then sets it, and it "
            "stays true."
        ),
    ] = False
    field: Annotated[
        str | None,
        Meta(description="Name of the field in the settings that holds the text, such as `home` of a score board."),
    ] = None

    def __post_init__(self) -> None:
        # Round once, here, so that an event equals its own JSON.
        _set(self, "start", round(self.start, TIME_DIGITS))
        _set(self, "end", None if self.end is None else round(self.end, TIME_DIGITS))
        _set(self, "confidence", round(self.confidence, CONFIDENCE_DIGITS))
        _set(self, "char_confidences", tuple(round(value, CONFIDENCE_DIGITS) for value in self.char_confidences))
        _set(self, "polygon", tuple((_pixels(x), _pixels(y)) for x, y in self.polygon))

    def to_json(self) -> bytes:
        """Return the event as one line of JSON, without the line end."""
        return _encoder.encode(self)

    @classmethod
    def from_json(cls, line: bytes | str) -> Self:
        """Parse a line. Raises one of DECODE_ERRORS if it is not a text event of a schema that this version reads."""
        _refuse_newer(msgspec.json.decode(line, type=EventHeader))
        return msgspec.json.decode(line, type=cls)


class SourceEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A source came up, went down, or lost frames."""

    schema: Annotated[int, Meta(description="Version of the event format.")] = SCHEMA
    id: Annotated[str, Meta(description="As in a text event.")]
    seq: Annotated[int, Meta(description="As in a text event; text and source events share one sequence.", ge=0)]
    kind: Annotated[
        SourceKind,
        Meta(
            description="`source.up`: frames arrive. `source.down`: the source is lost, all texts end. "
            "`source.gap`: frames are missing."
        ),
    ]
    stream: Annotated[str, Meta(description="Name of the source.")]
    start: Annotated[
        float | None, Meta(description="Media time in seconds of the event, or of the start of the gap.")
    ] = None
    end: Annotated[float | None, Meta(description="Media time in seconds of the end of the gap.")] = None
    frames: Annotated[int | None, Meta(description="Number of missing frames; null if unknown.")] = None
    reason: Annotated[str | None, Meta(description="Reason, as a sentence.")] = None
    emitted_utc: Annotated[Utc | None, Meta(description="UTC at which the event was published.")] = None
    start_utc: Annotated[Utc | None, Meta(description="UTC of `start`; null if unknown.")] = None
    durable: Annotated[bool | None, Meta(description="As in a text event.")] = None

    def __post_init__(self) -> None:
        _set(self, "start", None if self.start is None else round(self.start, TIME_DIGITS))
        _set(self, "end", None if self.end is None else round(self.end, TIME_DIGITS))

    def to_json(self) -> bytes:
        """Return the event as one line of JSON, without the line end."""
        return _encoder.encode(self)


Event = TextEvent | SourceEvent

DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Exceptions that decoding raises for invalid bytes. Invalid UTF-8 raises another one than invalid JSON."""

_set = msgspec.structs.force_setattr
_encoder = msgspec.json.Encoder()


def _pixels(value: float) -> float:
    return round(float(value), PIXEL_DIGITS)


class EventHeader(msgspec.Struct, frozen=True):
    """Fields that every event has, including kinds and schemas added after this version."""

    stream: str
    seq: int
    kind: str
    schema: int = SCHEMA
    id: str = ""
    durable: bool | None = None

    @property
    def event_type(self) -> type[Event]:
        """Return the class that the whole event is decoded as."""
        return SourceEvent if self.kind.startswith("source.") else TextEvent


def parse(line: bytes | str) -> Event:
    """Parse a line into a text or source event.

    Raises one of DECODE_ERRORS if it is not an event of a schema that this version reads.
    """
    header = msgspec.json.decode(line, type=EventHeader)
    _refuse_newer(header)
    return msgspec.json.decode(line, type=header.event_type)


def _refuse_newer(header: EventHeader) -> None:
    if header.schema > SCHEMA:
        raise msgspec.ValidationError(
            f"it has schema {header.schema}, but this program reads schema {SCHEMA}; use the version that wrote it"
        )


def event_id(stream: str, *parts: Any, assignment: int | None = None) -> str:
    """Return an id computed from the media alone: stream, track, kind, revision, start, text, …

    assignment: number of the assignment of a camera to a host of a fleet; the id begins with it.
    """
    text = json.dumps([stream, *parts], ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    return digest if assignment is None else f"{assignment}-{digest}"


def assignment_of(id: str) -> int | None:  # noqa: A002 - as in events
    """Return the number of the assignment with which the id of an event begins; None if it has none."""
    found = _ASSIGNMENT.match(id)
    return int(found[1]) if found else None


def quad_to_polygon(quad: FlatQuad) -> Polygon:
    """Return the four corners of a flat quad (x and y in turn)."""
    x0, y0, x1, y1, x2, y2, x3, y3 = quad
    return (x0, y0), (x1, y1), (x2, y2), (x3, y3)


def read_jsonl(path: str | Path) -> Iterator[Event]:
    """Yield the events of a JSON Lines file in order. A truncated last line is skipped with a warning.

    Raises SourceError if the file cannot be read or a line is not an event.
    """
    path = Path(path)
    try:
        file = path.open("rb")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield parse(line)
            except DECODE_ERRORS as error:
                if line.endswith(b"\n"):
                    raise SourceError(f"Line {number} of {path} is not an event: {error}.") from error
                log.warning("skipped truncated last line", path=str(path), line=number)
