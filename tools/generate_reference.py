"""Generate the reference of events and of the bus protocol from their definitions.

``python tools/generate_reference.py docs`` writes events.md, events.schema.json, protocol.schema.json and
asyncapi.json.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from stream_ocr.bus import protocol
from stream_ocr.bus.thresholds import THRESHOLDS
from stream_ocr.events import CONFIDENCE_DIGITS, PIXEL_DIGITS, SCHEMA, TIME_DIGITS, SourceEvent, TextEvent
from stream_ocr.store.reader import PAGE_BYTES, PAGE_EVENTS

Struct = type[msgspec.Struct]
Json = dict[str, Any]

_EVENTS: Sequence[Struct] = (TextEvent, SourceEvent)
_REQUESTS: Mapping[str, tuple[Struct, Struct]] = {
    "streams": (protocol.StreamsRequest, protocol.StreamsReply),
    "snapshot": (protocol.SnapshotRequest, protocol.SnapshotReply),
    "replay": (protocol.ReplayRequest, protocol.ReplayReply),
    "crop": (protocol.CropRequest, protocol.CropReply),
}
_MESSAGES: Sequence[Struct] = (
    protocol.Heartbeat,
    *(struct for pair in _REQUESTS.values() for struct in pair),
    protocol.ErrorReply,
)
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_COMPONENTS = "#/components/schemas/"


def documents() -> dict[str, str]:
    """Return the content of each file by name."""
    return {
        "events.md": "\n".join(_markdown()) + "\n",
        "events.schema.json": _text(_schema("An event of stream-ocr", _EVENTS, _EVENTS)),
        "protocol.schema.json": _text(
            _schema("A message between the bus of stream-ocr and a client", _MESSAGES, (*_EVENTS, *_MESSAGES))
        ),
        "asyncapi.json": _text(_asyncapi()),
    }


def main() -> None:
    """Write the files into the folder given as argument."""
    for name, text in documents().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")


def _text(document: Json) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _schema(title: str, of: Sequence[Struct], with_: Sequence[Struct]) -> Json:
    """Return a JSON Schema for any of the structs ``of``, with definitions of the structs ``with_``."""
    definitions = _definitions(with_)
    document = {
        "$schema": _DRAFT,
        "title": title,
        "oneOf": [{"$ref": f"{_COMPONENTS}{struct.__name__}"} for struct in of],
        "$defs": definitions,
    }
    return json.loads(json.dumps(document).replace(_COMPONENTS, "#/$defs/"))


def _definitions(structs: Sequence[Struct]) -> Json:
    _, definitions = msgspec.json.schema_components(structs)
    for schema in definitions.values():
        events = schema["properties"].get("events")
        if events:
            events["items"] = {"oneOf": [{"$ref": f"{_COMPONENTS}{event.__name__}"} for event in _EVENTS]}
    return definitions


def _asyncapi() -> Json:
    """Return an AsyncAPI 3.0 document."""
    structs = (*_EVENTS, *_MESSAGES)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "stream-ocr",
            "version": f"{protocol.VERSION}.{SCHEMA}",
            "description": "Events of text in video. events.md describes what a client has to do.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "events": {
                "host": f"127.0.0.1:{protocol.DEFAULT_PORT}",
                "protocol": "zmtp",
                "description": "XPUB; connect a SUB socket.",
            },
            "requests": {
                "host": f"127.0.0.1:{protocol.DEFAULT_PORT + 1}",
                "protocol": "zmtp",
                "description": "ROUTER; connect a DEALER or REQ socket.",
            },
        },
        "channels": {
            "events": {
                "address": "{stream}/{kind}",
                "description": "The address is the first frame of the message.",
                "servers": [{"$ref": "#/servers/events"}],
                "parameters": {
                    "stream": {"description": "Name of the source; may contain slashes."},
                    "kind": {"description": "Kind of the event.", "enum": sorted(_kinds())},
                },
                "messages": _named(_EVENTS),
            },
            "heartbeat": {
                "address": protocol.HEARTBEAT_TOPIC.decode(),
                "description": "The address is the first frame of the message.",
                "servers": [{"$ref": "#/servers/events"}],
                "messages": _named([protocol.Heartbeat]),
            },
            "requests": {
                "address": None,
                "servers": [{"$ref": "#/servers/requests"}],
                "messages": _named([request for request, _ in _REQUESTS.values()]),
            },
            "replies": {
                "address": None,
                "description": "The connection of the request.",
                "servers": [{"$ref": "#/servers/requests"}],
                "messages": _named([*(reply for _, reply in _REQUESTS.values()), protocol.ErrorReply]),
            },
        },
        "operations": {
            "publish": {"action": "send", "channel": {"$ref": "#/channels/events"}},
            "heartbeat": {"action": "send", "channel": {"$ref": "#/channels/heartbeat"}},
            **{f"answer_{name}": _answer(request, reply) for name, (request, reply) in _REQUESTS.items()},
        },
        "components": {
            "messages": {
                struct.__name__: {
                    "summary": str(struct.__doc__).strip(),
                    "payload": {"$ref": f"{_COMPONENTS}{struct.__name__}"},
                }
                for struct in structs
            },
            "schemas": _draft_07(_definitions(structs)),
        },
    }


def _answer(request: Struct, reply: Struct) -> Json:
    return {
        "action": "receive",
        "channel": {"$ref": "#/channels/requests"},
        "messages": [{"$ref": f"#/channels/requests/messages/{request.__name__}"}],
        "reply": {
            "channel": {"$ref": "#/channels/replies"},
            "messages": [
                {"$ref": f"#/channels/replies/messages/{struct.__name__}"} for struct in (reply, protocol.ErrorReply)
            ],
        },
    }


def _named(structs: Sequence[Struct]) -> Json:
    return {struct.__name__: {"$ref": f"#/components/messages/{struct.__name__}"} for struct in structs}


def _kinds() -> Iterator[str]:
    for schema in _definitions(_EVENTS).values():
        yield from schema["properties"]["kind"]["enum"]


def _draft_07(schema: Any) -> Any:
    """Convert to draft 07, which AsyncAPI uses: tuples are ``items`` instead of ``prefixItems``."""
    match schema:
        case {"prefixItems": items, **rest}:
            rest.pop("items", None)
            return {**_draft_07(rest), "items": _draft_07(items), "additionalItems": False}
        case dict():
            return {name: _draft_07(value) for name, value in schema.items()}
        case list():
            return [_draft_07(value) for value in schema]
    return schema


def _markdown() -> Iterator[str]:
    yield "<!-- Generated by `make docs`; a test checks that it is up to date. -->"
    yield "# Events"
    yield ""
    yield "Events are JSON objects in UTF-8: one per line in files, one per message on sockets. Every field is present."
    yield "New fields are added at the end with a default; any other change increments `schema`."
    yield f"Times are rounded to {TIME_DIGITS} decimals, pixels to {PIXEL_DIGITS}, confidences to {CONFIDENCE_DIGITS}."
    yield "As JSON Schema: [events.schema.json](events.schema.json)."
    yield "To validate a file of events (`pip install jsonschema`):"
    yield from _VALIDATION.splitlines()
    for event in _EVENTS:
        yield from ["", f"## {event.__name__}", "", str(event.__doc__), ""]
        yield from _table(event)
    yield ""
    yield from _PROTOCOL.strip().splitlines()
    for message in _MESSAGES:
        yield from ["", f"### {message.__name__}", "", str(message.__doc__).replace("``", "`"), ""]
        yield from _table(message)
    yield ""
    yield from _CLIENT.strip().splitlines()


def _table(struct: Struct) -> Iterator[str]:
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for name, schema in _definitions([struct])[struct.__name__]["properties"].items():
        meaning = schema.get("description") or "Always " + " or ".join(f'`"{value}"`' for value in schema["enum"]) + "."
        yield f"| `{name}` | {_type(schema)} | {meaning} |"


def _type(schema: Json) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return "string" if None not in schema["enum"] else "string or null"
    if "prefixItems" in schema or "items" in schema:
        return "array"
    return {"date-time": "UTC"}.get(schema.get("format", ""), str(schema["type"]))


_VALIDATION = """
```python
import json
import jsonschema

schema = json.load(open("docs/events.schema.json"))
for line in open("events.jsonl"):
    jsonschema.validate(json.loads(line), schema)
```"""

_PROTOCOL = f"""
# Socket protocol

