"""What passes between the bus and those who subscribe; docs/events.md tells it to people.

Light to import: a subscriber needs this and pyzmq.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

VERSION = 1
BEAT_TOPIC = b"/heartbeat"  # no stream has an empty name
BEAT_S = 1.0
DEFAULT_PORT = 5560
MAX_REQUEST_BYTES = 16 * 1024
MAX_REPLY_BYTES = 64 * 2**20
MAX_STREAMS = 1000  # of a list; more come on further pages

_MOST = 2**53  # what every language takes for an integer

Format = Literal["json", "msgpack"]
Utc = Annotated[datetime, Meta(tz=True)]
Raw = msgspec.Raw


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """Sent every second, with the last ``seq`` of each stream: one who has less has missed something."""

    protocol: Annotated[int, Meta(description="Version of this protocol.")] = VERSION
    store: Annotated[str, Meta(description="Id of the store; with another one all numbers begin anew.")]
    sent_utc: Annotated[Utc, Meta(description="When it was sent.")]
    streams: Annotated[
        dict[str, int],
        Meta(description=f"The last `seq` of streams; the {MAX_STREAMS} in which something happened last, at most."),
    ]


class StreamsRequest(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="ask", tag="streams", forbid_unknown_fields=True
):
    """Which streams are there, and how far are they?"""

    id: Annotated[int, Meta(description="Chosen by who asks; the reply has the same.", ge=0, le=_MOST)] = 0
    before: Annotated[
        Utc | None, Meta(description="Tell the last `seq` before this time instead: what follows is since then.")
    ] = None
    after: Annotated[str, Meta(description="The page that follows this name.")] = ""


class SnapshotRequest(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="ask", tag="snapshot", forbid_unknown_fields=True
):
    """Which texts are in sight?"""

    id: Annotated[int, Meta(description="As above.", ge=0, le=_MOST)] = 0
    streams: Annotated[
        Annotated[tuple[str, ...], Meta(max_length=MAX_STREAMS)] | None,
        Meta(description="Of these streams; null: of all."),
    ] = None
    after: Annotated[str, Meta(description="The page that follows this name.")] = ""


class ReplayRequest(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="ask", tag="replay", forbid_unknown_fields=True
):
    """What happened in a stream after a ``seq``?"""

    id: Annotated[int, Meta(description="As above.", ge=0, le=_MOST)] = 0
    stream: Annotated[str, Meta(description="Name of the stream.")]
    after: Annotated[int, Meta(description="The last `seq` that is known; -1 for all that is kept.", ge=-1, le=_MOST)]
    limit: Annotated[int, Meta(description="So many events at most; 1000 is the most that a page holds.", ge=1)] = 1000


class CropRequest(msgspec.Struct, frozen=True, kw_only=True, tag_field="ask", tag="crop", forbid_unknown_fields=True):
    """What picture was the text of an event read from?"""

    id: Annotated[int, Meta(description="As above.", ge=0, le=_MOST)] = 0
    stream: Annotated[str, Meta(description="Stream of the event.")]
    seq: Annotated[int, Meta(description="Its number.", ge=0, le=_MOST)]


Request = StreamsRequest | SnapshotRequest | ReplayRequest | CropRequest


class StreamsReply(msgspec.Struct, frozen=True, kw_only=True, tag_field="reply", tag="streams"):
    """Streams by name. ``next``: ask again with it as ``after``; null: that is all."""

    id: Annotated[int, Meta(description="Of the request.")]
    store: Annotated[str, Meta(description="As in a heartbeat.")]
    streams: Annotated[dict[str, int], Meta(description="The last `seq` of each; -1 before the first event.")]
    next: Annotated[str | None, Meta(description="Where the next page begins.")] = None


class SnapshotReply(msgspec.Struct, frozen=True, kw_only=True, tag_field="reply", tag="snapshot"):
    """Texts in sight."""

    id: Annotated[int, Meta(description="Of the request.")]
    store: Annotated[str, Meta(description="As in a heartbeat.")]
    streams: Annotated[dict[str, int], Meta(description="The last `seq` of each when the picture was taken.")]
    events: Annotated[list[Raw], Meta(description="The latest event of each text in sight.")]
    next: Annotated[str | None, Meta(description="Where the next page begins.")] = None


class ReplayReply(msgspec.Struct, frozen=True, kw_only=True, tag_field="reply", tag="replay"):
    """Events of a stream in order."""

    id: Annotated[int, Meta(description="Of the request.")]
    store: Annotated[str, Meta(description="As in a heartbeat.")]
    stream: Annotated[str, Meta(description="Name of the stream.")]
    events: Annotated[list[Raw], Meta(description="All that are kept up to `through`.")]
    through: Annotated[int, Meta(description="What is missing up to this `seq` is no longer kept.")]
    last: Annotated[int, Meta(description="The last `seq`; ask again while `through` is less.")]


class CropReply(msgspec.Struct, frozen=True, kw_only=True, tag_field="reply", tag="crop"):
    """A picture."""

    id: Annotated[int, Meta(description="Of the request.")]
    store: Annotated[str, Meta(description="As in a heartbeat.")]
    webp: Annotated[str | None, Meta(description="WebP in base64; null where none is kept, as without `store.crops`.")]


class ErrorReply(msgspec.Struct, frozen=True, kw_only=True, tag_field="reply", tag="error"):
    """The request could not be answered."""

    id: Annotated[int, Meta(description="Of the request; 0 where that could not be read.")]
    reason: Annotated[str, Meta(description="Why, in a sentence.")]


Reply = StreamsReply | SnapshotReply | ReplayReply | CropReply | ErrorReply


def topic(stream: str, kind: str) -> bytes:
    """What an event is published under."""
    return f"{stream}/{kind}".encode()


def encode(message: Request | Reply | Heartbeat, form: Format = "json") -> bytes:
    """Bytes of a message, the events in it included as they are kept."""
    if form == "json":
        return msgspec.json.encode(message)
    return as_msgpack(msgspec.json.encode(message))


def as_msgpack(json: bytes) -> bytes:
    """The same fields in MessagePack; times stay text."""
    return msgspec.msgpack.encode(msgspec.json.decode(json))


def form_of(data: bytes) -> Format:
    """How a message is written: an object of JSON begins with a brace, which begins no map of MessagePack."""
    return "json" if data[:1] in (b"{", b" ", b"\n") else "msgpack"


def decode_request(data: bytes) -> Request:
    """Raises one of DECODE_ERRORS for what is no request."""
    return _requests[form_of(data)].decode(data)


def decode_reply(data: bytes) -> Reply:
    """Raises one of DECODE_ERRORS for what is no reply. Its events are left as they came."""
    return _replies[form_of(data)].decode(data)


def decode_heartbeat(data: bytes) -> Heartbeat:
    """Raises one of DECODE_ERRORS for what is no heartbeat."""
    return _beats[form_of(data)].decode(data)


def requests_endpoint(events: str) -> str:
    """Where requests go by default: one port above the events, or the same name with "-requests"."""
    base, colon, port = events.rpartition(":")
    if events.startswith("tcp://") and colon and port.isdigit():
        return f"{base}:{int(port) + 1}"
    return f"{events}-requests"


_requests: Mapping[str, Any] = {
    "json": msgspec.json.Decoder(Request),
    "msgpack": msgspec.msgpack.Decoder(Request, strict=True),
}
_replies: Mapping[str, Any] = {"json": msgspec.json.Decoder(Reply), "msgpack": msgspec.msgpack.Decoder(Reply)}
_beats: Mapping[str, Any] = {"json": msgspec.json.Decoder(Heartbeat), "msgpack": msgspec.msgpack.Decoder(Heartbeat)}
