"""Messages between stages.

Every message is a frozen struct with the complete state of its frame, so that the next message makes up for a lost
one. Pixels are never sent: a message refers to a slot of a ring in shared memory. Times are media times in seconds
(``pts × time_base``), coordinates are pixels of the upright source frame.
"""

from typing import Literal

import msgspec

from stream_ocr.events import SourceEvent, TextEvent, UtcSource
from stream_ocr.events.polygon import FlatQuad

FrameAction = Literal["skip", "track", "detect_coarse", "detect", "detect_fine"]


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """Identity and time of a frame."""

    stream: str
    epoch: int  # incremented by each reconnection and each restart of the decoder
    seq: int  # number of the decoded frame within the epoch, from 0 without gaps
    pts: int  # presentation time stamp in units of time_base
    time_base: tuple[int, int]  # seconds: numerator, denominator
    duration: int  # in units of time_base
    captured_ns: int  # Unix time at which the frame was decoded
    utc_ns: int | None = None  # Unix time at which the frame is first shown, according to utc_source
    utc_source: UtcSource | None = None
    origin_s: float = 0.0  # media time that players show as 0:00

    @property
    def time_s(self) -> float:
        """Return the media time at which the frame is first shown."""
        return self.pts * self.time_base[0] / self.time_base[1]

    @property
    def end_s(self) -> float:
        """Return the media time at which the next frame replaces this one."""
        return (self.pts + self.duration) * self.time_base[0] / self.time_base[1]


class SlotRef(msgspec.Struct, frozen=True, array_like=True):
    """A slot of a ring and the generation of its content."""

    slot: int
    generation: int


class FrameRef(msgspec.Struct, frozen=True, array_like=True, tag="frame"):
    """A decoded frame. ``action`` selects the work that is done on it.

    skip: nothing changed since the last processed frame; there is no slot. track: something moved, only the tracker
    runs. detect: the detector runs as well. detect_coarse: the detector runs at half resolution, and at full resolution
    only if it finds something new. detect_fine: the detector runs at double resolution on a part of the frame.
    """

    stamp: Stamp
    size: tuple[int, int]  # width, height
    action: FrameAction
    slot: SlotRef | None
    full_range: bool  # luma range: 0–255 (True) or 16–235 (False)
    damaged: bool  # marked corrupt by the decoder or predicted from a corrupt frame; cannot start a track
    cut: bool  # most of the picture changed at once
    rows: tuple[int, int] | None = None  # rows for the detector: first, last + 1; None: all rows


class Detection(msgspec.Struct, frozen=True, array_like=True):
    """A line of text found by the detector."""

    quad: FlatQuad
    score: float


class Detections(msgspec.Struct, frozen=True, array_like=True, tag="detections"):
    """A frame and its text regions; ``regions`` is None if the detector did not run."""

    frame: FrameRef
    regions: tuple[Detection, ...] | None


class CropRef(msgspec.Struct, frozen=True, array_like=True):
    """A rectified greyscale crop in the crop ring; sizes in pixels."""

    slot: SlotRef
    width: int
    height: int
    margin: float = 0.0  # around the box of the text, as a multiple of its height


class Rest(msgspec.Struct, frozen=True, array_like=True):
    """Where a text stood still, and the first and last frame in which it did."""

    quad: FlatQuad
    since_s: float
    until_s: float


class TrackState(msgspec.Struct, frozen=True, array_like=True):
    """Snapshot of a track.

    A *revision* is a period in which the pixels of the text stay the same: when a clock ticks, the track continues with
    the next revision.
    """

    id: int
    quad: FlatQuad
    revision: int
    start_s: float  # first frame of this revision
    start_quad: FlatQuad  # position in that frame
    end_s: float | None  # set only in the last message that lists the track
    crop: CropRef | None  # set only if a reading is wanted
    hidden_s: float | None = None  # first frame in which the text is not visible, while the track may still continue
    overlay: bool = False  # persistent graphic of the channel, not part of the scene
    rest: Rest | None = None  # the last time that it stood still


