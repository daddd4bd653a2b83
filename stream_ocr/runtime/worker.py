"""The one loop of a worker process: receive, batch, process, send, beat.

``python -m stream_ocr.runtime.worker`` reads its ``WorkerSpec`` as one line of JSON from standard input; a second line
lets a source begin. The end of the input lets a worker go that has finished its part: what a sender still holds would
be lost if it left earlier (libzmq #4660). A worker never outlives its supervisor.
"""

import ctypes
import faulthandler
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any, Protocol

import msgspec
import zmq
from setproctitle import setproctitle

from stream_ocr.errors import SourceError, StreamOcrError, WorkerError
from stream_ocr.messages import FrameRef, Message, StreamClosed
from stream_ocr.runtime.control import Failed, Finished, Ready, Status, WorkerSpec
from stream_ocr.runtime.heartbeat import Heartbeat, Heartbeats
from stream_ocr.runtime.ring import Ring
from stream_ocr.runtime.transport import Inbox, Outbox
from stream_ocr.settings import debugging
from stream_ocr.stages.base import Slots, Stage

FAILURE_EXIT = 70  # EX_SOFTWARE of sysexits.h
_PATIENCE_S = 0.1
_PR_SET_PDEATHSIG = 1


class Source(Protocol):
    """A stage without input: the first of a stream."""

    def run(self, stop: Callable[[], bool]) -> Iterator[Message]:
        """The messages of the stream, ``StreamClosed`` last, also when ``stop()`` cut it short."""
        ...


Factory = Callable[..., AbstractContextManager[Any]]


def main() -> None:
    """Run the worker that standard input describes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the supervisor decides
    faulthandler.enable()
    _die_with_parent()
    line = sys.stdin.buffer.readline()
    if not line:
        return
    spec = msgspec.json.decode(line, type=WorkerSpec)
    if os.getppid() != spec.supervisor:  # it died before the kernel was asked to tell
        return
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

    def tell(status: Status) -> None:
        os.write(spec.status_fd, msgspec.json.encode(status) + b"\n")

    try:
        sent = Worker(spec, tell).run()
    except Exception as error:  # noqa: BLE001 whatever it is, the supervisor says it
        if isinstance(error, StreamOcrError):
            sentence = str(error)
        else:
            if debugging():
                traceback.print_exc()
            sentence = " ".join(f"{type(error).__name__}: {error}".split())
        tell(Failed(type(error).__name__, sentence))
        return FAILURE_EXIT
    tell(Finished(sent))
    sys.stdin.buffer.read()
    return 0


class Worker:
    """One stage between its inbox and its outbox."""

    def __init__(self, spec: WorkerSpec, tell: Callable[[Status], None]) -> None:
        self._spec, self._tell = spec, tell
        self._heart: Heartbeat = Heartbeats(spec.heartbeat_fd)[spec.heartbeat_line]
        self._heart.enter("starting")
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._outbox = Outbox(context, spec.target_address, spec.target_key, self._heart.beat)
        self._inbox = None
        if spec.source_address is not None and spec.source_keys is not None:
            self._inbox = Inbox(context, spec.source_address, spec.source_keys, self._heart.beat)
        self._stopped = False
        self._sent = 0

    def run(self) -> int:
        """Until every stream has closed; the number of messages sent."""
        signal.signal(signal.SIGTERM, self._on_terminate)
        process = self._spec.process
        rings: dict[str, Slots] = {name: Ring.attach(fd, self._heart.beat) for name, fd in self._spec.rings.items()}
        build = _load(process.factory)
        if self._inbox is None:
            self._run_source(lambda: build(self._spec.settings, rings, **process.arguments))
        else:
            with build(self._spec.settings, rings, **process.arguments) as stage:
                self._ready(stage)
                self._run_stage(stage, self._inbox)
        self._heart.enter("finished")
        return self._sent

    def _run_stage(self, stage: Stage, inbox: Inbox) -> None:
        process = self._spec.process
        open_streams = set(self._spec.streams)
        for batch in batches(inbox.receive, process.max_items, process.max_wait_ms / 1000):
            self._heart.beat(len(batch))
            closed = batch[-1] if isinstance(batch[-1], StreamClosed) else None
            before = batch[:-1] if closed else batch
            if before:
                self._send_all(stage.process(before))
            if closed:
                self._send_all(stage.close(closed))
                open_streams.discard(closed.stream)
            if not open_streams:
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
                    if isinstance(message, FrameRef):
                        seen_s = message.stamp.time_s if last is None else seen_s[0], message.stamp.end_s
                    last = message
        except SourceError as error:
            if isinstance(last, StreamClosed):
                raise
            if self._heart.state == "starting":
                self._ready(None)
            last = StreamClosed(stream, str(error), *seen_s, {})
            self._send_all([last])
        if not isinstance(last, StreamClosed):
            raise WorkerError(f"The source of stream {stream!r} ended without closing it.")

    def _send_all(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._outbox.send(message)
            self._sent += 1
            self._heart.beat(1)

    def _ready(self, stage: object) -> None:
        """Say so; a source then waits for the others."""
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


def batches(receive: Callable[[float], Message | None], max_items: int, max_wait_s: float) -> Iterator[list[Message]]:
    """Messages in groups of ``max_items``, or fewer ``max_wait_s`` after the first; ``StreamClosed`` ends a group."""
    while True:
        first = receive(_PATIENCE_S)
        if first is None:
            continue
        batch = [first]
        deadline = time.monotonic() + max_wait_s
        while len(batch) < max_items and not isinstance(batch[-1], StreamClosed):
            message = receive(max(0.0, deadline - time.monotonic()))
            if message is None:
                break
            batch.append(message)
        yield batch


def _load(path: str) -> Factory:
    """The factory at ``package.module:name``."""
    module, _, name = path.partition(":")
    factory: Factory = getattr(importlib.import_module(module), name)
    return factory


def _die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it is gone."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")


if __name__ == "__main__":
    main()
