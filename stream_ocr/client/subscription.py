"""A subscription: sockets round a ``Sequencer``."""

import re
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import zmq

from stream_ocr.bus import curve_keys, protocol
from stream_ocr.client.cursor import Cursor
from stream_ocr.client.sequencer import Delivery, Sequencer, Since
from stream_ocr.errors import SubscribeError
from stream_ocr.events import DECODE_ERRORS, KINDS, Event, TextEvent

_TURN = 1000  # messages taken at a time
_LOOK_S = 0.25  # how often what waits for an answer is looked at
_DEAD_MS = 15_000
_BACKLOG = 10_000


def subscribe(
    endpoint: str = f"tcp://127.0.0.1:{protocol.DEFAULT_PORT}",
    *,
    streams: str | Collection[str] | None = None,
    kinds: str | Collection[str] | None = None,
    text: str | re.Pattern[str] | None = None,
    since: Since = "now",
    cursor: str | Path | None = None,
    requests: str | None = None,
    key: str | Path | None = None,
    server_key: str | Path | None = None,
) -> "Subscription":
    """Events as they are published, and from before: each once, in the order of its stream, whatever happens between.

    An iterator and an async iterator that connects again by itself and ends when it is closed.

    streams, kinds: only these. text: a regular expression that must be found in the text; what has no text is left out.
    since: "now"; "start": all that is kept; "snapshot": the texts in sight now, each by its latest event; a ``seq``,
    included; or a time with a zone. cursor: a file that keeps the place; where there is one, it goes on there, and
    ``since`` does not count. An event counts as dealt with when the next one is asked for.
    requests: where to ask; by default one port above ``endpoint``. key, server_key: our secret and its public key.
    Raises SubscribeError.
    """
    return Subscription(
        endpoint,
        requests or protocol.requests_endpoint(endpoint),
        streams=_set(streams),
        kinds=_set(kinds),
        text=_pattern(text),
        since=since,
        cursor=Cursor(None if cursor is None else Path(cursor)),
        keys=curve_keys.shown(key, server_key),
    )


