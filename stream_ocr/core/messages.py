"""The nouns on the wire between stages.

Every message is a frozen struct that tells the whole truth about its frame, so that a lost one heals with the
next. Pixels never travel: a message refers to a slot of a ring in shared memory. Times are media seconds
(``pts × time_base``), coordinates are pixels of the upright source frame.
"""

from typing import Literal

import msgspec

from stream_ocr.events import SourceEvent, TextEvent, UtcSource
from stream_ocr.events.polygon import Flat

FrameAction = Literal["skip", "track", "detect_coarse", "detect", "detect_fine"]


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """Which frame of which stream, and when."""

    stream: str
    epoch: int  # one more after each reconnect or restart of the decoder
    seq: int  # decoded frames of this epoch, counted from 0 without gaps
    pts: int
    time_base: tuple[int, int]  # numerator, denominator
    duration: int  # of this frame, in units of time_base
    captured_ns: int  # Unix time at which the frame was decoded
    utc_ns: int | None = None  # Unix time at which it is first shown, by ``clock``; None where nobody knows
    clock: UtcSource | None = None

    @property
    def time_s(self) -> float:
        """Media time at which the frame is first shown."""
        return self.pts * self.time_base[0] / self.time_base[1]

    @property
    def end_s(self) -> float:
        """Media time at which the frame is taken away."""
        return (self.pts + self.duration) * self.time_base[0] / self.time_base[1]


class SlotRef(msgspec.Struct, frozen=True, array_like=True):
    """A slot of a ring, and the generation of what was written there."""

    slot: int
    generation: int


class FrameRef(msgspec.Struct, frozen=True, array_like=True, tag="frame"):
    """One decoded frame. ``look`` says how much of the work it is worth:

    skip: nothing changed since the last frame that was handed on; it has no slot.
    carry: something moved; the tracker looks at it. detect: the detector, too. glance: the detector at half the size,
    and properly only if that shows something which was not there before.
    """

    stamp: Stamp
    size: tuple[int, int]  # width, height
    action: FrameAction
    slot: SlotRef | None
    full_range: bool  # luma 0–255 (True) or 16–235
    damaged: bool  # marked corrupt by the decoder, or inheriting from such a frame: makes no new text
    cut: bool  # most of the picture changed at once
    rows: tuple[int, int] | None = None  # for the detector, from the first to the one after the last; None: all


class Detection(msgspec.Struct, frozen=True, array_like=True):
    """A line of text found by the detector."""

    quad: Flat
    score: float


class Detections(msgspec.Struct, frozen=True, array_like=True, tag="detections"):
    """A frame and the text regions in it; ``regions`` is None when the detector did not look: as before."""

    frame: FrameRef
    regions: tuple[Detection, ...] | None


class CropRef(msgspec.Struct, frozen=True, array_like=True):
    """A rectified grey crop in the crop ring."""

    slot: SlotRef
    width: int
    height: int


class TrackState(msgspec.Struct, frozen=True, array_like=True):
    """A text followed through the frames.

    A *view* is one appearance of the text in its place: when the pixels change (a clock ticks) the track stays
    and the view is one more. ``start_s`` is the first frame of this view. ``end_s`` is set once, on the last
    mention of a track.
    """

    id: int
    quad: Flat
    revision: int
    start_s: float
    start_quad: Flat  # where it stood in that frame
    end_s: float | None
    crop: CropRef | None  # only where a reading is wanted
    hidden_s: float | None = None  # first frame in which it was out of sight, while it may still come back
    overlay: bool = False  # it belongs to the channel, not to the scene


class Tracks(msgspec.Struct, frozen=True, array_like=True, tag="tracks"):
    """All tracks that live at a frame, and those that ended with it."""

    stamp: Stamp
    size: tuple[int, int]
    tracks: tuple[TrackState, ...]


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """The best text so far of one view of one track; empty while it has not been read."""

    track: int
    quad: Flat
    revision: int
    start_s: float
    start_quad: Flat
    end_s: float | None
    text: str
    confidence: float
    char_confidences: tuple[float, ...]  # confidence of each character of text
    crops_read: int  # crops that were read for it
    hidden_s: float | None = None  # this and the next as of the track
    overlay: bool = False
    crop: bytes | None = None  # WebP of the look behind the text, told once, and only where crops are kept


class Readings(msgspec.Struct, frozen=True, array_like=True, tag="readings"):
    """All tracks that live at a frame with their best readings."""

    stamp: Stamp
    size: tuple[int, int]
    readings: tuple[Reading, ...]


class SourceChanged(msgspec.Struct, frozen=True, array_like=True, tag="source"):
    """A live source came up, went down, or lost pictures; it flows in band, between the frames before and after.

    At "down" every text ends. At "gap" texts live on: pictures between ``start_s`` and ``end_s`` were not looked at.
    """

    stream: str
    kind: Literal["up", "down", "gap"]
    epoch: int  # of the frames before it, or after it where the source came up
    start_s: float  # media time
    end_s: float | None = None  # of a gap
    frames: int | None = None  # that are missing, where that is known
    reason: str | None = None  # a sentence; holds no secrets
    utc_ns: int | None = None  # Unix time of ``start_s``


class Published(msgspec.Struct, frozen=True, array_like=True, tag="published"):
    """How far a stream has been read, and what was published since the last such message: texts, then the source."""

    stream: str
    frames: int
    time_s: float
    events: tuple[TextEvent, ...]
    sources: tuple[SourceEvent, ...] = ()
    captured_ns: int = 0  # Unix time at which the last frame of these was decoded
    places: tuple[tuple[int, Flat], ...] = ()  # where the texts that were told of are now, by track


class StreamClosed(msgspec.Struct, frozen=True, array_like=True, tag="closed"):
    """The last message of a stream. Each stage adds what it counted."""

    stream: str
    reason: str  # "end", "interrupted", or a sentence that says what went wrong
    start_s: float  # media time of the first frame
    end_s: float  # media time at which the last frame was taken away
    counts: dict[str, int]

    def adding(self, **counts: int) -> "StreamClosed":
        """The same message with further counts."""
        return msgspec.structs.replace(self, counts={**self.counts, **counts})


class Watermark(msgspec.Struct, frozen=True, array_like=True, tag="mark"):
    """How far a ring has been filled, said now and then by whoever fills it and passed on by every worker.

    It comes after all references that were sent before it: what was filled as ``first`` to ``last`` and has not been
    given back when it reaches the end of its way was lost on the way.
    """

    ring: str
    first: int
    last: int


Message = FrameRef | Detections | Tracks | Readings | SourceChanged | Published | StreamClosed

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message | Watermark)


def encode(message: Message | Watermark) -> bytes:
    """MessagePack bytes of a message."""
    return _encoder.encode(message)


def decode(data: bytes) -> Message | Watermark:
    """The message in ``data``. Raises msgspec.ValidationError when it is none."""
    return _decoder.decode(data)
