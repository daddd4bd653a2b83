"""The reference of events and of the protocol that they are published by, from the definitions.

``python tools/generate_reference.py docs`` writes events.md, events.schema.json,
protocol.schema.json and asyncapi.json.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from stream_ocr.bus import protocol
from stream_ocr.bus.connections import MAX_REQUESTS_PER_S, MAX_SUBSCRIBED_BYTES, MAX_SUBSCRIPTIONS, MAX_TOPIC_BYTES
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
    """All files by name."""
    return {
        "events.md": "\n".join(_markdown()) + "\n",
        "events.schema.json": _text(_schema("An event of stream-ocr", _EVENTS, _EVENTS)),
        "protocol.schema.json": _text(
            _schema("A message between the bus of stream-ocr and a client", _MESSAGES, (*_EVENTS, *_MESSAGES))
        ),
        "asyncapi.json": _text(_asyncapi()),
    }


def main() -> None:
    """Write the files into the folder that is named."""
    for name, text in documents().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")


def _text(document: Json) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _schema(title: str, of: Sequence[Struct], with_: Sequence[Struct]) -> Json:
    """JSON Schema for one of the structs."""
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
    """AsyncAPI 3.0, as JSON."""
    structs = (*_EVENTS, *_MESSAGES)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "stream-ocr",
            "version": f"{protocol.VERSION}.{SCHEMA}",
            "description": "Events of texts in videos, as they are published. events.md says what a client does.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "events": {
                "host": f"127.0.0.1:{protocol.DEFAULT_PORT}",
                "protocol": "zmtp",
                "description": "XPUB, to be connected to with SUB.",
            },
            "requests": {
                "host": f"127.0.0.1:{protocol.DEFAULT_PORT + 1}",
                "protocol": "zmtp",
                "description": "ROUTER, to be connected to with DEALER or REQ.",
            },
        },
        "channels": {
            "events": {
                "address": "{stream}/{kind}",
                "description": "The address is the first frame of the message.",
                "servers": [{"$ref": "#/servers/events"}],
                "parameters": {
                    "stream": {"description": "Name of the source; it may contain slashes."},
                    "kind": {"description": "As in the event.", "enum": sorted(_kinds())},
                },
                "messages": _named(_EVENTS),
            },
            "heartbeat": {
                "address": protocol.BEAT_TOPIC.decode(),
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
                "description": "The connection that the request came through.",
                "servers": [{"$ref": "#/servers/requests"}],
                "messages": _named([*(reply for _, reply in _REQUESTS.values()), protocol.ErrorReply]),
            },
        },
        "operations": {
            "publish": {"action": "send", "channel": {"$ref": "#/channels/events"}},
            "beat": {"action": "send", "channel": {"$ref": "#/channels/heartbeat"}},
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
    """AsyncAPI knows the JSON Schema of before tuples were called prefixItems."""
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
    yield "<!-- Written by `make docs`; a test holds it to the code. -->"
    yield "# Events"
    yield ""
    yield "One JSON object per line in files and one per message on sockets, UTF-8, every field always there."
    yield "New fields come last and have a default; anything else that changes raises `schema`."
    yield f"Times are rounded to {TIME_DIGITS} decimals, pixels to {PIXEL_DIGITS}, confidences to {CONFIDENCE_DIGITS}."
    yield "As JSON Schema: [events.schema.json](events.schema.json)."
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


_PROTOCOL = f"""
# The protocol of the socket

Two ZeroMQ sockets (ZMTP 3.1), both bound by the publisher: `socket.events` (XPUB; connect a SUB) sends events as they
are committed, `socket.requests` (ROUTER; connect a DEALER or a REQ; by default one port above) answers questions about
what came before. As schemas: [protocol.schema.json](protocol.schema.json), [asyncapi.json](asyncapi.json).

