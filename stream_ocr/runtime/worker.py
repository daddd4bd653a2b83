"""The one loop of a worker process: receive, batch, process, send, beat.

It reads its ``WorkerSpec`` as one line of JSON from standard input; a second line lets a source begin. The end of the
input lets a worker go that has finished its part: what a sender still holds would be lost if it left earlier (libzmq
#4660). A worker never outlives its supervisor.
"""

import faulthandler
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from types import FrameType
from typing import Any, NoReturn, Protocol, cast, runtime_checkable

import msgspec
import zmq
from setproctitle import setproctitle

from stream_ocr.config.settings import debug_enabled
from stream_ocr.core import messages
from stream_ocr.core.messages import FrameRef, Message, StreamClosed, Watermark
from stream_ocr.errors import SourceError, StreamOcrError, WorkerError
from stream_ocr.runtime.batching import batches
from stream_ocr.runtime.heartbeat import Heartbeat
from stream_ocr.runtime.inflight import InflightJournal
from stream_ocr.runtime.retry import Retried, RetryingStage
from stream_ocr.runtime.ring_registry import MappedRings, ResendState, SourcesChanged
from stream_ocr.runtime.transport import Inbox, Outbox
from stream_ocr.runtime.watermark import WatermarkEmitter
from stream_ocr.runtime.worker_counters import WorkerCounters
from stream_ocr.runtime.worker_process import (
    CountersUpdate,
    Failed,
    Finished,
    Quarantined,
    Ready,
    SlotsReclaimed,
    Status,
    WorkerSpec,
)
from stream_ocr.stages.base import Stage

FAILURE_EXIT = 70  # EX_SOFTWARE of sysexits.h


class Source(Protocol):
    """A stage without input: the first of a stream."""

    def run(self, stop: Callable[[], bool]) -> Iterator[Message]:
        """The messages of the stream, ``StreamClosed`` last, also when ``stop()`` cut it short."""
        ...


class Renewable(Protocol):
    """A stage before one that may forget what it was told."""

    def renew(self) -> None:
        """Tell everything again, as if to somebody new."""
        ...


