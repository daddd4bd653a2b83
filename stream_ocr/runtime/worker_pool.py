"""The workers of a run and what outlives each of them, so that one can be restarted while the others go on.

Addresses, keys, rings and journals belong to the supervisor. The receiver of a hop binds, the senders connect; when a
receiver is replaced, its successor binds the same address with the same keys, and ZeroMQ reconnects the senders.
"""

import secrets
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import zmq

from stream_ocr import confinement
from stream_ocr.core.messages import Message
from stream_ocr.logs import get_logger
from stream_ocr.runtime.control_messages import RingAdded, RingDropped, WorkerSpec
from stream_ocr.runtime.fork_client import fork_server
from stream_ocr.runtime.retry import InflightJournal
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.runtime.topology import OUTCOME, Process, RingSize, Topology
from stream_ocr.runtime.trace import create_trace
from stream_ocr.runtime.transport import Inbox, Keys, Outbox
from stream_ocr.runtime.worker_process import WorkerProcess

log = get_logger(__name__)


class WorkerPool:
    """The workers by name, and what they share. Enter it once."""

    def __init__(self, topology: Topology, settings: Mapping[str, Any], *, live: bool) -> None:
        self.workers: dict[str, WorkerProcess] = {}
        self.rings: dict[str, Ring] = {}
        self.settings = settings  # of workers that are started from now on
        self._topology, self._live = topology, live
        self._journals: dict[str, InflightJournal] = {}
        self._outboxes: dict[str, Outbox] = {}
        self._incarnations: dict[str, int] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Open what workers share; start none."""
        if any(process.access for process in self._topology.processes) and (lacks := confinement.missing()):
            log.warning("decoders are not fully confined", missing=lacks)
        self._fork_server = fork_server()
        self._open.callback(self._fork_server.close)
        if self._topology.trace is not None:
            create_trace(self._topology.trace)
        token = secrets.token_hex(16)
        hops = {process.output for process in self._topology.processes if process.output is not None}
        self._addresses = {hop: f"ipc://@stream-ocr-{token}-{hop}" for hop in hops}
        self._keys = {hop: Keys.new() for hop in hops}
        self._context: zmq.Context[zmq.Socket[bytes]] = self._open.enter_context(zmq.Context())
        self.inbox = Inbox(self._context, self._addresses[OUTCOME], self._keys[OUTCOME])
        self._open.callback(self.inbox.close)
        self._open.callback(self._close_memory)
        for name, size in self._topology.rings.items():
            self.rings[name] = Ring.create(size.slots, size.slot_bytes)
        for hop in {process.output for process in self._topology.processes if process.is_source}:
            self._outbox(hop)  # it is needed when a source fails, perhaps because there are no more descriptors
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def start(self, process: Process) -> WorkerProcess:
        """Start the worker of a row of the table, in place of its predecessor."""
        if process.retries and process.name not in self._journals:
            self._journals[process.name] = InflightJournal.create()
        incarnation = self._incarnations[process.name] = self._incarnations.get(process.name, -1) + 1
        spec = WorkerSpec(
            process=process,
            settings=self.settings,
            live=self._live,
            streams=self._topology.streams,
            incarnation=incarnation,
            source_address=self._addresses[process.input] if process.input else None,
            source_keys=self._keys[process.input] if process.input else None,
            target_address=self._addresses[process.output] if process.output else None,
            target_key=self._keys[process.output].public if process.output else None,
            rings={name: ring.fd for name, ring in self.rings.items() if _maps(process, name)},
            inflight_fd=self._journals[process.name].fd if process.retries else None,
            trace=self._topology.trace,
        )
        worker = self.workers[process.name] = WorkerProcess(spec, self._fork_server)
        return worker

    def incarnation(self, name: str) -> int:
        """Return how often the worker of a row has been restarted."""
        return self._incarnations[name]

    def send_for(self, process: Process, message: Message) -> None:
        """Send a message in the hop of a worker that cannot send it itself."""
        self._outbox(process.output).send(message)

    def add_ring(self, name: str, size: RingSize) -> None:
        """Create the ring of a new stream and pass it to all workers that map such rings."""
        ring = self.rings[name] = Ring.create(size.slots, size.slot_bytes)
        for worker in self.workers.values():
            if _maps(worker.process, name):
                worker.send(RingAdded(name), ring.fd)

    def drop_ring(self, name: str) -> None:
        """Close the ring of a stream that was removed."""
        self.rings.pop(name).close()
        for worker in self.workers.values():
            if _maps(worker.process, name):
                worker.send(RingDropped(name))

    def _outbox(self, hop: str | None) -> Outbox:
        assert hop is not None, "a service sends nothing"
        if hop not in self._outboxes:
            outbox = self._outboxes[hop] = Outbox(self._context, self._addresses[hop], self._keys[hop].public)
            self._open.callback(outbox.close)
        return self._outboxes[hop]

    def _close_memory(self) -> None:
        for ring in self.rings.values():
            ring.close()
        for journal in self._journals.values():
            journal.close()


def _maps(process: Process, ring: str) -> bool:
    """Return whether a worker maps a ring: by its name, or by a prefix that ends in "/"."""
    return any(ring == name or (name.endswith("/") and ring.startswith(name)) for name in process.rings)