**Events** are messages of two frames: the topic, `<stream>/<kind>` in UTF-8, and the event. A stream's name may have
slashes in it, a kind has none. Subscribe to `gate/` for one stream, to the empty topic for all. A message on any topic
but `{protocol.BEAT_TOPIC.decode()}` is an event. Ignore fields and kinds that you do not know, but count their `seq`.

**Heartbeats** come every {protocol.BEAT_S:g} s under the topic `{protocol.BEAT_TOPIC.decode()}`. It needs a
subscription of its own where you do not subscribe to all.

**Questions** are one frame each; REQ's empty frame before it comes back with the reply. A reply has the `id` of its
question, and replies may come in any order. There may be none: ask again after 2 s.

All messages are JSON, or MessagePack with the same fields, times as text: events and heartbeats as `socket.format`
says, a reply as its question. A message that begins with a brace is JSON, which no map of MessagePack does.

| limit | what happens beyond it |
|---|---|
| {protocol.MAX_REQUEST_BYTES} bytes of a question | the connection is closed |
| {MAX_TOPIC_BYTES} bytes of a topic | the connection is closed |
| {MAX_REQUESTS_PER_S} questions a second of one connection | it is closed |
| {MAX_SUBSCRIPTIONS} subscriptions of one connection at a time | it is closed |
| {MAX_SUBSCRIBED_BYTES // 1024} KiB of their topics | it is closed |
| `socket.max_peers` connections | a further one is closed |
| `socket.backlog` events that wait for one subscriber | later ones are dropped for it; it sees the gap and asks |
| {PAGE_EVENTS} events or {PAGE_BYTES // 1024} KiB of a replay | the next page is asked for |
| {protocol.MAX_STREAMS} streams of a list | the next page is asked for |
| {protocol.MAX_REPLY_BYTES // 2**20} MiB of a reply | none is larger |

With `socket.keys` both sockets are CURVE servers (ZeroMQ RFC 25 and 26): a client needs the server's public key and a
pair of its own whose public key lies in `keys/clients`. Others get nothing, not even an error. The key files are
certificates as ZeroMQ writes them: `public-key = "…"` and `secret-key = "…"` in Z85.

## Messages
"""

_CLIENT = """
## How a client misses nothing

Each stream counts its events from 0 in `seq`, text events and source events together. Keep, for each stream, `last`:
the `seq` of the last event that you have dealt with. Keep `store`, too, as numbers of another store say nothing.

1. Connect both sockets and subscribe. Hold what comes.
2. Ask where things stand, and page by page until `next` is null:
   to begin *now* or at a *time*, ask `streams` (with `before`) and take its numbers as `last`;
   to begin with what is in sight, ask `snapshot`, deal with its events, and take its numbers as `last`;
   to begin with all that is kept, let `last` be -1; to go on, let it be what you kept.
3. Take what was held, then what comes. An event with `seq` ≤ `last` is one that you had: drop it. One with `last` + 1
   is the next. One beyond that waits while you ask for what is missing: `replay` with `after` = `last`.
4. A heartbeat that tells more than you have heard of means a gap, too: `replay`. A stream that you did not know begins
   at `last` = -1.
5. Of a reply to `replay`, take the events in order. What is missing up to `through` is no longer kept by anyone: go on,
   with `last` = `through`. While `through` < `last` of the reply, ask again. Events that you hold beyond `last` of the
   reply were published with `durable: false` and are not in the store: take them as they are.
6. When `store` is another one than yours, begin all streams anew at `last` = -1.
7. When three heartbeats in a row tell less than your `last`, the publisher has lost what it had not synced (only after
   the machine failed, and not with `durability: full`): go on from the number that they tell.

Write `last` down when an event has been dealt with: after a kill you have each event at least once, and exactly once
where dealing with it and writing `last` are one transaction. After the publisher was killed and started again its
numbers go on without a gap, whatever was committed and not yet published included.

[examples/subscribe.mjs](examples/subscribe.mjs) does this in a page of JavaScript.
"""


if __name__ == "__main__":
    main()
