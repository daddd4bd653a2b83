"""Control messages between supervisor and worker: one JSON object a line through pipes, one a packet on a socket.

The supervisor sends a ``WorkerSpec`` at the start and ``Command`` objects later; the worker sends ``Status`` objects.
"""

from collections.abc import Mapping
from typing import Any, Self

import msgspec

from stream_ocr.runtime.topology import Process
from stream_ocr.runtime.transport import Keys


class WorkerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a worker needs to know at its start."""

    process: Process
    settings: Mapping[str, Any]
    live: bool  # run until told to stop
    streams: tuple[str, ...] = ()  # if not live: the worker has finished once all of these have closed
    incarnation: int = 0  # number of restarts before this worker
    source_address: str | None
    source_keys: Keys | None
    target_address: str | None
    target_key: str | None  # public
    rings: Mapping[str, int]  # name: file descriptor
    inflight_fd: int | None = None
    trace: str | None = None  # file to which spans are appended
    heartbeat_fd: int = -1  # this and the following are filled in by WorkerProcess
    status_fd: int = -1
    commands_fd: int = -1

    @property
    def fds(self) -> list[int]:
        """All file descriptors."""
        inflight = [] if self.inflight_fd is None else [self.inflight_fd]
        own = [self.heartbeat_fd, self.status_fd, self.commands_fd]
        return [*self.rings.values(), *self.process.fds.values(), *inflight, *own]

    def with_fds(self, fds: Mapping[int, int]) -> Self:
        """Return a copy whose file descriptors have the numbers that they have in the worker."""
        return msgspec.structs.replace(
            self,
            process=msgspec.structs.replace(self.process, fds={name: fds[fd] for name, fd in self.process.fds.items()}),
            rings={name: fds[fd] for name, fd in self.rings.items()},
            inflight_fd=None if self.inflight_fd is None else fds[self.inflight_fd],
            heartbeat_fd=fds[self.heartbeat_fd],
            status_fd=fds[self.status_fd],
            commands_fd=fds[self.commands_fd],
        )


class RingAdded(msgspec.Struct, frozen=True, tag="ring_added"):
    """A stream was added. The file descriptor of its ring travels with the message."""

    name: str


class RingDropped(msgspec.Struct, frozen=True, tag="ring_dropped"):
    """A stream was removed for good."""

    name: str


class ResendState(msgspec.Struct, frozen=True, tag="resend_state"):
    """A later worker was restarted and has lost its state: send it in full again."""


class SourcesChanged(msgspec.Struct, frozen=True, tag="sources_changed"):
    """Sources were added, removed or changed."""

    settings: Mapping[str, Any]  # all settings, not only what changed


Command = RingAdded | RingDropped | ResendState | SourcesChanged


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The stage is entered."""

    notes: Mapping[str, str] = {}
    duration_s: float | None = None  # of a source, where it is known


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The worker is about to exit with ``FAILURE_EXIT``."""

    error: str  # name of its class
    sentence: str


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """All streams have closed, and so has the stage."""

    sent: int  # messages in all


class SlotsReclaimed(msgspec.Struct, frozen=True, tag="slots_reclaimed"):
    """Slots were reclaimed whose references had been lost with another worker."""

    ring: str
    slots: int


class Quarantined(msgspec.Struct, frozen=True, tag="quarantined"):
    """A message killed its worker twice, the second time alone, and is not tried again."""

    message: bytes  # as received


class CountersUpdate(msgspec.Struct, frozen=True, tag="counters"):
    """Totals since the start of the worker, for one stream or (empty name) for the worker itself."""

    stream: str
    counts: Mapping[str, int]


Status = Ready | Failed | Finished | SlotsReclaimed | Quarantined | CountersUpdate
