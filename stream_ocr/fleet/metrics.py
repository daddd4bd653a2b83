"""Prometheus metrics of a fleet, made from its status when they are requested."""

from collections import Counter
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from stream_ocr.fleet.messages import FleetStatus


class FleetMetrics:
    """The metrics of a fleet."""

    def __init__(self, status: Callable[[], FleetStatus]) -> None:
        self._status = status

    def text(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics. Called by the registry."""
        status = self._status()
        states = Counter(camera.state for camera in status.cameras.values())
        by_state = GaugeMetricFamily("stream_ocr_fleet_cameras", "Cameras by state.", labels=["state"])
        for state in sorted({*states, "up", "down", "waiting", "unassigned"}):
            by_state.add_metric([state], states[state])
        capacity = GaugeMetricFamily(
            "stream_ocr_host_capacity_fps", "Frames per second that it offers.", labels=["host"]
        )
        used = GaugeMetricFamily("stream_ocr_host_used_fps", "Frames per second of its cameras.", labels=["host"])
        age = GaugeMetricFamily("stream_ocr_host_report_age_seconds", "Time since its last report.", labels=["host"])
        for host in status.hosts:
            capacity.add_metric([host.name], host.fps)
            used.add_metric([host.name], host.used_fps)
            age.add_metric([host.name], host.age_s)
        moves = CounterMetricFamily("stream_ocr_fleet_moves", "Cameras given to another host than before.")
        moves.add_metric([], status.moves)
        yield from (by_state, capacity, used, age, moves)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: the registry then does not collect when it is made."""
        return iter(())
