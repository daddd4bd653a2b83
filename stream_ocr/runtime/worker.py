"""The one loop of a worker process: receive, batch, process, send, beat.

It reads its ``WorkerSpec`` as one line of JSON from standard input; a second line lets a source start. A worker that
has finished waits for the end of its input, because messages still queued in its socket would be lost if it left
earlier (libzmq #4660). A worker never outlives its supervisor.
"""

import faulthandler
import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from types import FrameType
from typing import Any, NoReturn, Protocol

import msgspec
import zmq
from setproctitle import setproctitle

from stream_ocr.config.settings import debug_enabled
from stream_ocr.confinement import Access, confine
from stream_ocr.core import messages
from stream_ocr.core.messages import FrameRef, Message, SourceChanged, StreamClosed, Watermark
from stream_ocr.errors import SourceError, StreamOcrError, WorkerError
from stream_ocr.runtime.batching import batches
from stream_ocr.runtime.control_messages import (
    CountersUpdate,
    Failed,
    Finished,
    Quarantined,
    Ready,
    ResendState,
    SlotsReclaimed,
    SourcesChanged,
    Status,
    WorkerSpec,
)
from stream_ocr.runtime.counters import WorkerCounters
from stream_ocr.runtime.heartbeat import Heartbeat
from stream_ocr.runtime.retry import InflightJournal, RetryingStage
from stream_ocr.runtime.ring_registry import RingRegistry
from stream_ocr.runtime.thresholds import THRESHOLDS
from stream_ocr.runtime.trace import Trace
from stream_ocr.runtime.transport import Inbox, Outbox
from stream_ocr.runtime.watermark import WatermarkEmitter
from stream_ocr.stages.base import SourceStage, Stage

FAILURE_EXIT = 70  # EX_SOFTWARE of sysexits.h


def main(fds: Mapping[int, int]) -> NoReturn:
    """Run the worker that standard input describes. fds: file descriptors by their numbers in its ``WorkerSpec``."""
    faulthandler.enable()
    line = sys.stdin.buffer.readline()
    if not line:
        os._exit(0)
    spec = msgspec.json.decode(line, type=WorkerSpec).with_fds(fds)
    setproctitle(f"stream-ocr: {spec.process.name}")
    try:
        code = _run(spec)
    except SystemExit:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # libraries often hang or crash while the interpreter shuts down


def _run(spec: WorkerSpec) -> int:
    """Run the worker and report how it ended. Return the exit code."""
    report = partial(_report, spec.status_fd)
    os.set_blocking(spec.status_fd, False)
    try:
        trace = Trace(spec.trace, spec.process.name)
        _confine(spec.process.access)  # while there is one thread
        sent = Worker(spec, report, trace).run()
    except Exception as error:  # noqa: BLE001 every exception is reported to the supervisor
        if isinstance(error, StreamOcrError):
            sentence = str(error)
        else:
            if debug_enabled():
                traceback.print_exc()
            sentence = " ".join(f"{type(error).__name__}: {error}".split())
        report(Failed(type(error).__name__, sentence))
        return FAILURE_EXIT
    report(Finished(sent))
    sys.stdin.buffer.read()
    return 0


def _confine(access: Access | None) -> None:
    if access is None:
        return
    try:
        confine(access)
    except OSError as error:
        raise WorkerError(
            f"The kernel does not let this process confine itself: {error.strerror}; set decode.confined: false to read"
            " without confinement."
        ) from error


def _report(fd: int, status: Status) -> None:
    """Write a status. Counters are dropped if the supervisor does not read; they are sent again."""
    line = msgspec.json.encode(status) + b"\n"
    while line:
        try:
            line = line[os.write(fd, line) :]
        except BlockingIOError:
            if isinstance(status, CountersUpdate) and len(line) <= select.PIPE_BUF:
                return
            select.select([], [fd], [])