@runtime_checkable
class Configurable(Protocol):
    """A stage that depends on the settings of sources."""

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Go on with other settings of sources."""
        ...


Factory = Callable[..., AbstractContextManager[Any]]


def main(fds: Mapping[int, int]) -> NoReturn:
    """Run the worker that standard input describes. fds: file descriptors by the numbers that it says."""
    faulthandler.enable()
    line = sys.stdin.buffer.readline()
    if not line:
        os._exit(0)
    spec = msgspec.json.decode(line, type=WorkerSpec).with_fds(fds)
    setproctitle(f"stream-ocr: {spec.process.name}")
    try:
        code = _report(spec)
    except SystemExit:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # libraries that hang or crash while the interpreter is taken down have done so often enough


def _report(spec: WorkerSpec) -> int:
    """Run, and tell the supervisor how it went; the exit code."""

    tell = partial(_tell, spec.status_fd)
    os.set_blocking(spec.status_fd, False)
    try:
        sent = Worker(spec, tell).run()
    except Exception as error:  # noqa: BLE001 whatever it is, the supervisor says it
        if isinstance(error, StreamOcrError):
            sentence = str(error)
        else:
            if debug_enabled():
                traceback.print_exc()
            sentence = " ".join(f"{type(error).__name__}: {error}".split())
        tell(Failed(type(error).__name__, sentence))
        return FAILURE_EXIT
    tell(Finished(sent))
    sys.stdin.buffer.read()
    return 0


def _tell(fd: int, status: Status) -> None:
    """Counts are not worth waiting for a supervisor that does not listen; they come again."""
    line = msgspec.json.encode(status) + b"\n"
    while line:
        try:
            line = line[os.write(fd, line) :]
        except BlockingIOError:
            if isinstance(status, CountersUpdate) and len(line) <= select.PIPE_BUF:
                return
            select.select([], [fd], [])


class Worker:
    """One stage between its inbox and its outbox."""

    def __init__(self, spec: WorkerSpec, tell: Callable[[Status], None]) -> None:
        self._spec, self._tell = spec, tell
        self._heart = Heartbeat(spec.heartbeat_fd)
        self._heart.enter("starting")
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._outbox = Outbox(context, spec.target_address, spec.target_key, self._heart.beat)
        self._inbox = None
        if spec.source_address is not None and spec.source_keys is not None:
            self._inbox = Inbox(context, spec.source_address, spec.source_keys, self._heart.beat)
        self._rings = MappedRings(spec.rings, socket.socket(fileno=spec.orders_fd), self._waiting)
        self._marker = None
        if spec.live and spec.process.fills:  # otherwise nothing can be lost: the first death is the end of the run
            self._marker = WatermarkEmitter(self._rings[spec.process.fills], spec.process.fills)
        self._tally = WorkerCounters(tell)
        self._stopped = False
        self._sent = 0

    def run(self) -> int:
        """Until every stream has closed; the number of messages sent."""
        signal.signal(signal.SIGTERM, self._on_terminate)
        process = self._spec.process
        factory = _load(process.factory)
        arguments = dict(process.arguments)
        if process.counts_lives:
            arguments["life"] = self._spec.life

        def build() -> AbstractContextManager[Any]:
            return factory(self._spec.settings, self._rings, **arguments)

        if self._inbox is None:
            self._run_source(build)
        else:
            with build() as stage:
                self._ready(stage)
                self._run_stage(stage, self._inbox)
        self._heart.enter("finished")
        return self._sent

    def _run_stage(self, stage: Stage, inbox: Inbox) -> None:
        process, live = self._spec.process, self._spec.live
        checked = self._rings.without_lost if live else _as_it_is
        careful = None
        if self._spec.hand_fd is not None:
            hand = InflightJournal(self._spec.hand_fd)
            careful = RetryingStage(cast(Retried, stage), hand, process.max_items, self._send_all, self._aside)
            careful.take_over(checked)
        limit = careful or process
        open_streams = set(self._spec.streams)
        for batch in batches(inbox.receive, lambda: limit.max_items, process.max_wait_ms / 1000):
            self._heart.beat(len(batch))
            self._obey(stage)
            given = [checked(message) for message in batch if not isinstance(message, StreamClosed | Watermark)]
            self._tally.took(len(given))
            if given and careful:
                careful.process(given)
            elif given:
                self._send_all(stage.process(given))
            match batch[-1]:
                case StreamClosed() as closed:
                    self._send_all(stage.close(closed))
                    open_streams.discard(closed.stream)
                case Watermark() as mark:
                    self._pass_on(mark)
            self._tally.tell(stage)
            if not open_streams and not live:
                return

    def _run_source(self, build: Callable[[], AbstractContextManager[Source]]) -> None:
        """A source that cannot be read ends its own stream and nothing else."""
        stream = self._spec.process.arguments["stream"]
        seen_s = 0.0, 0.0
        last: Message | None = None
        try:
            with build() as source:
                self._ready(source)
                for message in source.run(self._stop):
                    self._send_all([message])
                    self._tally.tell(source)
                    if isinstance(message, FrameRef):
                        seen_s = message.stamp.time_s if last is None else seen_s[0], message.stamp.end_s
                    last = message
                self._tally.tell(source, every_s=0.0)
        except SourceError as error:
            if isinstance(last, StreamClosed):
                raise
            if self._heart.state == "starting":
                self._ready(None)
            last = StreamClosed(stream, str(error), *seen_s, {})
            self._send_all([last])
        if not isinstance(last, StreamClosed):
            raise WorkerError(f"The source of stream {stream!r} ended without closing it.")

    def _send_all(self, outputs: Iterable[Message]) -> None:
        for message in outputs:
            self._outbox.send(message)
            self._sent += 1
            self._heart.beat(1)
            if self._marker:
                self._marker.sent()
            self._mark()

    def _waiting(self) -> None:
        """Called while there is no free slot."""
        self._heart.beat()
        self._mark()

    def _mark(self) -> None:
        """Say now and then how far the ring has been filled that this worker fills."""
        if self._marker and (mark := self._marker.due()):
            self._outbox.send(mark)

    def _pass_on(self, mark: Watermark) -> None:
        """Settle the slots that this worker gives back; the others are the business of a later one."""
        frees = self._spec.process.frees
        if frees is None or not mark.ring.startswith(frees):
            self._outbox.send(mark)
        elif lost := self._rings.settle(mark):
            self._tell(SlotsReclaimed(mark.ring, lost))

    def _obey(self, stage: Stage) -> None:
        for order in self._rings.orders():
            match order:
                case ResendState():
                    cast(Renewable, stage).renew()
                case SourcesChanged(settings) if isinstance(stage, Configurable):
                    stage.configure(settings)

    def _aside(self, message: Message) -> None:
        self._tell(Quarantined(messages.encode(message)))

    def _ready(self, stage: object) -> None:
        """Say so; a source then waits until it is told to begin."""
        notes: Mapping[str, object] = getattr(stage, "notes", {})
        self._tell(Ready({name: str(note) for name, note in notes.items() if note is not None}))
        if self._inbox is None and not sys.stdin.buffer.readline():
            raise SystemExit
        self._heart.enter("running")

    def _stop(self) -> bool:
        self._heart.beat()
        return self._stopped

    def _on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        """A source ends its stream in good order; other stages close what they hold and leave."""
        self._stopped = True
        if self._inbox is not None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough; what is open is being closed
            raise SystemExit


def _as_it_is(message: Message) -> Message:
    return message


def _load(path: str) -> Factory:
    """The factory at ``package.module:name``."""
    module, _, name = path.partition(":")
    factory: Factory = getattr(importlib.import_module(module), name)
    return factory
