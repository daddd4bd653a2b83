"""Prometheus metrics, made from the status of a run when they are requested."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.service.preview import RunView
from stream_ocr.service.run_status import CameraSnapshot, WorkerSnapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_STREAM_COUNTERS = {
    "frames": "Frames decoded.",
    "damaged": "Frames that are damaged.",
    "corrupt": "Packets that could not be decoded.",
    "gaps": "Gaps reported as events.",
    "connections": "Connections opened to the camera.",
    "detector_frames": "Frames on which the detector ran.",
    "boxes": "Text boxes over all frames.",
    "crops_read": "Crops read by the recogniser.",
    "second_readings": "Crops that the second reader read as well.",
}
_RATIOS = (("detection", "detector_frames", "frames"), ("reading", "crops_read", "boxes"))


class Metrics:
    """The metrics of a run."""

    def __init__(self, run: RunView) -> None:
        self._run = run

    def text(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics. Called by the registry."""
        snapshot = self._run.snapshot
        yield from _camera_metrics(snapshot.cameras)
        yield from _stream_counters(snapshot.cameras)
        yield from _worker_metrics(snapshot.workers)
        yield from _ring_metrics(self._run.rings, snapshot.slots_reclaimed)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: the registry then does not collect when it is made."""
        return iter(())


def _camera_metrics(cameras: Mapping[str, CameraSnapshot]) -> Iterator[Metric]:
    up = GaugeMetricFamily("stream_ocr_source_up", "1 while frames arrive.", labels=["stream"])
    age = GaugeMetricFamily("stream_ocr_age_seconds", "Time since a frame last passed all stages.", labels=["stream"])
    events = CounterMetricFamily("stream_ocr_events", "Events published.", labels=["stream", "kind"])
    dropped = CounterMetricFamily("stream_ocr_dropped", "Frames dropped.", labels=["stream", "reason"])
    latency = HistogramMetricFamily(
        "stream_ocr_latency_seconds", "From the decoding of a frame to the publishing of its events.", labels=["stream"]
    )
    for name, camera in cameras.items():
        up.add_metric([name], float(camera.state == "up"))
        if camera.age_s is not None:
            age.add_metric([name], camera.age_s)
        for kind, count in camera.events.items():
            events.add_metric([name, kind], count)
        for reason, count in camera.dropped.items():
            dropped.add_metric([name, reason], count)
        latency.add_metric([name], camera.latency.cumulative(), camera.latency.sum_s)
    yield from (up, age, events, dropped, latency)


def _stream_counters(cameras: Mapping[str, CameraSnapshot]) -> Iterator[Metric]:
    for key, meaning in _STREAM_COUNTERS.items():
        family = CounterMetricFamily(f"stream_ocr_{key}", meaning, labels=["stream"])
        for name, camera in cameras.items():
            family.add_metric([name], camera.counters.get(key, 0))
        yield family
    for ratio, part, whole in _RATIOS:
        gauge = GaugeMetricFamily(f"stream_ocr_{ratio}_ratio", f"{part} / {whole}.", labels=["stream"])
        for name, camera in cameras.items():
            if count := camera.counters.get(whole):
                gauge.add_metric([name], camera.counters.get(part, 0) / count)
        yield gauge


def _worker_metrics(workers: Mapping[str, WorkerSnapshot]) -> Iterator[Metric]:
    up = GaugeMetricFamily("stream_ocr_worker_up", "1 while the worker runs.", labels=["worker"])
    restarts = CounterMetricFamily("stream_ocr_worker_restarts", "Restarts of the worker.", labels=["worker"])
    degraded = GaugeMetricFamily("stream_ocr_worker_degraded", "1 while the worker keeps failing.", labels=["worker"])
    batches = CounterMetricFamily("stream_ocr_batches", "Batches processed.", labels=["worker"])
    messages = CounterMetricFamily("stream_ocr_batch_messages", "Messages in all batches.", labels=["worker"])
    quarantined = CounterMetricFamily(
        "stream_ocr_quarantined", "Messages that killed the worker twice and were skipped.", labels=["worker"]
    )
    for name, worker in workers.items():
        up.add_metric([name], float(worker.up))
        restarts.add_metric([name], worker.restarts)
        degraded.add_metric([name], float(worker.degraded))
        batches.add_metric([name], worker.batches)
        messages.add_metric([name], worker.messages)
        quarantined.add_metric([name], worker.quarantined)
    yield from (up, restarts, degraded, batches, messages, quarantined)


def _ring_metrics(rings: Mapping[str, Ring], slots_reclaimed: Mapping[str, int]) -> Iterator[Metric]:
    in_use = GaugeMetricFamily("stream_ocr_slots_in_use", "Slots in use.", labels=["ring"])
    slots = GaugeMetricFamily("stream_ocr_slots", "Slots in all.", labels=["ring"])
    reclaimed = CounterMetricFamily(
        "stream_ocr_slots_reclaimed", "Slots lost with a worker and reclaimed.", labels=["ring"]
    )
    for name, ring in rings.items():
        slots.add_metric([name], ring.slots)
        with suppress(ValueError):  # the camera was just removed from the settings, and its ring closed
            in_use.add_metric([name], ring.in_use)
        reclaimed.add_metric([name], slots_reclaimed.get(name, 0))
    yield from (in_use, slots, reclaimed)