class Subscription:
    """What ``subscribe`` gives. Close it, or use it in a ``with``."""

    def __init__(
        self,
        events: str,
        requests: str,
        *,
        streams: frozenset[str] | None,
        kinds: frozenset[str] | None,
        text: re.Pattern[str] | None,
        since: Since,
        cursor: Cursor,
        keys: tuple[Path, Path] | None,
    ) -> None:
        _check(since, kinds)
        self._kinds, self._text, self._cursor = kinds, text, cursor
        self._done: Delivery | None = None
        self._heard_s: float | None = None
        places = cursor.streams if cursor.found else None
        self._follower = Sequencer(since, places, store=cursor.store, streams=streams)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._events = self._connected(zmq.SUB, events, keys)
            self._requests = self._connected(zmq.DEALER, requests, keys)
            for name in streams or ():
                self._events.subscribe(f"{name}/".encode())
            self._events.subscribe(b"" if streams is None else protocol.BEAT_TOPIC)
        except BaseException:
            self._context.destroy(linger=0)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        while not self.closed:
            event = self.receive(_LOOK_S)
            if event is not None:
                return event
        raise StopIteration

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        import zmq.asyncio  # for those who want it

        poller = zmq.asyncio.Poller()
        for socket in (self._events, self._requests):
            poller.register(socket, zmq.POLLIN)
        while not self.closed:
            event = self._next()
            if event is not None:
                return event
            self._ask()
            await poller.poll(int(_LOOK_S * 1000))
            self._take()
        raise StopAsyncIteration

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._context.closed

    @property
    def joined(self) -> bool:
        """Whether it knows where things stand: from here on nothing is missed."""
        return self._follower.joined

    @property
    def connected(self) -> bool:
        """Whether anything was heard within the last heartbeats."""
        return self._heard_s is not None and time.monotonic() - self._heard_s < 3 * protocol.BEAT_S

    @property
    def missing(self) -> int:
        """How many events were forgotten by the store before they could be had."""
        return self._follower.missing

    def receive(self, timeout_s: float) -> Event | None:
        """The next event, or None when none came in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            event = self._next()
            left_s = deadline - time.monotonic()
            if event is not None or left_s <= 0:
                return event
            self.wait(left_s)

    def wait(self, timeout_s: float) -> None:
        """Take what has come, or comes soon, without handing any of it over."""
        self._ask()
        zmq.select([self._events, self._requests], [], [], min(timeout_s, _LOOK_S))
        self._take()

    def close(self) -> None:
        """Write the cursor down and let go. The event that was handed over last counts as dealt with."""
        if not self.closed:
            self._deal_with_last()
            self._cursor.save()
            self._context.destroy(linger=0)

    def _connected(self, kind: int, endpoint: str, keys_: tuple[Path, Path] | None) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.rcvhwm = _BACKLOG
        socket.maxmsgsize = protocol.MAX_REPLY_BYTES
        socket.heartbeat_ivl, socket.heartbeat_timeout = _DEAD_MS // 3, _DEAD_MS
        socket.reconnect_ivl, socket.reconnect_ivl_max = 100, 2000
        if kind == zmq.DEALER:
            socket.immediate = True  # questions wait here, not in a queue for somebody who is away
        if keys_ is not None:
            curve_keys.present(socket, *keys_)
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            raise SubscribeError(
                f"{endpoint} is no endpoint: {error.strerror}; it looks like tcp://127.0.0.1:5560."
            ) from error
        return socket

    def _next(self) -> Event | None:
        """The next event that is ready and wanted."""
        self._deal_with_last()
        while self._follower.ready:
            self._done = self._follower.ready.popleft()
            event = self._done.event
            if event is not None and self._wants(event):
                return event
            self._deal_with_last()
        return None

    def _deal_with_last(self) -> None:
        if self._done is not None and self._done.places is not None:
            self._cursor.move(self._done.store, self._done.places)
        self._done = None

    def _wants(self, event: Event) -> bool:
        if self._kinds is not None and event.kind not in self._kinds:
            return False
        if self._text is not None:
            return isinstance(event, TextEvent) and self._text.search(event.text) is not None
        return True

    def _ask(self) -> None:
        if self._requests.poll(0, zmq.POLLOUT):  # not while there is no connection
            for request in self._follower.requests():
                with suppress(zmq.Again):  # it will be asked again
                    self._requests.send(protocol.encode(request), zmq.NOBLOCK)

    def _take(self) -> None:
        """What has come. What cannot be understood is no reason to stop: the gap that it leaves is asked for."""
        for frames in _received(self._requests):
            try:
                self._follower.take_reply(protocol.decode_reply(frames[-1]))
            except DECODE_ERRORS:
                continue
        for frames in _received(self._events):
            self._heard_s = time.monotonic()
            try:
                if frames[0] == protocol.BEAT_TOPIC:
                    self._follower.take_heartbeat(protocol.decode_heartbeat(frames[-1]))
                else:
                    self._follower.take_event(frames[-1])
            except DECODE_ERRORS:
                continue


def _received(socket: zmq.Socket[bytes]) -> Iterator[list[bytes]]:
    for _ in range(_TURN):
        try:
            yield socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return


def _check(since: Any, kinds: frozenset[str] | None) -> None:
    if unknown := sorted((kinds or frozenset()) - KINDS):
        raise SubscribeError(f"There are no events of kind {unknown[0]!r}; there are {', '.join(sorted(KINDS))}.")
    if isinstance(since, str) and since not in ("now", "start", "snapshot"):
        raise SubscribeError(f'since is {since!r}; use "now", "start", "snapshot", a seq or a time.')
    if getattr(since, "tzinfo", since) is None:
        raise SubscribeError(f"since is {since}, which has no time zone; use datetime(…, tzinfo=UTC) or the like.")


def _set(names: str | Collection[str] | None) -> frozenset[str] | None:
    return frozenset([names]) if isinstance(names, str) else None if names is None else frozenset(names)


def _pattern(text: str | re.Pattern[str] | None) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text is not None else None
    except re.error as error:
        raise SubscribeError(f"text is {text!r}, which is no regular expression: {error}.") from error
