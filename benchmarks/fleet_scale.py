"""Scale of a fleet: the real controller with simulated hosts, which decode nothing.

    python benchmarks/fleet_scale.py [--cameras 1000] [--hosts 50] [--lost 10] [-o results.json]

Needs the extras [cluster] and [nats]. One process plays all hosts: each reports once a second and obeys at once.
"""

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import ray
import yaml
from ray.cluster_utils import Cluster

from stream_ocr.evaluation.bench.machine import machine_info
from stream_ocr.fleet import client
from stream_ocr.fleet.messages import HostReport
from stream_ocr.fleet.ray_cluster import CONTROLLER as NAME
from stream_ocr.fleet.ray_cluster import NAMESPACE
from stream_ocr.fleet.thresholds import THRESHOLDS

CAPACITY_FPS = 700.0  # of a host: 28 cameras of 25 frames per second
WATCHED_S = 10.0


class SimulatedHost:
    """Reports in a thread until ``stop``."""

    def __init__(self, number: int, controller: Any) -> None:
        self.cameras: dict[str, int] = {}
        self._name, self._controller = f"host-{number}", controller
        self._stop = threading.Event()
        self._offset_s = number % 50 * THRESHOLDS.report_s / 50
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        obeyed, version = 0, -1
        next_s = time.monotonic() + self._offset_s
        while not self._stop.wait(max(0.0, next_s - time.monotonic())):
            next_s += THRESHOLDS.report_s
            report = HostReport(self._name, "1", self._name, CAPACITY_FPS, frozenset(), obeyed, self.cameras)
            order = ray.get(self._controller.report.remote(report, version))
            obeyed, version, self.cameras = order.number, order.version, dict(order.cameras)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cameras", type=int, default=1000)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--lost", type=int, default=10)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    node = {"num_cpus": 1, "include_dashboard": False, "resources": {"frames_per_second": 1}}  # no room for a camera
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        with tempfile.TemporaryDirectory() as folder:
            client.start(cluster.address, write_settings(Path(folder), arguments.cameras))
            results = measure(arguments)
            client.stop(cluster.address)
    finally:
        ray.shutdown()
        cluster.shutdown()
    print(json.dumps(results, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1) + "\n")


def write_settings(folder: Path, cameras: int) -> Path:
    settings = {
        "fleet": {"work": str(folder / "work")},
        "sources": {f"camera-{n:04}": {"url": f"rtsp://192.0.2.{n % 250}/{n}"} for n in range(cameras)},
        "sinks": [{"type": "nats", "servers": ["nats://127.0.0.1:4222"], "spool": "unused"}],
    }
    path = folder / "fleet.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    controller = ray.get_actor(NAME, NAMESPACE)
    (process,) = [p for p in psutil.process_iter(["cmdline"]) if "ray::Controller" in " ".join(p.info["cmdline"] or [])]
    started_s = time.monotonic()
    hosts = [SimulatedHost(number, controller) for number in range(arguments.hosts)]
    assigned_s = wait_until_read(hosts, arguments.cameras) - started_s
    before = {camera for host in hosts for camera in host.cameras}
    at_rest = watch(process)
    lost, rest = hosts[: arguments.lost], hosts[arguments.lost :]
    homeless = sum(len(host.cameras) for host in lost)
    for host in lost:
        host.stop()
    lost_s = time.monotonic()
    moved_s = wait_until_read(rest, arguments.cameras) - lost_s
    assert {camera for host in rest for camera in host.cameras} == before
    status = ray.get(controller.status.remote())
    for host in rest:
        host.stop()
    return {
        "machine": machine_info(),
        "cameras": arguments.cameras,
        "hosts": arguments.hosts,
        "lost_hosts": arguments.lost,
        "cameras_of_lost_hosts": homeless,
        "moves": status.moves,
        "assigned_after_s": round(assigned_s, 2),
        "moved_after_s": round(moved_s, 2),
        "lease_s": THRESHOLDS.lease_s + THRESHOLDS.lease_margin_s,
        "controller": at_rest,
        "reports_per_s": arguments.hosts / THRESHOLDS.report_s,
    }


def wait_until_read(hosts: list[SimulatedHost], cameras: int) -> float:
    """Return the monotonic time at which every camera has a host."""
    while sum(len(host.cameras) for host in hosts) < cameras:
        time.sleep(0.02)
    return time.monotonic()


def watch(process: psutil.Process) -> dict[str, float]:
    before_s, started_s = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(WATCHED_S)
    cpu_s = sum(process.cpu_times()[:2]) - before_s
    return {
        "cores": round(cpu_s / (time.monotonic() - started_s), 3),
        "memory_mb": round(process.memory_info().rss / 1e6),
    }


if __name__ == "__main__":
    main()