The publisher binds two ZeroMQ sockets (ZMTP 3.1). `socket.events` (XPUB; connect a SUB) sends events as they are
committed. `socket.requests` (ROUTER; connect a DEALER or a REQ; by default one port above) answers requests for earlier
events. Schemas: [protocol.schema.json](protocol.schema.json), [asyncapi.json](asyncapi.json).

**Events** are messages of two frames: the topic `<stream>/<kind>` in UTF-8, and the event. The name of a stream may
contain slashes, a kind contains none. Subscribe to `gate/` for one stream, to the empty topic for all. A message on any
topic but `{protocol.HEARTBEAT_TOPIC.decode()}` is an event. Ignore unknown fields and kinds, but count their `seq`.

**Heartbeats** are sent every {protocol.HEARTBEAT_S:g} s under the topic `{protocol.HEARTBEAT_TOPIC.decode()}`.
Subscribe to it separately unless you subscribe to all topics.

**Requests** are one frame each. A REQ socket adds an empty frame before it; the reply repeats it. A reply has the `id`
of its request, and replies may arrive in any order. A reply may be missing: repeat the request after 2 s.

All messages are JSON, or MessagePack with the same fields and times as text. `socket.format` selects the encoding of
events and heartbeats; a reply uses the encoding of its request. A message that starts with a brace is JSON: no
MessagePack map does.

