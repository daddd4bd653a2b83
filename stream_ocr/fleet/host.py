"""A host of a fleet: an actor on each node of the Ray cluster, which reads the cameras that the controller gives it."""

import os
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

import ray
from ray.exceptions import RayError

from stream_ocr.config.settings import Settings
from stream_ocr.core.permit import PermitFile, boottime_s
from stream_ocr.fleet.capacity import measure_fps
from stream_ocr.fleet.folder import HostFolder
from stream_ocr.fleet.host_run import HostRun
from stream_ocr.fleet.messages import HostReport, Order
from stream_ocr.fleet.ray_cluster import CONTROLLER, NAMESPACE, alive_nodes
from stream_ocr.fleet.run_process import PERMIT
from stream_ocr.fleet.thresholds import THRESHOLDS
from stream_ocr.logs import get_logger

log = get_logger(__name__)

CAPACITY = "frames_per_second"
"""Resource of a Ray node that sets the capacity of its host."""
_PLAIN_RESOURCES = {"CPU", "memory", "object_store_memory", CAPACITY}


class Host:
    """Asks the controller about once a second what to read, and may read it for a limited time after each answer."""

    def __init__(self, settings: Settings, ticket_key: str) -> None:
        """settings: of the fleet and of the models. ticket_key: of ``Tickets``."""
        self._settings, self._ticket_key = settings, ticket_key
        threading.Thread(target=self._run, name="host", daemon=True).start()

    def _run(self) -> None:
        try:
            _Loop(self._settings, self._ticket_key).run()
        except Exception:
            log.exception("the host has failed and is started again")
            os._exit(1)


class _Loop:
    def __init__(self, settings: Settings, ticket_key: str) -> None:
        self._controller = ray.get_actor(CONTROLLER, NAMESPACE)
        self._node, self._incarnation = ray.get_runtime_context().get_node_id(), uuid.uuid4().hex
        node = alive_nodes()[self._node]
        self._name, self._address, resources = node.name, node.address, node.resources
        self._tags = frozenset(name for name in resources if name not in _PLAIN_RESOURCES and ":" not in name)
        self._folder = HostFolder(settings.fleet.work, self._node)
        self._permit = PermitFile(self._folder.path / PERMIT)
        offered = resources.get(CAPACITY, settings.fleet.fps)
        self._fps = measure_fps(settings) if offered is None else offered
        self._runner = HostRun(self._folder.path, self._folder.lock_fd, ticket_key)
        self._settings: Mapping[str, Any] = {}
        self._version, self._obeyed, self._silent = -1, 0, False
        self._until_s = 0.0  # boot clock

    def run(self) -> None:
        """Report and obey. After the order to stop, only report, until the process is killed."""
        while True:
            self._check_lease()
            asked_s = boottime_s()
            order = self._ask()
            if order is not None and order.stop:
                self._runner.end()
            elif order is not None and boottime_s() < asked_s + order.lease_s:  # otherwise this host has hung meanwhile
                self._until_s = asked_s + order.lease_s
                self._permit.extend(self._until_s)
                self._obey(order)
            if self._check_lease():
                self._runner.check()
            time.sleep(max(0.0, asked_s + THRESHOLDS.report_s - boottime_s()))

    def _check_lease(self) -> bool:
        """Return whether the lease lasts; end the run if it does not."""
        if boottime_s() < self._until_s:
            return True
        self._runner.revoke()
        return False

    def _ask(self) -> Order | None:
        """Report, and return the order; None if the controller does not answer in time."""
        report = HostReport(
            host=self._node,
            incarnation=self._incarnation,
            name=self._name,
            fps=self._fps,
            tags=self._tags,
            obeyed=self._obeyed,
            running=self._runner.running,
            cameras=self._runner.cameras,
            pictures=self._pictures(),
        )
        try:
            order: Order = ray.get(
                self._controller.report.remote(report, self._version), timeout=THRESHOLDS.report_timeout_s
            )
        except RayError as error:
            if not self._silent:
                log.warning("the controller does not answer", reason=type(error).__name__)
            self._silent = True
            return None
        self._silent = False
        return order

    def _pictures(self) -> str | None:
        """Return the address at which browsers reach the HTTP server of the run."""
        if (port := self._runner.port) is None:
            return None
        listen = self._settings["service"]["listen"].rpartition(":")[0]
        address = self._address if listen == "0.0.0.0" else listen
        address = f"[{address}]" if ":" in address else address
        pictures: str = self._settings["fleet"]["pictures"]
        return pictures.format(host=self._name, address=address, port=port)

    def _obey(self, order: Order) -> None:
        if order.settings is not None:
            self._settings, self._version = order.settings, order.version
        self._runner.obey(order.cameras, self._settings)
        self._obeyed = order.number
