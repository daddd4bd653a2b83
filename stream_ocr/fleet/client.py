"""Start, look at and stop the fleet of a Ray cluster."""

import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError, WorkerError
from stream_ocr.fleet.controller import Controller
from stream_ocr.fleet.messages import DashboardView, FleetStatus
from stream_ocr.fleet.ray_cluster import CONTROLLER, NAMESPACE, alive_nodes, connect
from stream_ocr.fleet.settings import check_fleet
from stream_ocr.fleet.thresholds import THRESHOLDS


def start(address: str, config: Path) -> int:
    """Start the controller on this machine, and return the number of nodes. Raise SettingsError and WorkerError."""
    check_fleet(Settings.load(config))
    connect(address, NAMESPACE)
    if _controller() is not None:
        raise SettingsError("The fleet of this cluster runs already; change its settings file, or stop it first.")
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    controller = (
        ray.remote(Controller)
        .options(
            name=CONTROLLER,
            namespace=NAMESPACE,
            lifetime="detached",
            num_cpus=0,
            max_restarts=-1,
            scheduling_strategy=here,
        )
        .remote(config.absolute(), secrets.token_hex(THRESHOLDS.ticket_key_bytes))
    )
    try:
        ray.get(controller.status.remote(), timeout=THRESHOLDS.start_s)
    except RayError as error:
        ray.kill(controller)
        reason = str(error.__cause__ or error).splitlines()[-1]
        raise WorkerError(f"The controller cannot start: {reason}") from error
    return len(alive_nodes())


def status(address: str) -> FleetStatus:
    """Return the status of the fleet. Raise WorkerError if there is none."""
    connect(address, NAMESPACE)
    return _ask(lambda controller: controller.status)


def dashboard_view(address: str) -> DashboardView:
    """Return what a dashboard needs to know. Raise WorkerError if there is no fleet."""
    connect(address, NAMESPACE)
    return _ask(lambda controller: controller.dashboard_view)


def stop(address: str) -> None:
    """Stop the hosts, then the controller. Raise WorkerError if there is none."""
    connect(address, NAMESPACE)
    _ask(lambda controller: controller.stop)
    deadline = time.monotonic() + THRESHOLDS.stop_s + THRESHOLDS.lease_s
    while time.monotonic() < deadline and _ask(lambda controller: controller.status).hosts:
        time.sleep(THRESHOLDS.report_s)
    for actor in ray.util.list_named_actors(all_namespaces=True):
        if actor["namespace"] == NAMESPACE:  # hosts as well: Ray would start those that have ended again
            with suppress(ValueError):  # it has just ended
                ray.kill(ray.get_actor(actor["name"], NAMESPACE))


def _ask(method: Any) -> Any:
    controller = _controller()
    if controller is None:
        raise WorkerError("There is no fleet on this cluster; start one with `stream-ocr fleet start`.")
    deadline = time.monotonic() + THRESHOLDS.start_s
    while True:
        try:
            return ray.get(method(controller).remote(), timeout=THRESHOLDS.start_s)
        except ActorUnavailableError as error:  # it is being restarted
            if time.monotonic() > deadline:
                raise WorkerError("The controller of the fleet does not answer; try again.") from error
            time.sleep(THRESHOLDS.report_s)
        except (RayActorError, GetTimeoutError) as error:
            raise WorkerError(f"The controller of the fleet has ended: {str(error).splitlines()[0]}") from error


def _controller() -> Any:
    try:
        return ray.get_actor(CONTROLLER, NAMESPACE)
    except ValueError:
        return None
