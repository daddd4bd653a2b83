"""The controller of a fleet: a named, detached actor that tells each host which cameras to read."""

import os
import threading
import time
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import NatsSettings
from stream_ocr.errors import StreamOcrError
from stream_ocr.fleet.assignment import Demand
from stream_ocr.fleet.host import Host
from stream_ocr.fleet.messages import DashboardView, FleetStatus, HostReport, Order
from stream_ocr.fleet.metrics import FleetMetrics
from stream_ocr.fleet.ray_cluster import NAMESPACE, alive_nodes
from stream_ocr.fleet.settings import check_fleet
from stream_ocr.fleet.state import FleetState
from stream_ocr.fleet.thresholds import THRESHOLDS
from stream_ocr.logs import get_logger
from stream_ocr.service.http import StatusServer, open_listener
from stream_ocr.service.reload import ConfigFile

log = get_logger(__name__)


class Controller:
    """Answers the reports of hosts. It reads the settings file itself, so it runs on the node that has the file."""

    def __init__(self, config: Path, ticket_key: str) -> None:
        """Read the settings. Raise SettingsError; another controller may hold the file.

        ticket_key: of ``Tickets``; a controller that is started again has the same one.
        """
        self._lock, self._ticket_key = threading.Lock(), ticket_key
        self._settings = Settings.load(config)
        check_fleet(self._settings)
        self._values, self._version = self._settings.for_workers(), time.time_ns()
        self._mistake: str | None = None
        self._config = ConfigFile(config)
        self._config.__enter__()
        self._state = FleetState(time.monotonic())
        self._set_cameras()
        self._nodes: set[str] = set()  # on which hosts were started
        self._stopping = False
        if (listen := self._settings.fleet.listen) is not None:
            metrics = FleetMetrics(self.status)
            routes = {"/healthz": lambda: (HTTPStatus.OK, b"ok\n"), "/metrics": lambda: (HTTPStatus.OK, metrics.text())}
            StatusServer(open_listener(listen), routes).__enter__()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def report(self, report: HostReport, version: int) -> Order:
        """Take the report of a host, and return its order. version: of the settings that it has."""
        with self._lock:
            if self._stopping:
                if not report.running:
                    self._state.dismiss(report.host)
                return Order(0, {}, 0.0, self._version, stop=True)
            number, cameras = self._state.report(report, time.monotonic())
            settings = None if version == self._version else self._values
            return Order(number, cameras, THRESHOLDS.lease_s, self._version, settings)

    def status(self) -> FleetStatus:
        """Return the status of all hosts and cameras."""
        with self._lock:
            return replace(self._state.status(time.monotonic()), mistake=self._mistake)

    def dashboard_view(self) -> DashboardView:
        """Return what a dashboard needs to know."""
        site = next(sink.site for sink in self._settings.sinks if isinstance(sink, NatsSettings))
        return DashboardView(self.status(), site, self._ticket_key)

    def stop(self) -> None:
        """Let all hosts end; they need as long as their runs take to deliver their events."""
        with self._lock:
            self._stopping = True

    def _watch(self) -> None:
        try:
            looked_s = 0.0
            while not self._stopping:
                time.sleep(THRESHOLDS.tick_s)
                with self._lock:
                    for name in self._state.expire(time.monotonic()):
                        log.warning("host is silent; its cameras are given to others", host=name)
                    self._reload()
                if time.monotonic() - looked_s >= THRESHOLDS.nodes_s:
                    looked_s = time.monotonic()
                    self._start_hosts()
        except Exception:
            log.exception("the controller has failed and is started again")
            os._exit(1)

    def _reload(self) -> None:
        try:
            settings = self._config.poll()
            if settings is None:
                return
            check_fleet(settings)
        except (StreamOcrError, OSError) as error:
            self._mistake = str(error)
            log.error("settings are not reloaded", reason=str(error))
            return
        self._settings, self._mistake = settings, None
        self._values, self._version = settings.for_workers(), time.time_ns()
        self._set_cameras()
        log.info("settings are reloaded", cameras=len(settings.sources))

    def _set_cameras(self) -> None:
        demands = {name: self._settings.fleet.demand(name) for name in self._settings.sources}
        self._state.set_cameras({name: Demand(each.fps, frozenset(each.needs)) for name, each in demands.items()})

    def _start_hosts(self) -> None:
        """Start an actor on each node that has none; Ray starts it again when it dies."""
        nodes, settings = alive_nodes().keys(), self._settings
        for node in nodes - self._nodes:
            (
                ray.remote(Host)
                .options(
                    name=f"host-{node}",
                    namespace=NAMESPACE,
                    lifetime="detached",
                    get_if_exists=True,
                    num_cpus=0,
                    max_restarts=-1,
                    scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
                )
                .remote(settings.model_copy(update={"sources": {}, "sinks": (), "rules": ()}), self._ticket_key)
            )
        self._nodes = set(nodes)
