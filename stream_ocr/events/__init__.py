"""What the world gets: one JSON object per event.

``make docs`` writes docs/events.md and the schemas beside it from the definitions below.
New fields come last and have a default; anything else that changes raises ``schema``.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import msgspec
from msgspec import Meta

from stream_ocr.errors import SourceError
from stream_ocr.events.polygon import Flat, Point

SCHEMA = 2

Polygon = tuple[Point, Point, Point, Point]
Kind = Literal["appeared", "updated", "changed", "ended"]
SourceKind = Literal["source.up", "source.down", "source.gap"]
KINDS: frozenset[str] = frozenset((*get_args(Kind), *get_args(SourceKind)))
UtcSource = Literal["rtcp", "arrival", "file"]
Utc = Annotated[datetime, Meta(tz=True)]

TIME_DIGITS = 6
PIXEL_DIGITS = 2
CONFIDENCE_DIGITS = 4


class TextEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A text appeared, was read better, became another text, or went away."""

    schema: Annotated[int, Meta(description="Version of this format.")] = SCHEMA
    id: Annotated[str, Meta(description="Deterministic: the same input gives the same ids, so that writes can repeat.")]
    seq: Annotated[int, Meta(description="Counted per stream from 0, without gaps.", ge=0)]
    kind: Annotated[
        Kind,
        Meta(
            description="`appeared`; `updated`: a better reading of the same text; `changed`: another text took its "
            "place, the old one ended at `start`; `ended`."
        ),
    ]
    stream: Annotated[str, Meta(description="Name of the source.")]
    track: Annotated[int, Meta(description="The text's number, unique within its stream.")]
    text: Annotated[str, Meta(description="The best reading so far.")]
    confidence: Annotated[float, Meta(description="How likely the whole text is right, 0 to 1.", ge=0, le=1)]
    char_confidences: Annotated[
        tuple[float, ...], Meta(description="How likely each character of `text` is right.")
    ] = ()
    start: Annotated[float, Meta(description="Media seconds of the first frame that shows this text.")]
    end: Annotated[
        float | None, Meta(description="Media seconds at which the last frame that shows it ends; only on `ended`.")
    ] = None
    start_utc: Annotated[Utc | None, Meta(description="UTC of `start`, where it is known.")] = None
    end_utc: Annotated[Utc | None, Meta(description="UTC of `end`, where it is known.")] = None
    utc_source: Annotated[
        UtcSource | None,
        Meta(description="Where UTC comes from: the camera's own clock, the arrival here, or the file's metadata."),
    ] = None
    polygon: Annotated[
        Polygon,
        Meta(description="Corners [x, y] in pixels of the source frame, clockwise from the top left of the text, now."),
    ]
    size: Annotated[tuple[int, int], Meta(description="Width and height of the source frame.")]
    previous: Annotated[str | None, Meta(description="The text before; only on `changed` and `updated`.")] = None
    emitted_utc: Annotated[Utc | None, Meta(description="When the event was published.")] = None
    durable: Annotated[
        bool | None,
        Meta(
            description="Whether it was committed to the store before it was published; `false`: it could not be, and "
            "may be missing from a replay; null where there is no store."
        ),
    ] = None
    overlay: Annotated[
        bool,
        Meta(
            description="Whether the text belongs to the channel and not to the scene: a logo, a watermark, a clock. "
            "Known after a while only, and then said by an `updated` or `changed`; true from there on."
        ),
    ] = False

    def __post_init__(self) -> None:
        # Rounded here, once, so that an event equals its own JSON.
        _set(self, "start", round(self.start, TIME_DIGITS))
        _set(self, "end", None if self.end is None else round(self.end, TIME_DIGITS))
        _set(self, "confidence", round(self.confidence, CONFIDENCE_DIGITS))
        _set(self, "char_confidences", tuple(round(value, CONFIDENCE_DIGITS) for value in self.char_confidences))
        _set(self, "polygon", tuple((_pixels(x), _pixels(y)) for x, y in self.polygon))

    def to_json(self) -> bytes:
        """One line, without its end."""
        return _encoder.encode(self)

    @classmethod
    def from_json(cls, line: bytes | str) -> Self:
        """The event in a line. Raises one of UNREADABLE when it is none."""
        return msgspec.json.decode(line, type=cls)


class SourceEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A source came up, went down, or lost frames."""

    schema: Annotated[int, Meta(description="Version of this format.")] = SCHEMA
    id: Annotated[str, Meta(description="As of a text event.")]
    seq: Annotated[int, Meta(description="As of a text event; both are counted together.", ge=0)]
    kind: Annotated[SourceKind, Meta(description="`source.up`; `source.down`; `source.gap`: frames are missing.")]
    stream: Annotated[str, Meta(description="Name of the source.")]
    start: Annotated[float | None, Meta(description="Media seconds of the event, or of the start of the gap.")] = None
    end: Annotated[float | None, Meta(description="Media seconds of the end of the gap.")] = None
    frames: Annotated[int | None, Meta(description="How many frames are missing, where that is known.")] = None
    reason: Annotated[str | None, Meta(description="Why, in a sentence.")] = None
    emitted_utc: Annotated[Utc | None, Meta(description="When the event was published.")] = None
    start_utc: Annotated[Utc | None, Meta(description="UTC of `start`, where it is known.")] = None
    durable: Annotated[bool | None, Meta(description="As of a text event.")] = None

    def to_json(self) -> bytes:
        """One line, without its end."""
        return _encoder.encode(self)


Event = TextEvent | SourceEvent

DECODE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not what they should be; msgspec gives wrong UTF-8 a name of its own."""

_set = msgspec.structs.force_setattr
_encoder = msgspec.json.Encoder()


def _pixels(value: float) -> float:
    return round(float(value), PIXEL_DIGITS)


class EventHeader(msgspec.Struct, frozen=True):
    """What all events have, those of a kind that came after this version included."""

    stream: str
    seq: int
    kind: str

    @property
    def sort(self) -> type[Event]:
        """What the whole event is decoded as."""
        return SourceEvent if self.kind.startswith("source.") else TextEvent


def parse(line: bytes | str) -> Event:
    """The event of either sort in a line. Raises one of UNREADABLE when it is none."""
    return msgspec.json.decode(line, type=msgspec.json.decode(line, type=EventHeader).sort)


def event_id(stream: str, *facts: Any) -> str:
    """An id made of facts of the media alone: track, kind, view, start, text, …"""
    text = json.dumps([stream, *facts], ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def polygon(quad: Flat) -> Polygon:
    """The four corners of the eight numbers of a quad."""
    x0, y0, x1, y1, x2, y2, x3, y3 = quad
    return (x0, y0), (x1, y1), (x2, y2), (x3, y3)


def read_jsonl(path: Path) -> Iterator[Event]:
    """The events of a JSONL file, in order; a last line that was cut off by a kill is left out with a warning.

    Raises SourceError when the file cannot be read or a line is no event.
    """
    try:
        lines = path.open("rb")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
    with lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield parse(line)
            except DECODE_ERRORS as error:
                if line.endswith(b"\n"):
                    raise SourceError(f"Line {number} of {path} is no event: {error}.") from error
                import structlog  # not needed by a subscriber, and slow to import

                structlog.get_logger().warning("last line is cut off", path=str(path), line=number)
