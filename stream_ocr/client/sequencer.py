"""What a subscriber makes of what it is sent: each event once and in order. Knows no sockets.

The pattern is Clone of the ZeroMQ guide: listen first, then ask where things stand, and drop what is told twice. A
number that is missing, or a heartbeat that is ahead, is asked for.
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
    form_of,
)
from stream_ocr.events import Event, EventHeader

Since = Literal["now", "start", "snapshot"] | int | datetime

_ASK_AGAIN_S = 2.0
_ASKING = 8  # requests under way at a time
_HELD = 10_000  # events of a stream that are held while an earlier one is asked for
_READY = 2000  # events that are ready; so many and nothing more is asked for
_BEATS_BEHIND = 3


class Delivery(NamedTuple):
    """Something to deal with, and the place of each stream once that is done; None: no place to go on from yet.

    event: None where there is nothing to hand over, or of a kind that this version does not know.
    store: of which the places are.
    """

    event: Event | None
    places: Mapping[str, int] | None
    store: str


@dataclass(slots=True)
class _Stream:
    last: int
    known: int = -1  # the last that there is
    held: dict[int, Event | None] = field(default_factory=dict)
    asking: int | None = None
    behind: int = 0  # heartbeats in a row that know less than we do


@dataclass(slots=True)
class _Asked:
    request: Request
    again_s: float


class Sequencer:
    """Events in, events out.

    ready: what is to be dealt with, in order.
    missing: events that are no longer kept anywhere.
    """

    def __init__(
        self,
        since: Since,
        places: Mapping[str, int] | None = None,
        *,
        store: str = "",
        streams: Collection[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """places: where to go on, by stream, with the ``store`` that it belongs to; ``since`` counts without it."""
        self.ready: deque[Delivery] = deque()
        self.missing = 0
        self.store = store
        self.joined = False
        self._since, self._clock = since, clock
        self._wanted = None if streams is None else frozenset(streams)
        self._new = since - 1 if isinstance(since, int) and places is None else -1  # place of streams not known yet
        self._streams = {name: _Stream(seq) for name, seq in (places or {}).items()}
        self._going_on = places is not None
        self._before: deque[tuple[EventHeader, Event | None]] = deque(maxlen=_HELD)
        self._ids = count(1)
        self._asked: dict[int, _Asked] = {}
        self._to_send: deque[Request] = deque()
        self._ask_to_join("")

    def take_event(self, data: bytes) -> None:
        """An event as it was published. Raises one of DECODE_ERRORS for what is none."""
        head, event = _read(data)
        if not self.joined:
            self._before.append((head, event))
        elif self._wants(head.stream):
            self._take(head, event)

    def take_heartbeat(self, beat: Heartbeat) -> None:
        """What there is by now."""
        if not self.joined:
            return
        self._know(beat.store)
        for name, last in beat.streams.items():
            if self._wants(name):
                stream = self._stream(name)
                stream.behind = stream.behind + 1 if last < stream.last else 0
                if stream.behind >= _BEATS_BEHIND:  # the publisher has lost what it had not synced; it counts anew
                    stream.last, stream.behind = last, 0
                    stream.held.clear()
                stream.known = max(stream.known, last)

    def take_reply(self, reply: Reply) -> None:
        """The answer to one of ``requests``; a later answer than was waited for is dropped."""
        asked = self._asked.pop(reply.id, None)
        if asked is None:
            return
        if isinstance(reply, ErrorReply):
            self._asked[reply.id] = _Asked(asked.request, self._clock() + _ASK_AGAIN_S)
            return
        is_another = self._know(reply.store)
        match reply:
            case ReplayReply() if is_another:  # what was asked for is a place in the old one
                self._stream(reply.stream).known = reply.last
            case ReplayReply():
                self._replay(reply)
            case StreamsReply() | SnapshotReply():
                self._join(reply)

    def requests(self) -> Iterator[Request]:
        """What is to be asked now, the questions that got no answer included."""
        now = self._clock()
        if self.joined and len(self.ready) < _READY:
            for name, stream in self._streams.items():
                if len(self._asked) + len(self._to_send) >= _ASKING:
                    break
                if stream.asking is None and stream.last < stream.known:
                    stream.asking = next(self._ids)
                    self._to_send.append(ReplayRequest(id=stream.asking, stream=name, after=stream.last))
        while self._to_send:
            request = self._to_send.popleft()
            self._asked[request.id] = _Asked(request, now + _ASK_AGAIN_S)
            yield request
        for asked in self._asked.values():
            if now >= asked.again_s:
                asked.again_s = now + _ASK_AGAIN_S
                yield asked.request

    def _ask_to_join(self, after: str) -> None:
        id_ = next(self._ids)
        if self._since == "snapshot" and not self._going_on:
            wanted = None if self._wanted is None else tuple(sorted(self._wanted))
            self._to_send.append(SnapshotRequest(id=id_, streams=wanted, after=after))
        else:
            before = self._since if isinstance(self._since, datetime) and not self._going_on else None
            self._to_send.append(StreamsRequest(id=id_, before=before, after=after))

    def _join(self, reply: StreamsReply | SnapshotReply) -> None:
        """A page of where things stand."""
        begins_here = not self._going_on and (self._since in ("now", "snapshot") or isinstance(self._since, datetime))
        for name, last in reply.streams.items():
            if self._wants(name):
                stream = self._streams.setdefault(name, _Stream(last if begins_here else self._new))
                stream.known = max(stream.known, last)
        if isinstance(reply, SnapshotReply):
            self.ready.extend(Delivery(_read(bytes(data))[1], None, self.store) for data in reply.events)
        if reply.next is not None:
            self._ask_to_join(reply.next)
            return
        self.joined = True
        self.ready.append(Delivery(None, {name: stream.last for name, stream in self._streams.items()}, self.store))
        self._new = self._new if isinstance(self._since, int) else -1  # what begins from now on is new from its start
        while self._before:
            head, event = self._before.popleft()
            if self._wants(head.stream):
                self._take(head, event)

    def _replay(self, reply: ReplayReply) -> None:
        stream = self._stream(reply.stream)
        stream.asking = None
        stream.known = max(stream.known, reply.last)
        for data in reply.events:
            head, event = _read(bytes(data))
            stream.held.setdefault(head.seq, event)
        # Up to ``through`` there is nothing more to be had.
        for seq in sorted(seq for seq in stream.held if seq <= reply.through):
            if seq > stream.last:
                self.missing += seq - stream.last - 1
                self._hand_over(reply.stream, stream, seq)
        self.missing += max(0, reply.through - stream.last)
        stream.last = max(stream.last, reply.through)
        if reply.through >= reply.last:
            # What is known beyond the end of the store was never stored: only what we hold is left of it.
            for seq in sorted(stream.held):
                if seq > stream.last:
                    self.missing += seq - stream.last - 1
                    self._hand_over(reply.stream, stream, seq)
            stream.known = stream.last
        stream.held = {seq: event for seq, event in stream.held.items() if seq > stream.last}
        self._go_on(reply.stream, stream)

    def _take(self, head: EventHeader, event: Event | None) -> None:
        stream = self._stream(head.stream)
        stream.known = max(stream.known, head.seq)
        if head.seq > stream.last and len(stream.held) < _HELD:
            stream.held[head.seq] = event
            self._go_on(head.stream, stream)

    def _go_on(self, name: str, stream: _Stream) -> None:
        while stream.last + 1 in stream.held:
            self._hand_over(name, stream, stream.last + 1)

    def _hand_over(self, name: str, stream: _Stream, seq: int) -> None:
        self.ready.append(Delivery(stream.held.pop(seq), {name: seq}, self.store))
        stream.last = seq

    def _know(self, store: str) -> bool:
        """Whether the store is another one: that counts from 0, and what the old one was asked does not matter."""
        is_another = bool(store and self.store and store != self.store)
        if is_another:
            self._streams = {name: _Stream(-1) for name in self._streams}
            self._asked = {
                id_: asked for id_, asked in self._asked.items() if not isinstance(asked.request, ReplayRequest)
            }
        self.store = store or self.store
        return is_another

    def _wants(self, stream: str) -> bool:
        return self._wanted is None or stream in self._wanted

    def _stream(self, name: str) -> _Stream:
        return self._streams.setdefault(name, _Stream(self._new))


def _read(data: bytes) -> tuple[EventHeader, Event | None]:
    """An event in JSON or MessagePack; None for an event of a kind that came after this version."""
    decode = msgspec.json.decode if form_of(data) == "json" else msgspec.msgpack.decode
    head = decode(data, type=EventHeader)
    try:
        return head, decode(data, type=head.event_type)
    except msgspec.ValidationError:
        return head, None