class Tracks(msgspec.Struct, frozen=True, array_like=True, tag="tracks"):
    """All tracks that are alive at a frame, and those that ended with it."""

    stamp: Stamp
    size: tuple[int, int]  # width, height
    tracks: tuple[TrackState, ...]


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """Best text so far of one revision of one track; empty if it has not been read yet."""

    track: int
    quad: FlatQuad
    revision: int
    start_s: float
    start_quad: FlatQuad
    end_s: float | None
    text: str
    confidence: float
    char_confidences: tuple[float, ...]  # confidence of each character of text
    crops_read: int  # number of crops behind the text
    hidden_s: float | None = None  # as in TrackState
    overlay: bool = False  # as in TrackState
    crop: bytes | None = None  # WebP image of the crop behind the text; sent once, and only if crops are stored
    rest: Rest | None = None  # as in TrackState


class Readings(msgspec.Struct, frozen=True, array_like=True, tag="readings"):
    """All tracks that are alive at a frame, with their best readings."""

    stamp: Stamp
    size: tuple[int, int]  # width, height
    readings: tuple[Reading, ...]


class SourceChanged(msgspec.Struct, frozen=True, array_like=True, tag="source"):
    """A live source came up, went down, or lost frames. Sent in band, between the frames before and after.

    At "down" every track ends. At "gap" tracks continue: frames between ``start_s`` and ``end_s`` were not processed.
    """

    stream: str
    kind: Literal["up", "down", "gap"]
    epoch: int  # of the frames before; of the frames after if the source came up
    start_s: float  # media time
    end_s: float | None = None  # end of a gap
    frames: int | None = None  # number of missing frames, if known
    reason: str | None = None  # a sentence without secrets
    utc_ns: int | None = None  # Unix time of ``start_s``


class Published(msgspec.Struct, frozen=True, array_like=True, tag="published"):
    """Progress of a stream and the events published since the previous message: texts first, then the source."""

    stream: str
    frames: int
    time_s: float
    events: tuple[TextEvent, ...]
    source_events: tuple[SourceEvent, ...] = ()
    captured_ns: int = 0  # Unix time at which the last of these frames was decoded
    positions: tuple[tuple[int, FlatQuad], ...] = ()  # (track, current quad) of all reported texts
    origin_s: float = 0.0  # as in Stamp


class StreamClosed(msgspec.Struct, frozen=True, array_like=True, tag="closed"):
    """Last message of a stream. Each stage adds its counters.

    It may arrive twice: in a run over cameras it is sent again if it seems to be lost.
    """

    stream: str
    reason: str  # "end", "interrupted", or a sentence with the error
    start_s: float  # media time of the first frame
    end_s: float  # media time at which the last frame ends
    counts: dict[str, int]
    incarnation: int = 0  # number of restarts of the source so far; its worker fills it in

    def with_counts(self, **counts: int) -> "StreamClosed":
        """Return the same message with further counters."""
        return msgspec.structs.replace(self, counts={**self.counts, **counts})


class Watermark(msgspec.Struct, frozen=True, array_like=True, tag="watermark"):
    """Range of ring writes, emitted periodically by the writer and forwarded by every worker.

    A watermark follows all references that were sent before it. When it reaches the last stage, slots of the writes
    ``first`` to ``last`` that have not been released were lost on the way and are reclaimed.
    """

    ring: str
    first: int
    last: int


Message = FrameRef | Detections | Tracks | Readings | SourceChanged | Published | StreamClosed

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message | Watermark)


def encode(message: Message | Watermark) -> bytes:
    """Return a message as MessagePack bytes."""
    return _encoder.encode(message)


def decode(data: bytes) -> Message | Watermark:
    """Parse MessagePack bytes. Raises msgspec.ValidationError if they are not a message."""
    return _decoder.decode(data)
