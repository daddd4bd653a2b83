"""Workers on a Ray cluster: an actor for each unit that is read at a time. Ray places them and notices dead nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import ray
from ray.exceptions import RayActorError, RayTaskError

from stream_ocr.archive.output import Output
from stream_ocr.archive.thresholds import THRESHOLDS
from stream_ocr.archive.unit import Unit
from stream_ocr.archive.unit_reader import UnitReader, UnitResult
from stream_ocr.archive.workers import Finished
from stream_ocr.errors import WorkerError
from stream_ocr.fleet.ray_cluster import alive_nodes, connect


class RayWorkers:
    """Actors, as many as the cluster has room for; there are more when nodes join, and fewer when they leave.

    An actor gets a unit when it has started and is idle, so no units wait in the cluster. Calls of actors are made at
    most once, and may fail although they were executed; publishing twice does no harm.
    """

    def __init__(
        self, address: str, output: Output, *, max_count: int | None = None, gpus: int = 0, force: bool = False
    ) -> None:
        """address: of the cluster; "auto": the one that runs here. gpus: for each actor. max_count: of actors."""
        self._address, self._max_count, self._gpus = address, max_count, gpus
        self._arguments = {"output": output, "force": force}
        self._starting: dict[Any, Any] = {}  # actor by the reference to its node
        self._idle: list[_Actor] = []
        self._busy: dict[Any, tuple[_Actor, Unit]] = {}  # by the reference to the result
        self._connected = False

    def __enter__(self) -> Self:
        """Connect to the cluster. Raise WorkerError if there is none."""
        self._connected = connect(self._address)
        self._create_actors()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the actors; those that still read are killed."""
        working = (*self._idle, *(actor for actor, _ in self._busy.values()))
        for handle in (*self._starting.values(), *(actor.handle for actor in working)):
            ray.kill(handle)
        if self._connected:
            ray.shutdown()

    @property
    def has_room(self) -> bool:
        return bool(self._idle)

    @property
    def is_busy(self) -> bool:
        return bool(self._busy)

    def start(self, unit: Unit) -> None:
        actor = self._idle.pop()
        self._busy[actor.handle.read.remote(unit)] = actor, unit

    def wait(self) -> Sequence[Finished]:
        self._create_actors()
        pending = [*self._busy, *self._starting]
        done, _ = ray.wait(pending, timeout=THRESHOLDS.cluster_poll_s, fetch_local=False)
        for reference in done:
            if reference in self._starting:
                self._welcome(reference)
        return [self._finish(reference) for reference in done if reference in self._busy]

    def _create_actors(self) -> None:
        """Ask for as many actors as the cluster has room for in all."""
        resources = ray.cluster_resources()
        room = int(resources.get("GPU", 0) // self._gpus if self._gpus else resources.get("CPU", 0))
        wanted = room if self._max_count is None else min(room, self._max_count)
        for _ in range(wanted - len(self._starting) - len(self._idle) - len(self._busy)):
            actor = ray.remote(num_cpus=1, num_gpus=self._gpus)(_UnitActor).remote(**self._arguments)
            self._starting[actor.node.remote()] = actor

    def _welcome(self, reference: Any) -> None:
        handle = self._starting.pop(reference)
        try:
            self._idle.append(_Actor(handle, ray.get(reference)))
        except RayActorError as error:
            if error.actor_init_failed:
                raise WorkerError(f"No worker can start on the cluster: {str(error).splitlines()[-1]}.") from error

    def _finish(self, reference: Any) -> Finished:
        actor, unit = self._busy.pop(reference)
        try:
            result: UnitResult = ray.get(reference)
        except RayActorError:
            return Finished(unit, None, lost=actor.node not in alive_nodes())
        except RayTaskError as error:
            raise error.cause from None
        self._idle.append(actor)
        return Finished(unit, result)


@dataclass(frozen=True, slots=True)
class _Actor:
    """An actor that has started. node: id of its node."""

    handle: Any
    node: str


class _UnitActor(UnitReader):
    """A reader of units in a process of the cluster."""

    def node(self) -> str:
        """Return the id of the node on which the actor runs."""
        return ray.get_runtime_context().get_node_id()
