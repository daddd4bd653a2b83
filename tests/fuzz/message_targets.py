"""Hostile events, messages and cursors, and the checks of what reads them."""

import contextlib
from functools import cache

import msgspec
from fuzz.file_targets import store_file
from fuzz.mutation import folder, mutated
from hypothesis import strategies as st

from stream_ocr.bus import protocol
from stream_ocr.bus.replies import ReplyHandler
from stream_ocr.client.cursor import Cursor
from stream_ocr.client.sequencer import Sequencer
from stream_ocr.errors import SourceError, SubscribeError
from stream_ocr.events import DECODE_ERRORS, SourceEvent, parse, read_jsonl
from stream_ocr.printable import is_printable
from stream_ocr.sinks.console import format_event
from stream_ocr.testing import published_event

EVENTS = st.sampled_from(
    [
        published_event(7, "GATE 4").to_json(),
        published_event(8, "a" * 300, kind="ended", end=9.5).to_json(),
        SourceEvent(id="x", seq=3, kind="source.gap", stream="gate", start=3.0, frames=25, reason="lost").to_json(),
    ]
)


_MESSAGES = [
    protocol.StreamsRequest(id=1, after="a"),
    protocol.SnapshotRequest(id=2, streams=("gate",)),
    protocol.ReplayRequest(id=3, stream="gate", after=4, limit=10),
    protocol.CropRequest(id=4, stream="gate", seq=5),
    protocol.StreamsReply(id=1, store="s", streams={"gate": 9}),
    protocol.ReplayReply(
        id=1, store="s", stream="gate", events=[msgspec.Raw(published_event(3).to_json())], through=3, last=9
    ),
    protocol.SnapshotReply(id=1, store="s", streams={"gate": 9}, events=[msgspec.Raw(published_event(3).to_json())]),
    protocol.ErrorReply(id=1, reason="x"),
]


FRAMES = mutated(
    st.sampled_from([protocol.encode(message, format_) for message in _MESSAGES for format_ in ("json", "msgpack")])
) | st.binary(max_size=100)


def check_event(line: bytes) -> None:
    """A line is an event that survives its own encoding, or raises one of DECODE_ERRORS."""
    try:
        event = parse(line)
    except DECODE_ERRORS:
        return
    assert parse(event.to_json()) == event
    assert all(map(is_printable, format_event(event)))


def check_jsonl(content: bytes) -> None:
    """A file of events is read, or refused with a SourceError."""
    file = folder() / "events.jsonl"
    file.write_bytes(content)
    with contextlib.suppress(SourceError):
        list(read_jsonl(file))


def check_request(body: bytes) -> None:
    """The bus answers any bytes with a reply that can be encoded."""
    reply = _handler().reply(body)
    for format_ in ("json", "msgpack"):
        assert protocol.decode_reply(protocol.encode(reply, format_)) is not None


def check_client(frames: list[bytes]) -> None:
    """A client takes any messages in any order, or raises one of DECODE_ERRORS."""
    sequencer = Sequencer("snapshot")
    for frame in frames:
        list(sequencer.requests())
        with contextlib.suppress(*DECODE_ERRORS):
            sequencer.handle_event(frame)
        with contextlib.suppress(*DECODE_ERRORS):
            sequencer.handle_reply(protocol.decode_reply(frame))
        with contextlib.suppress(*DECODE_ERRORS):
            sequencer.handle_heartbeat(protocol.decode_heartbeat(frame))


def check_cursor(content: bytes) -> None:
    """A cursor is read, or refused with a SubscribeError."""
    file = folder() / "cursor"
    file.write_bytes(content)
    with contextlib.suppress(SubscribeError):
        Cursor(file)


@cache
def _handler() -> ReplyHandler:
    return ReplyHandler(store_file())
