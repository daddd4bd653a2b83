"""Messages between the bus and its clients; docs/events.md describes them for users.

Light to import: a client needs this and pyzmq.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

# Part of the protocol (docs/subscribe.md); chosen by hand.
VERSION = 1
HEARTBEAT_TOPIC = b"/heartbeat"  # no stream has an empty name
HEARTBEAT_S = 1.0
DEFAULT_PORT = 5560
MAX_REQUEST_BYTES = 16 * 1024
MAX_REPLY_BYTES = 64 * 2**20
MAX_STREAMS = 1000  # per page

_MAX_INTEGER = 2**53  # exact in every language, also where all numbers are floats

Format = Literal["json", "msgpack"]
Utc = Annotated[datetime, Meta(tz=True)]
Raw = msgspec.Raw


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """Sent every second with the last ``seq`` of each stream; a client that has less has missed events."""

    protocol: Annotated[int, Meta(description="Version of this protocol.")] = VERSION
    store: Annotated[str, Meta(description="Id of the store; in another store all numbers start again.")]
    sent_utc: Annotated[Utc, Meta(description="Time of sending.")]
    streams: Annotated[
        dict[str, int],
        Meta(description=f"The last `seq` of at most {MAX_STREAMS} streams, those with the latest events."),
    ]


class StreamsRequest(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="ask", tag="streams", forbid_unknown_fields=True
):
    """Request the last ``seq`` of each stream."""

    id: Annotated[int, Meta(description="Chosen by the client; the reply has the same.", ge=0, le=_MAX_INTEGER)] = 0
    before: Annotated[
        Utc | None,
        Meta(description="Return the last `seq` before this time instead; what follows was emitted since then."),
    ] = None
    after: Annotated[str, Meta(description="Return the page after this stream name.")] = ""


class SnapshotRequest(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="ask", tag="snapshot", forbid_unknown_fields=True
):
    """Request the texts that are on screen."""

    id: Annotated[int, Meta(description="As above.", ge=0, le=_MAX_INTEGER)] = 0
    streams: Annotated[
        Annotated[tuple[str, ...], Meta(max_length=MAX_STREAMS)] | None,
        Meta(description="Only these streams; null: all."),
    ] = None
    after: Annotated[str, Meta(description="Return the page after this stream name.")] = ""


class ReplayRequest(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="ask", tag="replay", forbid_unknown_fields=True
):
    """Request the events of a stream after a ``seq``."""

    id: Annotated[int, Meta(description="As above.", ge=0, le=_MAX_INTEGER)] = 0
    stream: Annotated[str, Meta(description="Name of the stream.")]
    after: Annotated[
        int, Meta(description="The last `seq` that the client has; -1 for all that are stored.", ge=-1, le=_MAX_INTEGER)
    ]
    limit: Annotated[int, Meta(description="Maximum number of events; a page has at most 1000.", ge=1)] = 1000


class CropRequest(msgspec.Struct, frozen=True, kw_only=True, tag_field="ask", tag="crop", forbid_unknown_fields=True):
    """Request the crop from which the text of an event was read."""

    id: Annotated[int, Meta(description="As above.", ge=0, le=_MAX_INTEGER)] = 0
    stream: Annotated[str, Meta(description="Stream of the event.")]
    seq: Annotated[int, Meta(description="`seq` of the event.", ge=0, le=_MAX_INTEGER)]


Request = StreamsRequest | SnapshotRequest | ReplayRequest | CropRequest


class StreamsReply(msgspec.Struct, frozen=True, kw_only=True, tag_field="reply", tag="streams"):
    """Streams by name. ``next``: send it as ``after`` to get the next page; null: this is the last one."""

    id: Annotated[int, Meta(description="`id` of the request.")]
    store: Annotated[str, Meta(description="As in a heartbeat.")]
    streams: Annotated[dict[str, int], Meta(description="The last `seq` of each; -1 before the first event.")]
    next: Annotated[str | None, Meta(description="Start of the next page.")] = None


class SnapshotReply(msgspec.Struct, frozen=True, kw_only=True, tag_field="reply", tag="snapshot"):
    """Texts on screen."""

    id: Annotated[int, Meta(description="`id` of the request.")]
    store: Annotated[str, Meta(description="As in a heartbeat.")]
    streams: Annotated[dict[str, int], Meta(description="The last `seq` of each stream at the time of the snapshot.")]
    events: Annotated[list[Raw], Meta(description="The latest event of each text on screen.")]
    next: Annotated[str | None, Meta(description="Start of the next page.")] = None


class ReplayReply(msgspec.Struct, frozen=True, kw_only=True, tag_field="reply", tag="replay"):
    """Events of a stream, in order."""

    id: Annotated[int, Meta(description="`id` of the request.")]
    store: Annotated[str, Meta(description="As in a heartbeat.")]
    stream: Annotated[str, Meta(description="Name of the stream.")]
    events: Annotated[list[Raw], Meta(description="All stored events up to `through`.")]
    through: Annotated[int, Meta(description="Events up to this `seq` that are missing here are no longer stored.")]
    last: Annotated[int, Meta(description="The last `seq`; request more while `through` is less.")]


class CropReply(msgspec.Struct, frozen=True, kw_only=True, tag_field="reply", tag="crop"):
    """The crop of an event."""

    id: Annotated[int, Meta(description="`id` of the request.")]
    store: Annotated[str, Meta(description="As in a heartbeat.")]
    webp: Annotated[str | None, Meta(description="WebP in base64; null if none is stored, as without `store.crops`.")]


class ErrorReply(msgspec.Struct, frozen=True, kw_only=True, tag_field="reply", tag="error"):
    """The request could not be answered."""

    id: Annotated[int, Meta(description="`id` of the request; 0 if it could not be read.")]
    reason: Annotated[str, Meta(description="The reason, as a sentence.")]


Reply = StreamsReply | SnapshotReply | ReplayReply | CropReply | ErrorReply


def topic(stream: str, kind: str) -> bytes:
    """Return the topic of an event."""
    return f"{stream}/{kind}".encode()


def encode(message: Request | Reply | Heartbeat, message_format: Format = "json") -> bytes:
    """Return the bytes of a message. Events in it are included as they are stored."""
    if message_format == "json":
        return msgspec.json.encode(message)
    return json_to_msgpack(msgspec.json.encode(message))


def json_to_msgpack(json: bytes) -> bytes:
    """Return the same fields in MessagePack. Times remain text."""
    return msgspec.msgpack.encode(msgspec.json.decode(json))


def detect_format(data: bytes) -> Format:
    """Return the format of a message. JSON objects start with a brace, MessagePack maps never do."""
    return "json" if data[:1] in (b"{", b" ", b"\n") else "msgpack"


def decode_request(data: bytes) -> Request:
    """Return the request in ``data``. Raise one of ``events.DECODE_ERRORS``."""
    return _request_decoders[detect_format(data)].decode(data)


def decode_reply(data: bytes) -> Reply:
    """Return the reply in ``data``, its events undecoded. Raise one of ``events.DECODE_ERRORS``."""
    return _reply_decoders[detect_format(data)].decode(data)


def decode_heartbeat(data: bytes) -> Heartbeat:
    """Return the heartbeat in ``data``. Raise one of ``events.DECODE_ERRORS``."""
    return _heartbeat_decoders[detect_format(data)].decode(data)


def requests_endpoint(events: str) -> str:
    """Return the default endpoint of requests: one port above the events, or the same name with "-requests"."""
    base, colon, port = events.rpartition(":")
    if events.startswith("tcp://") and colon and port.isdigit():
        return f"{base}:{int(port) + 1}"
    return f"{events}-requests"


_request_decoders: Mapping[str, Any] = {
    "json": msgspec.json.Decoder(Request),
    "msgpack": msgspec.msgpack.Decoder(Request, strict=True),
}
_reply_decoders: Mapping[str, Any] = {
    "json": msgspec.json.Decoder(Reply),
    "msgpack": msgspec.msgpack.Decoder(Reply),
}
_heartbeat_decoders: Mapping[str, Any] = {
    "json": msgspec.json.Decoder(Heartbeat),
    "msgpack": msgspec.msgpack.Decoder(Heartbeat),
}