class Service(AbstractContextManager[object], Protocol):
    """Serves others while it is entered, in threads of its own."""

    def check(self) -> None:
        """Called ten times a second. Raise StreamOcrError to be replaced."""


class Worker:
    """One stage between its inbox and its outbox."""

    def __init__(self, spec: WorkerSpec, report: Callable[[Status], None], trace: Trace) -> None:
        self._spec, self._report, self._trace = spec, report, trace
        self._heartbeat = Heartbeat(spec.heartbeat_fd)
        self._heartbeat.enter("starting")
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._outbox = self._inbox = None
        if spec.target_address is not None and spec.target_key is not None:
            self._outbox = Outbox(context, spec.target_address, spec.target_key, self._heartbeat.beat)
        if spec.source_address is not None and spec.source_keys is not None:
            self._inbox = Inbox(context, spec.source_address, spec.source_keys, self._heartbeat.beat)
        self._rings = RingRegistry(spec.rings, socket.socket(fileno=spec.commands_fd), self._on_wait)
        self._watermarks = None
        if spec.live and spec.process.writes:  # otherwise the first death ends the run, and no slot can be lost
            self._watermarks = WatermarkEmitter(self._rings[spec.process.writes], spec.process.writes)
        self._counters = WorkerCounters(report)
        self._stopped = False
        self._sent = 0
        self._is_down = False
        access = spec.process.access if spec.live else None
        self._access = None if access is None else (access, access.state())

    def run(self) -> int:
        """Run until every stream has closed. Return the number of messages sent."""
        signal.signal(signal.SIGTERM, self._on_terminate)
        if self._spec.process.is_service:
            self._run_service()
        elif self._inbox is None:
            self._run_source()
        else:
            stage: Stage = self._build()
            with stage:
                self._ready(Ready(dict(stage.notes)))
                self._run_stage(stage, self._inbox)
        self._heartbeat.enter("finished")
        return self._sent

    def _build(self) -> Any:
        """Return the stage that the factory of the process builds, not entered yet."""
        process = self._spec.process
        arguments = dict(process.arguments)
        if process.stream is not None:
            arguments["stream"] = process.stream
        if process.fds:
            arguments["fds"] = process.fds
        if process.wants_incarnation:
            arguments["incarnation"] = self._spec.incarnation
        return _load(process.factory)(self._spec.settings, self._rings, **arguments)

    def _run_stage(self, stage: Stage, inbox: Inbox) -> None:
        process, live = self._spec.process, self._spec.live
        prepare = self._rings.without_lost if live else _unchanged
        retrying = None
        if self._spec.inflight_fd is not None:
            journal = InflightJournal(self._spec.inflight_fd)
            retrying = RetryingStage(stage, journal, process.max_items, self._send_all, self._on_quarantine)
            retrying.recover(prepare)
        limit = retrying or process
        open_streams = set(self._spec.streams)
        for batch in batches(
            inbox.receive, lambda: limit.max_items, process.max_wait_ms / 1000, stage.gains_from_batches
        ):
            self._heartbeat.beat(len(batch))
            self._trace.begin()
            self._execute_commands(stage)
            inputs = [prepare(message) for message in batch if not isinstance(message, StreamClosed | Watermark)]
            self._counters.add_batch(len(inputs))
            if inputs and retrying:
                retrying.process(inputs)
            elif inputs:
                self._send_all(stage.process(inputs))
            match batch[-1]:
                case StreamClosed() as closed:
                    self._send_all(stage.close(closed))
                    open_streams.discard(closed.stream)
                case Watermark() as watermark:
                    self._on_watermark(watermark)
            self._trace.end(inputs)
            self._counters.send(stage)
            if not open_streams and not live:
                return

    def _run_service(self) -> None:
        service: Service = self._build()
        with service:
            self._ready(Ready())
            while not self._should_stop():
                self._rings.commands()  # rings are added and dropped
                service.check()
                time.sleep(THRESHOLDS.poll_s)

    def _run_source(self) -> None:
        """Run a source. One that cannot be read ends its own stream and nothing else."""
        stream = self._spec.process.stream
        assert stream is not None, "a process without input reads a stream"
        span_s = 0.0, 0.0
        last: Message | None = None
        try:
            source: SourceStage = self._build()
            with source:
                self._ready(Ready(dict(source.notes), source.duration_s))
                self._trace.begin()
                for message in source.run(self._should_stop):
                    if isinstance(message, StreamClosed):
                        message = self._stamped(message)
                    self._send_all([message])
                    self._trace.end([message])
                    self._trace.begin()
                    self._counters.send(source)
                    self._is_down = isinstance(message, SourceChanged) and message.kind == "down"
                    if isinstance(message, FrameRef):
                        span_s = message.stamp.time_s if last is None else span_s[0], message.stamp.end_s
                    last = message
                self._counters.send(source, interval_s=0.0)
        except SourceError as error:
            if isinstance(last, StreamClosed):
                raise
            if self._heartbeat.state == "starting":
                self._ready(Ready())
            last = self._stamped(StreamClosed(stream, str(error), *span_s, {}))
            self._send_all([last])
        if not isinstance(last, StreamClosed):
            raise WorkerError(f"The source of stream {stream!r} ended without closing it.")

    def _stamped(self, closed: StreamClosed) -> StreamClosed:
        return msgspec.structs.replace(closed, incarnation=self._spec.incarnation)

    def _send_all(self, outputs: Iterable[Message]) -> None:
        for message in outputs:
            self._send(message)
            self._sent += 1
            self._heartbeat.beat(1)
            if self._watermarks:
                self._watermarks.sent()
            self._send_watermark()

    def _on_wait(self) -> None:
        """Beat while there is no free slot."""
        self._trace.note_wait()
        self._heartbeat.beat()
        self._send_watermark()

    def _send_watermark(self) -> None:
        """Send the watermark of the ring that this worker writes, if one is due."""
        if self._watermarks and (watermark := self._watermarks.due()):
            self._send(watermark)

    def _send(self, message: Message | Watermark) -> None:
        assert self._outbox is not None, "a service sends nothing"
        self._outbox.send(message)

    def _on_watermark(self, watermark: Watermark) -> None:
        """Reclaim the slots that this worker releases; pass on watermarks of other rings."""
        releases = self._spec.process.releases
        if releases is None or not watermark.ring.startswith(releases):
            self._send(watermark)
        elif reclaimed := self._rings.reclaim(watermark):
            self._report(SlotsReclaimed(watermark.ring, reclaimed))

    def _execute_commands(self, stage: Stage) -> None:
        for command in self._rings.commands():
            match command:
                case ResendState():
                    stage.resend()
                case SourcesChanged(settings):
                    stage.configure(settings)

    def _on_quarantine(self, message: Message) -> None:
        self._report(Quarantined(messages.encode(message)))

    def _ready(self, status: Ready) -> None:
        """Report that the stage is entered; a source then waits for its start."""
        gc.freeze()  # collections need not visit what was imported and loaded
        gc.enable()
        self._report(status)
        if self._inbox is None and not sys.stdin.buffer.readline():
            raise SystemExit
        self._heartbeat.enter("running")

    def _should_stop(self) -> bool:
        self._heartbeat.beat()
        if self._is_down and self._access and self._access[0].state() != self._access[1]:
            raise WorkerError("A file or device that it needs was replaced; only its successor can open it.")
        return self._stopped

    def _on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        """Let a source close its stream; other stages close what they hold and exit."""
        self._stopped = True
        if self._inbox is not None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal must not interrupt the closing
            raise SystemExit


def _unchanged(message: Message) -> Message:
    return message


def _load(path: str) -> Callable[..., Any]:
    """Return the factory at "module:function"."""
    module, _, name = path.partition(":")
    factory: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return factory
