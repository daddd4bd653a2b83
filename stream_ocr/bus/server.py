"""The bus: a process of its own that publishes what was committed and answers those who missed something.

``python -m stream_ocr.bus.server`` reads its ``Spec`` as one line of JSON from standard input, and writes an empty
line to standard output once it listens, or else a sentence that says why it cannot. Events come through a socket from
the one process that commits them; when that is closed, or its process dies, the bus ends.

It reads the store with a connection of its own. Whatever comes from outside costs this process and no other.
"""

import math
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
from stream_ocr.bus.connections import MAX_TOPIC_BYTES, Connections
from stream_ocr.bus.publisher import MAX_PACKET_BYTES, Spec
from stream_ocr.bus.replies import ReplyHandler
from stream_ocr.errors import StreamOcrError
from stream_ocr.events import EventHeader

_FILES = 4096
_BIND_S = 5.0
_LINGER_MS = 1000
_DEAD_MS = 15_000  # a peer that does not answer a ping for so long is gone
_SUBSCRIBING_BYTES = 8192  # that the system takes in from a peer before it is counted, and hung up on where need be
_TURN = 64  # messages of one sort before the others get their turn
_MOST_BEHIND = 20_000  # events that are made up for by the bus itself; subscribers ask for older ones

log = structlog.get_logger(__name__)


