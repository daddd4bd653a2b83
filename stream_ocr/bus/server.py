"""The bus process: publishes committed events and answers requests of clients that missed some.

``python -m stream_ocr.bus.server`` reads its ``BusSpec`` as one line of JSON from standard input. It writes an empty
line to standard output once it listens, or a sentence that says why it cannot. Events come through a socket from the
one process that commits them; when that socket is closed, or its process dies, the bus ends.

It has its own connection to the store. Whatever comes from outside can harm this process and no other.
"""

import math
import os
import resource
import signal
import socket as sockets
import sys
import time
from collections import OrderedDict
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import structlog
import zmq
from setproctitle import setproctitle

from stream_ocr.bus import curve_keys, protocol
from stream_ocr.bus.connections import Connections
from stream_ocr.bus.publisher import MAX_PACKET_BYTES, BusSpec
from stream_ocr.bus.replies import ReplyHandler
from stream_ocr.bus.reply_queue import ReplyQueue
from stream_ocr.bus.thresholds import THRESHOLDS
from stream_ocr.errors import StreamOcrError
from stream_ocr.events import EventHeader
from stream_ocr.logs import get_logger

log = get_logger(__name__)


class Bus:
    """The publisher and the reply socket, and the store behind them."""

    def __init__(self, spec: BusSpec) -> None:
        self._spec = spec
        self._last: OrderedDict[str, int] = OrderedDict()  # last published seq by stream, the latest stream last
        self._header_decoder = msgspec.json.Decoder(EventHeader)
        self._opened = ExitStack()
        self._replies = ReplyHandler(Path(spec.store))

    def __enter__(self) -> Self:
        """Bind. Raise zmq.ZMQError and StreamOcrError."""
        with ExitStack() as opening:
            self._feed = opening.enter_context(sockets.socket(fileno=self._spec.feed_fd))
            self._feed.setblocking(False)
            opening.callback(self._replies.close)
            context: zmq.Context[zmq.Socket[bytes]] = opening.enter_context(zmq.Context())
            if self._spec.keys:
                opening.callback(self._authenticator(context, Path(self._spec.keys)).stop)
            # libzmq handles subscriptions as long as any are queued: a short queue keeps a flood from blocking it.
            # With room for one, clients of other libzmq builds did not get through CURVE (seen with npm's zeromq 6).
            self._events = opening.enter_context(
                self._socket(
                    context, zmq.XPUB, backlog=self._spec.backlog, incoming=2, max_bytes=THRESHOLDS.max_topic_bytes
                )
            )
            self._events.setsockopt(zmq.XPUB_VERBOSER, 1)
            self._events.rcvbuf = THRESHOLDS.receive_buffer_bytes
            self._requests = opening.enter_context(
                self._socket(
                    context,
                    zmq.ROUTER,
                    backlog=THRESHOLDS.reply_backlog,
                    incoming=THRESHOLDS.messages_per_turn,
                    max_bytes=protocol.MAX_REQUEST_BYTES,
                )
            )
            self._requests.setsockopt(zmq.ROUTER_MANDATORY, 1)
            self._requests.copy_threshold = 0  # or libzmq would not report when small replies have left
            self._subscribers = Connections(self._events, self._spec.max_peers)
            self._requesters = Connections(self._requests, self._spec.max_peers)
            self._queued_replies = ReplyQueue(self._requesters)
            _bind(self._events, self._spec.events)
            _bind(self._requests, self._spec.requests)
            self._last.update(self._replies.last())
            self._opened = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def run(self) -> None:
        """Run until the feed ends."""
        poller = zmq.Poller()
        connections = (self._subscribers, self._requesters)
        watched: list[Any] = [self._feed, self._events, self._requests, *(each.monitor for each in connections)]
        for socket in watched:
            poller.register(socket, zmq.POLLIN)
        next_heartbeat_s = time.monotonic()
        while True:
            ready = dict(poller.poll(max(0, math.ceil((next_heartbeat_s - time.monotonic()) * 1000))))
            if self._feed.fileno() in ready and not self._publish_packets():
                self._catch_up()
                self._send_heartbeat()
                return
            if any(each.monitor in ready for each in connections):
                for each in connections:
                    each.update()
            if self._events in ready:
                self._count_subscriptions()
            if self._requests in ready:
                self._answer_one()
            if time.monotonic() >= next_heartbeat_s:
                next_heartbeat_s = time.monotonic() + protocol.HEARTBEAT_S
                self._catch_up()
                self._send_heartbeat()

    def _socket(
        self, context: zmq.Context[zmq.Socket[bytes]], kind: int, *, backlog: int, incoming: int, max_bytes: int
    ) -> zmq.Socket[bytes]:
        """backlog, incoming: messages queued to and from each peer. max_bytes: of a message from a peer."""
        socket = context.socket(kind)
        socket.linger = THRESHOLDS.linger_ms
        socket.sndhwm, socket.rcvhwm = backlog, incoming
        socket.maxmsgsize = max_bytes
        timeout_ms = THRESHOLDS.peer_timeout_ms
        socket.heartbeat_ivl, socket.heartbeat_timeout = timeout_ms // 3, timeout_ms
        socket.handshake_ivl = THRESHOLDS.handshake_ms
        socket.sndbuf, socket.tcp_maxrt = THRESHOLDS.send_buffer_bytes, THRESHOLDS.unread_ms
        if self._spec.keys:
            curve_keys.configure_server(socket, Path(self._spec.keys))
        return socket

    def _authenticator(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> Any:
        from zmq.auth.thread import ThreadAuthenticator

        authenticator = ThreadAuthenticator(context)
        authenticator.start()
        authenticator.configure_curve_callback(curve_keys.DOMAIN, curve_keys.AllowList(folder / "clients"))
        return authenticator

    def _publish_packets(self) -> bool:
        """Publish events of the feed. Return False at its end."""
        for _ in range(THRESHOLDS.messages_per_turn):
            try:
                packet = self._feed.recv(MAX_PACKET_BYTES)
            except BlockingIOError:
                return True
            except ConnectionError:
                return False
            if not packet:
                return False
            for line in packet.split(b"\n"):
                header = self._header_decoder.decode(line)
                known = self._last.get(header.stream, -1)
                if known < header.seq - 1:
                    self._catch_up_with(header.stream, header.seq - 1)
                self._publish(header, line)
        return True

    def _catch_up(self) -> None:
        """Publish events of the store that the feed did not bring."""
        for name, last in self._replies.last().items():
            if self._last.get(name, -1) < last:
                self._catch_up_with(name, last)

    def _catch_up_with(self, stream: str, last: int) -> None:
        after = max(self._last.get(stream, -1), last - THRESHOLDS.max_catch_up)
        while after < last and (page := self._replies.page(stream, after)) is not None:
            for line in page.events:
                header = self._header_decoder.decode(line)
                if header.seq <= last:
                    self._publish(header, line)
            if page.through >= page.last:
                break
            after = page.through

    def _publish(self, header: EventHeader, line: bytes) -> None:
        if header.seq <= self._last.get(header.stream, -1):
            return
        self._last[header.stream] = header.seq
        self._last.move_to_end(header.stream)
        payload = line if self._spec.format == "json" else protocol.json_to_msgpack(line)
        # Events for which the queue of a slow peer has no room are dropped; the peer sees the gap and asks.
        self._events.send_multipart([protocol.topic(header.stream, header.kind), payload], zmq.NOBLOCK)

    def _send_heartbeat(self) -> None:
        latest = [name for name, _ in zip(reversed(self._last), range(protocol.MAX_STREAMS), strict=False)]
        heartbeat = protocol.Heartbeat(
            store=self._replies.store, sent_utc=datetime.now(UTC), streams={name: self._last[name] for name in latest}
        )
        self._events.send_multipart(
            [protocol.HEARTBEAT_TOPIC, protocol.encode(heartbeat, self._spec.format)], zmq.NOBLOCK
        )

    def _count_subscriptions(self) -> None:
        """Count subscriptions, which libzmq has already handled, and enforce the limits."""
        received: list[zmq.Frame] = []
        with suppress(zmq.Again):
            for _ in range(THRESHOLDS.messages_per_turn):
                received += self._events.recv_multipart(zmq.NOBLOCK, copy=False)[:1]
        self._subscribers.update()
        for frame in received:
            self._subscribers.accept_subscription(frame)

    def _answer_one(self) -> None:
        """Answer one request; then events get their turn again."""
        try:
            envelope = self._requests.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return
        self._requesters.update()
        *route, body = envelope
        peer = self._requesters.accept_request(body)
        if len(route) > 2 or peer is None or not self._queued_replies.has_room(peer):
            return
        message_format = protocol.detect_format(body.bytes)
        reply = protocol.encode(self._replies.reply(body.bytes), message_format)
        with suppress(zmq.ZMQError):  # the peer does not read its replies, or is gone; it will ask again
            tracker = self._requests.send_multipart(
                [*(frame.bytes for frame in route), reply], zmq.NOBLOCK, copy=False, track=True
            )
            self._queued_replies.add(peer, len(reply), tracker)


def main() -> None:
    """Run the bus that standard input describes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the bus ends with its feed
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return  # the publisher was killed
    spec = msgspec.json.decode(line, type=BusSpec)
    setproctitle("stream-ocr: bus")
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(sys.stderr))  # standard output is for the publisher
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(THRESHOLDS.max_files, hard_limit), hard_limit))
    with ExitStack() as opened:
        try:
            bus = opened.enter_context(Bus(spec))
        except (StreamOcrError, zmq.ZMQError, OSError) as error:
            _report(" ".join(str(error).split()))
            sys.exit(1)
        _report("")
        bus.run()


def _report(sentence: str) -> None:
    with suppress(BrokenPipeError):  # the publisher was killed; then the feed has ended, too
        os.write(sys.stdout.fileno(), f"{sentence}\n".encode())


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Bind, and wait until the predecessor of this bus has released the port. Raise StreamOcrError."""
    deadline = time.monotonic() + THRESHOLDS.bind_s
    while True:
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            if error.errno != zmq.EADDRINUSE or time.monotonic() > deadline:
                raise StreamOcrError(f"The bus cannot listen on {endpoint}: {error.strerror}.") from error
            time.sleep(THRESHOLDS.bind_poll_s)
        else:
            return


if __name__ == "__main__":
    main()