| limit | beyond it |
|---|---|
| {protocol.MAX_REQUEST_BYTES} bytes of a request | the connection is closed |
| {THRESHOLDS.max_topic_bytes} bytes of a topic | the connection is closed |
| {THRESHOLDS.messages_per_s} messages per second of a connection, {THRESHOLDS.message_burst} at once | it is closed |
| {THRESHOLDS.max_subscriptions} simultaneous subscriptions of one connection | it is closed |
| {THRESHOLDS.max_subscribed_bytes // 1024} KiB of subscribed topics of one connection | it is closed |
| {THRESHOLDS.max_subscribed_bytes_in_all // 1024} KiB of topics of all connections | that with the most is closed |
| `socket.max_peers` connections that have sent a message | a further connection is closed |
| {THRESHOLDS.max_newcomers} connections that have not sent any | the oldest of them is closed |
| {THRESHOLDS.handshake_ms // 1000} s for a handshake | the connection is closed |
| {THRESHOLDS.max_reply_bytes_in_all // 2**20} MiB of replies of all connections | the slowest connection is closed |
| `socket.backlog` events queued for one subscriber | later events are dropped; it has to replay them |
| {PAGE_EVENTS} events or {PAGE_BYTES // 1024} KiB of a replay | request the next page |
| {protocol.MAX_STREAMS} streams of a list | request the next page |
| {protocol.MAX_REPLY_BYTES // 2**20} MiB of a reply | replies are never larger |

With `socket.keys` both sockets are CURVE servers (ZeroMQ RFC 25 and 26). A client needs the public key of the server,
and a key pair whose public key is in `keys/clients`. Other clients receive nothing, not even an error. Key files are
ZeroMQ certificates: `public-key = "…"` and `secret-key = "…"` in Z85.

## Messages
"""

_CLIENT = """
## How a client receives every event

Each stream numbers its events in `seq` from 0, text and source events together. For each stream, a client keeps `last`:
the `seq` of the last event that it has processed. It also keeps `store`, because numbers of another store have no
meaning here.

1. Connect both sockets and subscribe. Buffer incoming events.
2. Request the current state, page by page until `next` is null.
   To start *now* or at a *time*: request `streams` (with `before`) and use its numbers as `last`.
   To start with the visible texts: request `snapshot`, process its events, and use its numbers as `last`.
   To start with all stored events: set `last` to -1. To resume: use the saved `last`.
3. Process the buffered events, then new ones. Drop an event with `seq` ≤ `last`: it is a duplicate. An event with
   `last` + 1 is the next one. Hold a later event and request the missing ones: `replay` with `after` = `last`.
4. A heartbeat with a higher `seq` than received means a gap, too: request `replay`. A new stream starts at `last` = -1.
5. Process the events of a reply to `replay` in order. Events that are missing up to `through` are no longer stored:
   continue with `last` = `through`. While `through` < `last` of the reply, request more. Buffered events beyond `last`
   of the reply were published with `durable: false` and are not in the store: process them as they are.
6. An event with `durable: false` is provisional: it may be stored later, under the same `seq` and `id`, or, after a
   crash of the publisher, its `seq` may be given to another event. Process it, but note its `id`, and keep `stored`:
   the `seq` up to which everything that you processed was durable or came in a reply to `replay`. When a durable event
   with `seq` > `stored` arrives while `stored` < `last`, set `last` = `stored` and request `replay`. Drop an event of
   the reply with an `id` that you noted. To resume, save `stored` and the noted `id`s.
7. If `store` differs from the saved one, start all streams again at `last` = -1.
8. If three consecutive heartbeats have a lower `seq` than `last`, the publisher has lost events that it had not synced
   (only after a power failure, and not with `durability: full`): continue from the number of the heartbeat.

Save `last` after processing an event. After a crash of the client every event is processed at least once, or exactly
once if processing and saving `last` are one transaction. After a crash of the publisher its numbers continue without a
gap; events that were committed but not published are included.

[examples/subscribe.mjs](examples/subscribe.mjs) implements this in one page of JavaScript.
"""

if __name__ == "__main__":
    main()
