"""A real Ray cluster of several nodes on this machine, with a fleet that sends to a real NATS server."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
import yaml
from ray.cluster_utils import Cluster
from sinks.nats_server import Server

from stream_ocr.fleet import client
from stream_ocr.fleet.messages import FleetStatus
from stream_ocr.synthetic.scene import Scene, render
from stream_ocr.synthetic.text import Text

FPS = 10
_LONG_S = 120.0  # on a busy machine


def render_camera(path: Path, duration_s: float) -> None:
    """Write a clip with a text that changes every two seconds."""
    texts = [
        Text(f"GATE {number % 90 + 10}", 2.0 * number + 0.2, 2.0 * number + 1.8, (160, 100), "middle", height=28)
        for number in range(round(duration_s / 2))
    ]
    render(Scene(tuple(texts), duration_s, (320, 180), fps=FPS), path)


def node(fps: float, **resources: float) -> dict[str, Any]:
    """Return the arguments of a node with a capacity."""
    return {
        "num_cpus": 1,
        "object_store_memory": 80_000_000,
        "include_dashboard": False,
        "resources": {"frames_per_second": fps, **resources},
    }


@contextmanager
def started_cluster(fps: float) -> Iterator[Cluster]:
    """Run a cluster with one node, its head."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster(initialize_head=True, head_node_args=node(fps))
        try:
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()


class Fleet:
    """A fleet over file cameras."""

    def __init__(self, folder: Path, cluster: Cluster, server: Server, clip: Path, cameras: int) -> None:
        self.cluster, self.server = cluster, server
        self.config = folder / "fleet.yaml"
        self._clip, self._work = clip, folder / "work"
        self.write([f"cam-{number}" for number in range(cameras)])
        client.start(cluster.address, self.config)

    def write(self, cameras: list[str], **demands: Any) -> None:
        """Write the settings file."""
        settings = {
            "models": "builtin",
            "device": "cpu",
            "threads": 1,
            "fleet": {"work": str(self._work), "camera": {"fps": FPS}, "cameras": demands},
            "sources": {camera: {"path": str(self._clip)} for camera in cameras},
            "sinks": [{"type": "nats", "servers": [self.server.url], "spool": "unused"}],
            "service": {"listen": "127.0.0.1:0"},
            "logs": {"style": "json"},
        }
        new = self.config.with_suffix(".new")
        new.write_text(yaml.safe_dump(settings))
        new.replace(self.config)

    def status(self) -> FleetStatus:
        return client.status(self.cluster.address)

    def wait_until(self, condition: Callable[[FleetStatus], object], within_s: float = _LONG_S) -> float:
        """Wait until the status meets a condition, and return how long that took."""
        started_s = time.monotonic()
        while not condition(status := self.status()):
            assert time.monotonic() - started_s < within_s, status
            time.sleep(0.2)
        return time.monotonic() - started_s

    def hosts(self) -> dict[str, str | None]:
        """Return the host of each camera."""
        return {name: camera.host for name, camera in self.status().cameras.items()}

    def events(self) -> dict[str, dict[int, list[dict[str, Any]]]]:
        """Return the events in the JetStream by camera and number of the assignment."""
        found: defaultdict[str, defaultdict[int, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
        for _, event in self.server.messages():
            found[event["stream"]][int(event["id"].partition("-")[0])].append(event)
        return {camera: dict(by_number) for camera, by_number in found.items()}

    def assert_one_host_at_a_time(self) -> None:
        """Check that no event was sent twice, and that the times of two assignments of a camera do not overlap."""
        for camera, by_number in self.events().items():
            spans = []
            for events in by_number.values():
                ids = [event["id"] for event in events]
                assert len(ids) == len(set(ids)), camera
                emitted = [datetime.fromisoformat(event["emitted_utc"]) for event in events]
                spans.append((min(emitted), max(emitted)))
            spans.sort()
            assert all(before[1] < after[0] for before, after in pairwise(spans)), (camera, spans)


def all_read(status: FleetStatus) -> bool:
    """Return whether every camera is read."""
    return all(camera.state == "up" for camera in status.cameras.values())


def processes(actor: str) -> list[psutil.Process]:
    """Return the processes of the actors of a class."""
    return [
        each for each in psutil.process_iter(["cmdline"]) if f"ray::{actor}" in " ".join(each.info["cmdline"] or [])
    ]