class Bus:
    """Publisher and answerer on their sockets, with the store behind them."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._last: OrderedDict[str, int] = OrderedDict()  # of what was published, the latest stream last
        self._head = msgspec.json.Decoder(EventHeader)
        self._opened = ExitStack()
        self._answers = ReplyHandler(Path(spec.store))

    def __enter__(self) -> Self:
        """Bind. Raises zmq.ZMQError and StreamOcrError."""
        with ExitStack() as opening:
            self._feed = opening.enter_context(sockets.socket(fileno=self._spec.feed))
            self._feed.setblocking(False)
            opening.callback(self._answers.close)
            context: zmq.Context[zmq.Socket[bytes]] = opening.enter_context(zmq.Context())
            if self._spec.keys:
                opening.callback(self._authenticator(context, Path(self._spec.keys)).stop)
            # libzmq acts on subscriptions as long as there are any: with little room, they cannot keep it busy. With
            # room for one, clients of other libzmq builds were not heard through CURVE (seen with npm's zeromq 6).
            self._events = opening.enter_context(
                self._socket(context, zmq.XPUB, backlog=self._spec.backlog, incoming=2, most_bytes=MAX_TOPIC_BYTES)
            )
            self._events.setsockopt(zmq.XPUB_VERBOSER, 1)
            self._events.rcvbuf = _SUBSCRIBING_BYTES
            self._requests = opening.enter_context(
                self._socket(context, zmq.ROUTER, backlog=8, incoming=_TURN, most_bytes=protocol.MAX_REQUEST_BYTES)
            )
            self._requests.setsockopt(zmq.ROUTER_MANDATORY, 1)
            self._peers = [Connections(socket, self._spec.max_peers) for socket in (self._events, self._requests)]
            _bind(self._events, self._spec.events)
            _bind(self._requests, self._spec.requests)
            self._last.update(self._answers.last())
            self._opened = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def run(self) -> None:
        """Until the feed ends."""
        poller = zmq.Poller()
        watched: list[Any] = [self._feed, self._events, self._requests, *(peers.monitor for peers in self._peers)]
        for socket in watched:
            poller.register(socket, zmq.POLLIN)
        beat_s = time.monotonic()
        while True:
            ready = dict(poller.poll(max(0, math.ceil((beat_s - time.monotonic()) * 1000))))
            if self._feed.fileno() in ready and not self._publish_packets():
                self._catch_up()
                self._beat()
                return
            if any(peers.monitor in ready for peers in self._peers):
                for peers in self._peers:
                    peers.watch()
            if self._events in ready:
                self._take_subscriptions()
            if self._requests in ready:
                self._answer_one()
            if time.monotonic() >= beat_s:
                beat_s = time.monotonic() + protocol.BEAT_S
                self._catch_up()
                self._beat()

    def _socket(
        self, context: zmq.Context[zmq.Socket[bytes]], kind: int, *, backlog: int, incoming: int, most_bytes: int
    ) -> zmq.Socket[bytes]:
        """backlog, incoming: messages to and from each peer that wait. most_bytes: of a message from a peer."""
        socket = context.socket(kind)
        socket.linger = _LINGER_MS
        socket.sndhwm, socket.rcvhwm = backlog, incoming
        socket.maxmsgsize = most_bytes
        socket.heartbeat_ivl, socket.heartbeat_timeout = _DEAD_MS // 3, _DEAD_MS
        socket.handshake_ivl = _DEAD_MS
        if self._spec.keys:
            curve_keys.serve(socket, Path(self._spec.keys))
        return socket

    def _authenticator(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> Any:
        from zmq.auth.thread import ThreadAuthenticator

        authenticator = ThreadAuthenticator(context)
        authenticator.start()
        authenticator.configure_curve_callback(curve_keys.DOMAIN, curve_keys.AllowList(folder / "clients"))
        return authenticator

    def _publish_packets(self) -> bool:
        """Publish what was committed; False at the end of the feed."""
        for _ in range(_TURN):
            try:
                packet = self._feed.recv(MAX_PACKET_BYTES)
            except BlockingIOError:
                return True
            except ConnectionError:
                return False
            if not packet:
                return False
            for line in packet.split(b"\n"):
                head = self._head.decode(line)
                known = self._last.get(head.stream, -1)
                if known < head.seq - 1:
                    self._catch_up_with(head.stream, head.seq - 1)
                self._publish(head, line)
        return True

    def _catch_up(self) -> None:
        """Publish what the store has and the feed did not bring."""
        for name, last in self._answers.last().items():
            if self._last.get(name, -1) < last:
                self._catch_up_with(name, last)

    def _catch_up_with(self, stream: str, last: int) -> None:
        after = max(self._last.get(stream, -1), last - _MOST_BEHIND)
        while after < last and (page := self._answers.page(stream, after)) is not None:
            for line in page.events:
                head = self._head.decode(line)
                if head.seq <= last:
                    self._publish(head, line)
            if page.through >= page.last:
                break
            after = page.through

    def _publish(self, head: EventHeader, line: bytes) -> None:
        if head.seq <= self._last.get(head.stream, -1):
            return
        self._last[head.stream] = head.seq
        self._last.move_to_end(head.stream)
        payload = line if self._spec.form == "json" else protocol.as_msgpack(line)
        # What has no room in the queue of a slow peer is dropped there; it will see the gap and ask.
        self._events.send_multipart([protocol.topic(head.stream, head.kind), payload], zmq.NOBLOCK)

    def _beat(self) -> None:
        latest = [name for name, _ in zip(reversed(self._last), range(protocol.MAX_STREAMS), strict=False)]
        beat = protocol.Heartbeat(
            store=self._answers.store, sent_utc=datetime.now(UTC), streams={name: self._last[name] for name in latest}
        )
        self._events.send_multipart([protocol.BEAT_TOPIC, protocol.encode(beat, self._spec.form)], zmq.NOBLOCK)

    def _take_subscriptions(self) -> None:
        """libzmq has acted on them already; here they are counted."""
        for _ in range(_TURN):
            try:
                frames = self._events.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            self._peers[0].subscribes(frames[0])

    def _answer_one(self) -> None:
        """One, then events have their turn again."""
        try:
            envelope = self._requests.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return
        *route, body = envelope
        if len(route) > 2 or not self._peers[1].asks(body):
            return
        form = protocol.form_of(body.bytes)
        reply = protocol.encode(self._answers.reply(body.bytes), form)
        with suppress(zmq.ZMQError):  # it does not read its replies, or has gone; it will ask again
            self._requests.send_multipart([*(frame.bytes for frame in route), reply], zmq.NOBLOCK)


def main() -> None:
    """Run the bus that standard input describes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the feed says when it is over
    spec = msgspec.json.decode(sys.stdin.buffer.readline(), type=Spec)
    setproctitle("stream-ocr: bus")
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(sys.stderr))  # standard output is for the publisher
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, most), most))
    with ExitStack() as opened:
        try:
            bus = opened.enter_context(Bus(spec))
        except (StreamOcrError, zmq.ZMQError, OSError) as error:
            _tell(" ".join(str(error).split()))
            sys.exit(1)
        _tell("")
        bus.run()


def _tell(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Bind; what a bus before this one has not let go yet is waited for."""
    deadline = time.monotonic() + _BIND_S
    while True:
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            if error.errno != zmq.EADDRINUSE or time.monotonic() > deadline:
                raise StreamOcrError(f"The bus cannot listen on {endpoint}: {error.strerror}.") from error
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    main()
