"""Subscription to an event bus: the sockets around a ``Sequencer``."""

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
from stream_ocr.client.thresholds import THRESHOLDS
from stream_ocr.errors import SubscribeError
from stream_ocr.events import DECODE_ERRORS, KINDS, Event, TextEvent


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
    """Return past and future events of a bus: each once and in the order of its stream, across restarts of both sides.

    The result is an iterator and an async iterator. It reconnects by itself and ends when it is closed. Raise
    SubscribeError.

    streams, kinds: only these. text: a regular expression to find in the text; events without text are left out.
    since: "now"; "start", all stored events; "snapshot", the latest event of each text on screen; a ``seq``, inclusive;
    or a time with a time zone. cursor: a file with the position of this subscriber. If it exists, the subscription
    resumes there, and ``since`` is ignored. An event counts as processed when the next one is requested.
    requests: endpoint of requests, by default one port above ``endpoint``. key, server_key: files of our secret key and
    of the public key of the bus.
    """
    return Subscription(
        endpoint,
        requests or protocol.requests_endpoint(endpoint),
        streams=_as_set(streams),
        kinds=_as_set(kinds),
        text=_compile(text),
        since=since,
        cursor=Cursor(None if cursor is None else Path(cursor)),
        keys=curve_keys.client_keys(key, server_key),
    )


class Subscription:
    """The result of ``subscribe``. Close it, or use it in a ``with`` statement."""

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
        self._current: Delivery | None = None
        self._received_s: float | None = None
        positions = cursor.streams if cursor.found else None
        self._sequencer = Sequencer(
            since, positions, provisional=cursor.provisional, store=cursor.store, streams=streams
        )
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._events = self._connect(zmq.SUB, events, keys)
            self._requests = self._connect(zmq.DEALER, requests, keys)
            for name in streams or ():
                self._events.subscribe(f"{name}/".encode())
            self._events.subscribe(b"" if streams is None else protocol.HEARTBEAT_TOPIC)
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
            event = self.receive(THRESHOLDS.poll_s)
            if event is not None:
                return event
        raise StopIteration

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        import zmq.asyncio  # slow to import, and only async iteration needs it

        poller = zmq.asyncio.Poller()
        for socket in (self._events, self._requests):
            poller.register(socket, zmq.POLLIN)
        while not self.closed:
            event = self._next()
            if event is not None:
                return event
            self._send_requests()
            await poller.poll(int(THRESHOLDS.poll_s * 1000))
            self._receive_all()
        raise StopAsyncIteration

    @property
    def closed(self) -> bool:
        """True once the subscription is closed."""
        return self._context.closed

    @property
    def synced(self) -> bool:
        """True once the positions of all streams are known: from here on no event is missed."""
        return self._sequencer.synced

    @property
    def connected(self) -> bool:
        """True if a message arrived within the last three heartbeat intervals."""
        limit_s = THRESHOLDS.connected_heartbeats * protocol.HEARTBEAT_S
        return self._received_s is not None and time.monotonic() - self._received_s < limit_s

    @property
    def lost(self) -> int:
        """Number of events that the store deleted before they could be received."""
        return self._sequencer.lost

    def receive(self, timeout_s: float) -> Event | None:
        """Return the next event, or None if none arrives within ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while True:
            event = self._next()
            left_s = deadline - time.monotonic()
            if event is not None or left_s <= 0:
                return event
            self.wait(left_s)

    def wait(self, timeout_s: float) -> None:
        """Receive messages for at most ``timeout_s`` without returning events."""
        self._send_requests()
        zmq.select([self._events, self._requests], [], [], min(timeout_s, THRESHOLDS.poll_s))
        self._receive_all()

    def close(self) -> None:
        """Save the cursor and disconnect. The event that was returned last counts as processed."""
        if not self.closed:
            self._finish_current()
            self._cursor.save()
            self._context.destroy(linger=0)

    def _connect(self, kind: int, endpoint: str, keys: tuple[Path, Path] | None) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.rcvhwm = THRESHOLDS.receive_backlog
        socket.maxmsgsize = protocol.MAX_REPLY_BYTES
        timeout_ms = THRESHOLDS.peer_timeout_ms
        socket.heartbeat_ivl, socket.heartbeat_timeout = timeout_ms // 3, timeout_ms
        socket.reconnect_ivl, socket.reconnect_ivl_max = THRESHOLDS.reconnect_ms
        if kind == zmq.DEALER:
            socket.immediate = True  # requests wait in the sequencer, not in a queue for a bus that is away
        if keys is not None:
            curve_keys.configure_client(socket, *keys)
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            raise SubscribeError(
                f"{endpoint} is no endpoint: {error.strerror}; it looks like tcp://127.0.0.1:5560."
            ) from error
        return socket

    def _next(self) -> Event | None:
        """Return the next event that is ready and passes the filters, or None."""
        self._finish_current()
        while self._sequencer.ready:
            self._current = self._sequencer.ready.popleft()
            event = self._current.event
            if event is not None and self._matches(event):
                return event
            self._finish_current()
        return None

    def _finish_current(self) -> None:
        if self._current is not None:
            if self._current.positions is not None:
                self._cursor.advance(self._current.store, self._current.positions)
            if self._current.provisional is not None:
                self._cursor.add_provisional(self._current.store, *self._current.provisional)
        self._current = None

    def _matches(self, event: Event) -> bool:
        if self._kinds is not None and event.kind not in self._kinds:
            return False
        if self._text is not None:
            return isinstance(event, TextEvent) and self._text.search(event.text) is not None
        return True

    def _send_requests(self) -> None:
        if self._requests.poll(0, zmq.POLLOUT):  # not while the bus is away
            for request in self._sequencer.requests():
                with suppress(zmq.Again):  # the sequencer repeats it
                    self._requests.send(protocol.encode(request), zmq.NOBLOCK)

    def _receive_all(self) -> None:
        """Receive what has arrived. Ignore malformed messages: the sequencer requests what they leave out."""
        for frames in _receive(self._requests):
            try:
                self._sequencer.handle_reply(protocol.decode_reply(frames[-1]))
            except DECODE_ERRORS:
                continue
        for frames in _receive(self._events):
            self._received_s = time.monotonic()
            try:
                if frames[0] == protocol.HEARTBEAT_TOPIC:
                    self._sequencer.handle_heartbeat(protocol.decode_heartbeat(frames[-1]))
                else:
                    self._sequencer.handle_event(frames[-1])
            except DECODE_ERRORS:
                continue


def _receive(socket: zmq.Socket[bytes]) -> Iterator[list[bytes]]:
    for _ in range(THRESHOLDS.messages_per_turn):
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


def _as_set(names: str | Collection[str] | None) -> frozenset[str] | None:
    return frozenset([names]) if isinstance(names, str) else None if names is None else frozenset(names)


def _compile(text: str | re.Pattern[str] | None) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text is not None else None
    except re.error as error:
        raise SubscribeError(f"text is {text!r}, which is no regular expression: {error}.") from error
