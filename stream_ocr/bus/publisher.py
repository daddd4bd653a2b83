"""The bus process as seen by the process that commits events: it passes them on and never waits."""

import os
import socket as sockets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import msgspec

from stream_ocr.bus.protocol import Format
from stream_ocr.bus.thresholds import THRESHOLDS
from stream_ocr.errors import SinkError
from stream_ocr.logs import get_logger

MAX_PACKET_BYTES = 64 * 1024  # to the bus process: many events in one, yet its memory stays small
# After a flood of subscriptions the bus stayed 40 to 70 MiB larger, with these settings of glibc 5 to 15.
_MALLOC_ENV = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536"}

log = get_logger(__name__)


class BusSpec(msgspec.Struct, frozen=True):
    """Everything that a bus process needs to know at its start."""

    store: str
    events: str
    requests: str
    keys: str | None
    format: Format
    max_peers: int
    backlog: int  # events queued for a slow peer
    feed_fd: int  # socket through which events come; filled in by Publisher


class Publisher:
    """Starts the bus process, passes it committed events, and restarts it if it dies.

    Events that the bus is too busy to receive it reads from the store a second later.
    """

    def __init__(self, spec: BusSpec) -> None:
        self._spec = spec
        self._process: subprocess.Popen[bytes] | None = None
        self._feed: sockets.socket | None = None
        self._started_s = 0.0

    @property
    def pid(self) -> int | None:
        """Process id of the bus, None while it does not run."""
        return self._process.pid if self._process else None

    def open(self) -> None:
        """Start the bus and wait until it listens. Raise SinkError."""
        self._start()
        process = self._process
        assert process is not None, "it has just been started"
        assert process.stdout is not None, "it was given a pipe"
        sentence = process.stdout.readline().decode().strip()
        if sentence or process.poll() is not None:
            self.close()
            raise SinkError(sentence or "The bus ended before it listened; see its error above.")

    def publish(self, lines: Sequence[bytes]) -> None:
        """Pass on events as lines of JSON, in order. Never wait, never raise."""
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
                log.error("connection to the bus lost", reason=str(error))
                self._release()

    def close(self) -> None:
        """Let the bus send what is queued, and end."""
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        if self._process is not None:
            try:
                self._process.wait(THRESHOLDS.exit_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._release()

    def _start(self) -> None:
        self._started_s = time.monotonic()
        ours, theirs = sockets.socketpair(sockets.AF_UNIX, sockets.SOCK_SEQPACKET)
        with theirs:
            ours.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, THRESHOLDS.feed_buffer_bytes)
            spec = msgspec.structs.replace(self._spec, feed_fd=theirs.fileno())
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "stream_ocr.bus.server"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    pass_fds=[theirs.fileno()],
                    env=os.environ | _MALLOC_ENV,
                )
            except OSError as error:
                ours.close()
                raise SinkError(f"The bus could not be started: {error}.") from error
        self._feed = ours
        assert self._process.stdin is not None, "it was given a pipe"
        with self._process.stdin as pipe:
            pipe.write(msgspec.json.encode(spec) + b"\n")

    def _restart(self) -> None:
        """Restart the bus if the last start is long enough ago. Do not wait until it listens."""
        if time.monotonic() - self._started_s < THRESHOLDS.restart_interval_s:
            return
        if self._process is not None:
            log.error("bus died and is restarted", exit_code=self._process.poll())
        self._release()
        try:
            self._start()
        except SinkError as error:
            log.error("bus cannot be restarted", reason=str(error))

    def _release(self) -> None:
        if self._feed is not None:
            self._feed.close()
            self._feed = None
        if self._process is not None and self._process.poll() is not None:
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None


def _packets(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Yield packets of lines. A line that is too long for any packet is left out; the bus reads it from the store."""
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
