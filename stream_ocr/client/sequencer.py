"""Sequencer of a subscriber: from received messages to each event once and in order. Knows no sockets.

It follows the Clone pattern of the ZeroMQ guide: subscribe first, then request the state, and drop duplicates. Missing
sequence numbers, found by a gap or by a heartbeat, are requested.

Events that could not be stored are delivered at once, but provisionally: they may be stored later, or their numbers may
be given to others after a crash of the publisher. Once an event behind them is stored, the sequencer requests what is
stored in their place, and delivers what it has not delivered before (decision 33).
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Literal, NamedTuple

import msgspec

from stream_ocr.bus.protocol import (
    ErrorReply,
    Heartbeat,
    ReplayReply,
    ReplayRequest,
    Reply,
    Request,
    SnapshotReply,
    SnapshotRequest,
    StreamsReply,
    StreamsRequest,
    detect_format,
)
from stream_ocr.client.thresholds import THRESHOLDS
from stream_ocr.errors import SubscribeError
from stream_ocr.events import SCHEMA, Event, EventHeader

Since = Literal["now", "start", "snapshot"] | int | datetime


class Delivery(NamedTuple):
    """An event to process, and the positions that are reached once it is processed.

    event: None for positions alone, or for a kind of event that this version does not know. positions: last ``seq`` by
    stream; None if they are not reached for certain. store: id of the store to which they belong. provisional: stream,
    ``seq`` and id of an event that may be stored later.
    """

    event: Event | None
    positions: Mapping[str, int] | None
    store: str
    provisional: tuple[str, int, str] | None = None


class _Held(NamedTuple):
    header: EventHeader
    event: Event | None
    stored: bool


@dataclass(slots=True)
class _Stream:
    last: int  # last seq delivered
    stored: int  # last seq up to which all that was delivered is stored
    known: int = -1  # last seq that exists
    held: dict[int, _Held] = field(default_factory=dict)  # by seq, waiting for earlier events
    provisional: dict[int, str] = field(default_factory=dict)  # ids of what was delivered beyond ``stored``, by seq
    request_id: int | None = None  # of the pending replay
    behind: int = 0  # heartbeats in a row with a lower seq than ours


@dataclass(slots=True)
class _Pending:
    request: Request
    retry_s: float


class Sequencer:
    """Takes events, heartbeats and replies as they arrive. Gives deliveries in order and requests to send.

    ready: deliveries. lost: number of events that are no longer stored anywhere. synced: the positions of all streams
    are known, and from here on no event is missed.
    """

    def __init__(
        self,
        since: Since,
        positions: Mapping[str, int] | None = None,
        *,
        provisional: Mapping[str, Mapping[int, str]] | None = None,
        store: str = "",
        streams: Collection[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """positions: last processed ``seq`` by stream, of ``store``; they take precedence over ``since``.

        provisional: ids of events beyond them that were processed but not stored, by stream and ``seq``.
        """
        self.ready: deque[Delivery] = deque()
        self.lost = 0
        self.store = store
        self.synced = False
        self._since, self._clock = since, clock
        self._wanted = None if streams is None else frozenset(streams)
        self._start = since - 1 if isinstance(since, int) and positions is None else -1  # position of unknown streams
        self._streams = {name: _Stream(seq, seq) for name, seq in (positions or {}).items()}
        for name, ids in (provisional or {}).items():
            self._stream(name).provisional.update(ids)
        self._resumes = positions is not None
        self._early: deque[_Held] = deque(maxlen=THRESHOLDS.max_held)  # before synced
        self._ids = count(1)
        self._pending: dict[int, _Pending] = {}
        self._to_send: deque[Request] = deque()
        self._request_state("")

    def handle_event(self, data: bytes) -> None:
        """Handle a published event. Raise one of ``events.DECODE_ERRORS``, or SubscribeError for a newer schema."""
        header, event = _decode(data)
        held = _Held(header, event, header.durable is not False)
        if not self.synced:
            self._early.append(held)
        elif self._is_wanted(header.stream):
            self._hold(held)

    def handle_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Handle a heartbeat."""
        if not self.synced:
            return
        self._set_store(heartbeat.store)
        for name, last in heartbeat.streams.items():
            if self._is_wanted(name):
                stream = self._stream(name)
                stream.behind = stream.behind + 1 if last < stream.last else 0
                if stream.behind >= THRESHOLDS.heartbeats_behind:  # it lost its last events and reuses their numbers
                    self._rewind(stream, last)
                    stream.behind = 0
                    stream.held.clear()
                stream.known = max(stream.known, last)

    def handle_reply(self, reply: Reply) -> None:
        """Handle a reply. One that nobody waits for any more is dropped."""
        pending = self._pending.pop(reply.id, None)
        if pending is None:
            return
        if isinstance(reply, ErrorReply):
            self._pending[reply.id] = _Pending(pending.request, self._clock() + THRESHOLDS.request_timeout_s)
            return
        is_other_store = self._set_store(reply.store)
        match reply:
            case ReplayReply() if is_other_store:  # the request named a position in the old store
                self._stream(reply.stream).known = reply.last
            case ReplayReply():
                self._on_replay(reply)
            case StreamsReply() | SnapshotReply():
                self._on_state(reply)

    def requests(self) -> Iterator[Request]:
        """Yield the requests to send now, including those to repeat."""
        now = self._clock()
        if self.synced and len(self.ready) < THRESHOLDS.max_ready:
            for name, stream in self._streams.items():
                if len(self._pending) + len(self._to_send) >= THRESHOLDS.max_requests:
                    break
                if stream.request_id is None and stream.last < stream.known:
                    stream.request_id = next(self._ids)
                    self._to_send.append(ReplayRequest(id=stream.request_id, stream=name, after=stream.last))
        while self._to_send:
            request = self._to_send.popleft()
            self._pending[request.id] = _Pending(request, now + THRESHOLDS.request_timeout_s)
            yield request
        for pending in self._pending.values():
            if now >= pending.retry_s:
                pending.retry_s = now + THRESHOLDS.request_timeout_s
                yield pending.request

    def _request_state(self, after: str) -> None:
        """Request a page of the positions of all streams."""
        id_ = next(self._ids)
        if self._since == "snapshot" and not self._resumes:
            wanted = None if self._wanted is None else tuple(sorted(self._wanted))
            self._to_send.append(SnapshotRequest(id=id_, streams=wanted, after=after))
        else:
            before = self._since if isinstance(self._since, datetime) and not self._resumes else None
            self._to_send.append(StreamsRequest(id=id_, before=before, after=after))

    def _on_state(self, reply: StreamsReply | SnapshotReply) -> None:
        """Handle a page of the positions of all streams."""
        starts_here = not self._resumes and (self._since in ("now", "snapshot") or isinstance(self._since, datetime))
        for name, last in reply.streams.items():
            if self._is_wanted(name):
                start = last if starts_here else self._start
                stream = self._streams.setdefault(name, _Stream(start, start))
                stream.known = max(stream.known, last)
        if isinstance(reply, SnapshotReply):
            self.ready.extend(Delivery(_decode(bytes(data))[1], None, self.store) for data in reply.events)
        if reply.next is not None:
            self._request_state(reply.next)
            return
        self.synced = True
        self.ready.append(Delivery(None, {name: stream.last for name, stream in self._streams.items()}, self.store))
        self._start = self._start if isinstance(self._since, int) else -1  # later streams: from their first event
        while self._early:
            held = self._early.popleft()
            if self._is_wanted(held.header.stream):
                self._hold(held)

    def _on_replay(self, reply: ReplayReply) -> None:
        stream = self._stream(reply.stream)
        stream.request_id = None
        stream.known = max(stream.known, reply.last)
        for data in reply.events:
            header, event = _decode(bytes(data))
            stream.held[header.seq] = _Held(header, event, stored=True)
        # Events up to ``through`` that are missing here are no longer stored.
        for seq in sorted(seq for seq in stream.held if seq <= reply.through):
            if seq > stream.last:
                self._skip_to(stream, seq - 1)
                self._deliver(reply.stream, stream, seq)
        self._skip_to(stream, reply.through)
        stream.stored = max(stream.stored, min(reply.through, reply.last))
        if reply.through >= reply.last:
            # Events beyond the end of the store are not stored, at least not yet: deliver those that we hold.
            for seq in sorted(stream.held):
                if seq > stream.last:
                    self._deliver(reply.stream, stream, seq)
            stream.known = stream.last
        stream.held = {seq: event for seq, event in stream.held.items() if seq > stream.last}
        self._deliver_next(reply.stream, stream)

    def _hold(self, held: _Held) -> None:
        """Deliver an event once all earlier ones are delivered."""
        name, seq = held.header.stream, held.header.seq
        stream = self._stream(name)
        stream.known = max(stream.known, seq)
        if held.stored and stream.stored < min(seq, stream.last):
            self._rewind(stream, stream.stored)
        if seq > stream.last and len(stream.held) < THRESHOLDS.max_held:
            stream.held[seq] = held
            self._deliver_next(name, stream)

    def _skip_to(self, stream: _Stream, seq: int) -> None:
        """Go on after a number. Events up to there that have not been delivered are lost."""
        if seq > stream.last:
            self.lost += seq - stream.last - sum(stream.last < known <= seq for known in stream.provisional)
            stream.last = seq

    def _rewind(self, stream: _Stream, seq: int) -> None:
        """Go back to a number, to deliver what follows it unless it has been delivered before."""
        stream.last, stream.stored = seq, min(stream.stored, seq)
        if stream.request_id is not None:  # it asked for what follows a later number
            self._pending.pop(stream.request_id, None)
            stream.request_id = None

    def _deliver_next(self, name: str, stream: _Stream) -> None:
        while stream.last + 1 in stream.held:
            self._deliver(name, stream, stream.last + 1)

    def _deliver(self, name: str, stream: _Stream, seq: int) -> None:
        """Deliver a held event, unless it has been delivered provisionally."""
        held = stream.held.pop(seq)
        is_repeated = stream.provisional.pop(seq, None) == held.header.id
        event = None if is_repeated else held.event
        stream.last = seq
        if held.stored:
            stream.stored = seq
            self.ready.append(Delivery(event, {name: seq}, self.store))
        else:
            stream.provisional[seq] = held.header.id
            while len(stream.provisional) > THRESHOLDS.max_provisional:
                del stream.provisional[next(iter(stream.provisional))]
            self.ready.append(Delivery(event, None, self.store, (name, seq, held.header.id)))

    def _set_store(self, store: str) -> bool:
        """Return whether the store is another one. If so, drop positions and requests of the old one."""
        is_other = bool(store and self.store and store != self.store)
        if is_other:
            self._streams = {name: _Stream(-1, -1) for name in self._streams}
            self._pending = {
                id_: pending for id_, pending in self._pending.items() if not isinstance(pending.request, ReplayRequest)
            }
        self.store = store or self.store
        return is_other

    def _is_wanted(self, stream: str) -> bool:
        return self._wanted is None or stream in self._wanted

    def _stream(self, name: str) -> _Stream:
        return self._streams.setdefault(name, _Stream(self._start, self._start))


def _decode(data: bytes) -> tuple[EventHeader, Event | None]:
    """Return header and event of JSON or MessagePack; no event for a kind that is newer than this version.

    Raise SubscribeError for a newer schema: to skip its events would lose them without a word.
    """
    decode = msgspec.json.decode if detect_format(data) == "json" else msgspec.msgpack.decode
    header = decode(data, type=EventHeader)
    if header.schema > SCHEMA:
        raise SubscribeError(
            f"Events of stream {header.stream!r} have schema {header.schema}, but this program reads schema {SCHEMA}; "
            "install the version of stream_ocr that publishes them."
        )
    try:
        return header, decode(data, type=header.event_type)
    except msgspec.ValidationError:
        return header, None
