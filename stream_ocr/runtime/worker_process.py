"""A worker process as its supervisor sees it.

Workers are forks of our own server and not of ``multiprocessing``, so this works from a script without a main guard,
a REPL or a notebook.
"""

import os
import socket
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack, suppress

import msgspec

from stream_ocr.runtime.control_messages import (
    Command,
    CountersUpdate,
    Failed,
    Finished,
    Quarantined,
    Ready,
    SlotsReclaimed,
    Status,
    WorkerSpec,
)
from stream_ocr.runtime.fork_client import ForkServer
from stream_ocr.runtime.heartbeat import Heartbeat
from stream_ocr.runtime.topology import Process

_READ_BYTES = 65536  # capacity of a pipe on Linux


class WorkerProcess:
    """Handle of one worker.

    ready, failed and finished: the last status of that type, or None. counts: latest totals by stream. incidents:
    status messages that nobody has taken yet.
    """

    def __init__(self, spec: WorkerSpec, fork_server: ForkServer) -> None:
        """Start the worker."""
        self.process: Process = spec.process
        self.ready: Ready | None = None
        self.failed: Failed | None = None
        self.finished: Finished | None = None
        self.incidents: list[SlotsReclaimed | Quarantined] = []
        self.counts: dict[str, Mapping[str, int]] = {}
        self._is_started = False
        self._last_beat = (0, 0.0)
        self._unread = b""
        self._open = ExitStack()
        with ExitStack() as theirs, ExitStack() as ours:
            self._status, status_fd = os.pipe()
            ours.callback(os.close, self._status)
            theirs.callback(os.close, status_fd)
            self._commands, commands = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.enter_context(self._commands)
            theirs.enter_context(commands)
            self.heartbeat = Heartbeat.create()
            ours.callback(self.heartbeat.close)
            os.set_blocking(self._status, False)
            self._commands.setblocking(False)
            spec = msgspec.structs.replace(
                spec, heartbeat_fd=self.heartbeat.fd, status_fd=status_fd, commands_fd=commands.fileno()
            )
            stdin, self._stdin = os.pipe()
            theirs.callback(os.close, stdin)
            ours.callback(self._close_stdin)
            self.fork = fork_server.fork(stdin, spec.fds)
            ours.callback(self.fork.close)
            self._open = ours.pop_all()
        self._write(msgspec.json.encode(spec))

    @property
    def status_fd(self) -> int:
        """The descriptor at which its status arrives."""
        return self._status

    def start_source(self) -> None:
        """Let a source that is ready start reading."""
        self._is_started = True
        self._write(b"")

    def failure(self) -> str | None:
        """Return why the worker has ended, to follow "The ", or None while it runs."""
        code = self.fork.poll()
        self._read_status()
        name = f"{self.process.name} worker"
        if self.failed is not None:
            return f"{name} failed: {self.failed.sentence.rstrip('.')}"
        if code is None:
            return None
        return f"{name} was killed by signal {-code}" if code < 0 else f"{name} ended with exit code {code}"

    def silence_s(self, watched_s: float) -> float:
        """Return the seconds since its last heartbeat. watched_s: the supervisor's watch clock.

        While it starts, and once it has finished, it need not beat.
        """
        beat, state = self.heartbeat.last_ns, self.heartbeat.state
        about_to_run = state == "starting" and self.ready is not None and self._is_started
        if beat != self._last_beat[0] or not (state == "running" or about_to_run):
            self._last_beat = (beat, watched_s)
        return watched_s - self._last_beat[1]

    def send(self, command: Command, *fds: int) -> None:
        """Send a command to the running worker."""
        # A worker that is dead or hangs cannot receive it; the next check finds that out.
        with suppress(BrokenPipeError, ConnectionResetError, BlockingIOError):
            socket.send_fds(self._commands, [msgspec.json.encode(command)], fds)

    def request_stop(self) -> None:
        """Ask the worker to end."""
        self._close_stdin()
        self.fork.terminate()

    def end(self, timeout_s: float) -> None:
        """Wait for the worker to end; kill it after ``timeout_s``."""
        try:
            self.fork.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.fork.kill()
            self.fork.wait()
        self._read_status()
        self._open.close()

    def _read_status(self) -> None:
        with suppress(BlockingIOError):
            while data := os.read(self._status, _READ_BYTES):
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
                case SlotsReclaimed() | Quarantined() as incident:
                    self.incidents.append(incident)
                case CountersUpdate(stream, counts):
                    self.counts[stream] = counts

    def _write(self, line: bytes) -> None:
        left = line + b"\n"
        with suppress(BrokenPipeError):  # the worker died; the next check finds that out
            while left:
                left = left[os.write(self._stdin, left) :]

    def _close_stdin(self) -> None:
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1
