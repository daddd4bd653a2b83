"""The bus as seen by the process that commits events: hand them over, never wait."""

import os
import socket as sockets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import msgspec
import structlog

from stream_ocr.bus.protocol import Format
from stream_ocr.errors import SinkError

MAX_PACKET_BYTES = 64 * 1024
_RESTART_S = 5.0
_END_S = 5.0
_BUFFER_BYTES = 4 * 2**20
# One who floods the bus with subscriptions left it 40 to 70 MiB larger, with this 5 to 15 (glibc).
_FRUGAL = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536"}

log = structlog.get_logger(__name__)


class Spec(msgspec.Struct, frozen=True):
    """All that a bus is told."""

    store: str
    events: str
    requests: str
    keys: str | None
    form: Format
    max_peers: int
    backlog: int  # events that wait for a slow peer
    feed: int  # file descriptor


class Publisher:
    """Starts the process of the bus, hands it what was committed, and starts it again should it die.

    What the bus is too busy to take it reads from the store a second later.
    """

    def __init__(self, spec: Spec) -> None:
        """spec: ``feed`` is filled in here."""
        self._spec = spec
        self._process: subprocess.Popen[bytes] | None = None
        self._feed: sockets.socket | None = None
        self._started_s = 0.0

    @property
    def pid(self) -> int | None:
        """Of the bus."""
        return self._process.pid if self._process else None

    def open(self) -> None:
        """Start the bus and wait until it listens. Raises SinkError."""
        self._start()
        process = self._process
        assert process is not None, "it has just been started"
        assert process.stdout is not None, "it was given a pipe"
        sentence = process.stdout.readline().decode().strip()
        if sentence or process.poll() is not None:
            self.close()
            raise SinkError(sentence or "The bus ended before it listened; see its error above.")

    def publish(self, lines: Sequence[bytes]) -> None:
        """Hand over events as lines of JSON, in order."""
        if self._feed is None or (self._process is not None and self._process.poll() is not None):
            self._restart()
        for packet in _packets(lines):
            if self._feed is None:
                return
            try:
                self._feed.send(packet, sockets.MSG_DONTWAIT | sockets.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError as error:
                log.error("bus is gone", reason=str(error))
                self._let_go()

    def close(self) -> None:
        """Let the bus send what it has, and end."""
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        if self._process is not None:
            try:
                self._process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._let_go()

    def _start(self) -> None:
        self._started_s = time.monotonic()
        ours, theirs = sockets.socketpair(sockets.AF_UNIX, sockets.SOCK_SEQPACKET)
        with theirs:
            ours.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, _BUFFER_BYTES)
            spec = msgspec.structs.replace(self._spec, feed=theirs.fileno())
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "stream_ocr.bus.server"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    pass_fds=[theirs.fileno()],
                    env=os.environ | _FRUGAL,
                )
            except OSError as error:
                ours.close()
                raise SinkError(f"The bus could not be started: {error}.") from error
        self._feed = ours
        assert self._process.stdin is not None, "it was given a pipe"
        with self._process.stdin as pipe:
            pipe.write(msgspec.json.encode(spec) + b"\n")

    def _restart(self) -> None:
        """Not too often, and without waiting until it listens."""
        if time.monotonic() - self._started_s < _RESTART_S:
            return
        if self._process is not None:
            log.error("bus died and is started again", exit_code=self._process.poll())
        self._let_go()
        try:
            self._start()
        except SinkError as error:
            log.error("bus cannot be started again", reason=str(error))

    def _let_go(self) -> None:
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        if self._process is not None and self._process.poll() is not None:
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None


def _packets(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Lines put together, as many as a packet holds; one that is too long for any the bus reads from the store."""
    packet: list[bytes] = []
    size = 0
    for line in lines:
        if len(line) > MAX_PACKET_BYTES:
            continue
        if packet and size + len(line) >= MAX_PACKET_BYTES:
            yield b"\n".join(packet)
            packet, size = [], 0
        packet.append(line)
        size += len(line) + 1
    if packet:
        yield b"\n".join(packet)
