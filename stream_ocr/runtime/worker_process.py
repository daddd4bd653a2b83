"""What a supervisor tells a worker, once, and what the worker tells in return: a line of JSON each, through pipes.

Workers are forks of a server of our own and not of ``multiprocessing``, so that it works from a script without a main
guard, a REPL or a notebook.
"""

import os
import socket
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any, Self

import msgspec

from stream_ocr.runtime.fork_client import ForkServer
from stream_ocr.runtime.heartbeat import Heartbeat
from stream_ocr.runtime.ring_registry import Order
from stream_ocr.runtime.topology import Process
from stream_ocr.runtime.transport import Keys


class WorkerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """All that a worker is told."""

    process: Process
    settings: Mapping[str, Any]
    live: bool  # goes on until it is told to end
    streams: tuple[str, ...] = ()  # otherwise: closed one after the other, they are the end of this worker's part
    life: int = 0  # how many others have had its place before
    source_address: str | None
    source_keys: Keys | None
    target_address: str
    target_key: str  # public
    rings: Mapping[str, int]  # name: file descriptor
    hand_fd: int | None = None
    heartbeat_fd: int = -1  # this one and the following are filled in by WorkerProcess
    status_fd: int = -1
    orders_fd: int = -1

    @property
    def fds(self) -> list[int]:
        """All file descriptors."""
        hand = [] if self.hand_fd is None else [self.hand_fd]
        return [*self.rings.values(), *hand, self.heartbeat_fd, self.status_fd, self.orders_fd]

    def with_fds(self, fds: Mapping[int, int]) -> Self:
        """The same with other numbers for its file descriptors."""
        return msgspec.structs.replace(
            self,
            rings={name: fds[fd] for name, fd in self.rings.items()},
            hand_fd=None if self.hand_fd is None else fds[self.hand_fd],
            heartbeat_fd=fds[self.heartbeat_fd],
            status_fd=fds[self.status_fd],
            orders_fd=fds[self.orders_fd],
        )


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The stage is entered. notes: what it says of itself, such as the device that it took."""

    notes: dict[str, str]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The worker is about to leave with ``FAILURE_EXIT``."""

    error: str  # name of its class
    sentence: str


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """Every stream has closed, and so has the stage."""

    sent: int  # messages in all


class SlotsReclaimed(msgspec.Struct, frozen=True, tag="lost"):
    """Slots whose references were lost with another worker have been taken back."""

    ring: str
    slots: int


class Quarantined(msgspec.Struct, frozen=True, tag="set aside"):
    """A message killed its worker twice, the second time alone, and was not tried again."""

    message: bytes  # as it came


class CountersUpdate(msgspec.Struct, frozen=True, tag="counted"):
    """What a worker has counted since it began, of one stream or (the empty name) of itself."""

    stream: str
    counts: Mapping[str, int]


Status = Ready | Failed | Finished | SlotsReclaimed | Quarantined | CountersUpdate


class WorkerProcess:
    """A worker as its supervisor sees it.

    ready, failed and finished: what it has said of itself. news: what else it has said and nobody has taken yet.
    """

    def __init__(self, spec: WorkerSpec, forks: ForkServer) -> None:
        """Starts it."""
        self.process: Process = spec.process
        self.ready: Ready | None = None
        self.failed: Failed | None = None
        self.finished: Finished | None = None
        self.news: list[SlotsReclaimed | Quarantined] = []
        self.counts: dict[str, Mapping[str, int]] = {}  # by stream
        self._heard = (0, 0.0)
        self._unread = b""
        self._open = ExitStack()
        with ExitStack() as theirs, ExitStack() as ours:
            self._status, status_fd = os.pipe()
            ours.callback(os.close, self._status)
            theirs.callback(os.close, status_fd)
            self._orders, orders = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.enter_context(self._orders)
            theirs.enter_context(orders)
            self.heart = Heartbeat.create()
            ours.callback(self.heart.close)
            os.set_blocking(self._status, False)
            self._orders.setblocking(False)
            spec = msgspec.structs.replace(
                spec, heartbeat_fd=self.heart.fd, status_fd=status_fd, orders_fd=orders.fileno()
            )
            stdin, self._stdin = os.pipe()
            theirs.callback(os.close, stdin)
            ours.callback(self._close_stdin)
            self.fork = forks.fork(stdin, spec.fds)
            ours.callback(self.fork.close)
            self._open = ours.pop_all()
        self._write(msgspec.json.encode(spec))

    def begin(self) -> None:
        """Let a source run, now that it is ready."""
        self._write(b"")

    def trouble(self) -> str | None:
        """Why the worker is gone, as in "The …."; None while it runs."""
        code = self.fork.poll()
        self._read_status()
        name = f"{self.process.name} worker"
        if self.failed is not None:
            return f"{name} failed: {self.failed.sentence.rstrip('.')}"
        if code is None:
            return None
        return f"{name} was killed by signal {-code}" if code < 0 else f"{name} ended with exit code {code}"

    def silence_s(self, watched_s: float) -> float:
        """How long it has given no sign of life, in watched seconds."""
        beat = self.heart.last_ns
        if beat != self._heard[0] or self.heart.state != "running":
            self._heard = (beat, watched_s)
        return watched_s - self._heard[1]

    def order(self, order: Order, *fds: int) -> None:
        """Tell it something while it runs."""
        with suppress(
            BrokenPipeError, ConnectionResetError, BlockingIOError
        ):  # it is dead or hangs; the watch will see
            socket.send_fds(self._orders, [msgspec.json.encode(order)], fds)

    def let_go(self) -> None:
        """Ask it to end."""
        self._close_stdin()
        self.fork.terminate()

    def end(self, patience_s: float) -> None:
        """Wait for its end, and kill it when that takes too long."""
        try:
            self.fork.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.fork.kill()
            self.fork.wait()
        self._read_status()
        self._open.close()

    def _read_status(self) -> None:
        with suppress(BlockingIOError):
            while data := os.read(self._status, 65536):
                self._unread += data
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            match msgspec.json.decode(line, type=Status):
                case Ready() as ready:
                    self.ready = ready
                case Failed() as failed:
                    self.failed = failed
                case Finished() as finished:
                    self.finished = finished
                case SlotsReclaimed() | Quarantined() as news:
                    self.news.append(news)
                case CountersUpdate(stream, counts):
                    self.counts[stream] = counts

    def _write(self, line: bytes) -> None:
        left = line + b"\n"
        with suppress(BrokenPipeError):  # it died; the watch will say so
            while left:
                left = left[os.write(self._stdin, left) :]

    def _close_stdin(self) -> None:
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1
