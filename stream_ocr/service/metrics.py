"""Prometheus metrics, collected from the run when they are requested."""

from collections.abc import Iterator
from contextlib import suppress

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from stream_ocr.service.preview import RunView
from stream_ocr.service.thresholds import THRESHOLDS

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
    """The metrics of a run; the run observes ``latency``."""

    def __init__(self, run: RunView) -> None:
        self._run = run
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self.latency = Histogram(
            "stream_ocr_latency_seconds",
            "From the decoding of a frame to the publishing of its events.",
            ["stream"],
            buckets=THRESHOLDS.latency_buckets_s,
            registry=self._registry,
        )

    def text(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics but the latency. Called by the registry."""
        yield from self._camera_metrics()
        yield from self._stream_counters()
        yield from self._worker_metrics()
        yield from self._ring_metrics()

    def _camera_metrics(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("stream_ocr_source_up", "1 while frames arrive.", labels=["stream"])
        age = GaugeMetricFamily(
            "stream_ocr_age_seconds", "Time since a frame last passed all stages.", labels=["stream"]
        )
        events = CounterMetricFamily("stream_ocr_events", "Events published.", labels=["stream", "kind"])
        dropped = CounterMetricFamily("stream_ocr_dropped", "Frames dropped.", labels=["stream", "reason"])
        for name, camera in list(self._run.cameras.items()):
            up.add_metric([name], float(camera.state == "up"))
            if camera.age_s is not None:
                age.add_metric([name], camera.age_s)
            for kind, count in list(camera.events.items()):
                events.add_metric([name, kind], count)
            for reason, count in list(camera.dropped.items()):
                dropped.add_metric([name, reason], count)
        yield from (up, age, events, dropped)

    def _stream_counters(self) -> Iterator[Metric]:
        counters = {name: self._run.counters.of_stream(name) for name in list(self._run.cameras)}
        for key, meaning in _STREAM_COUNTERS.items():
            family = CounterMetricFamily(f"stream_ocr_{key}", meaning, labels=["stream"])
            for name, counts in counters.items():
                family.add_metric([name], counts[key])
            yield family
        for ratio, part, whole in _RATIOS:
            gauge = GaugeMetricFamily(f"stream_ocr_{ratio}_ratio", f"{part} / {whole}.", labels=["stream"])
            for name, counts in counters.items():
                if counts[whole]:
                    gauge.add_metric([name], counts[part] / counts[whole])
            yield gauge

    def _worker_metrics(self) -> Iterator[Metric]:
        run = self._run
        up = GaugeMetricFamily("stream_ocr_worker_up", "1 while the worker runs.", labels=["worker"])
        restarts = CounterMetricFamily("stream_ocr_worker_restarts", "Restarts of the worker.", labels=["worker"])
        degraded = GaugeMetricFamily(
            "stream_ocr_worker_degraded", "1 while the worker keeps failing.", labels=["worker"]
        )
        batches = CounterMetricFamily("stream_ocr_batches", "Batches processed.", labels=["worker"])
        messages = CounterMetricFamily("stream_ocr_batch_messages", "Messages in all batches.", labels=["worker"])
        quarantined = CounterMetricFamily(
            "stream_ocr_quarantined", "Messages that killed the worker twice and were skipped.", labels=["worker"]
        )
        for name, count in run.restarts.items():
            restarts.add_metric([name], count)
            up.add_metric([name], float(name in run.pids))
            degraded.add_metric([name], float(name in run.degraded))
            counts = run.counters.of_worker(name)
            batches.add_metric([name], counts["batches"])
            messages.add_metric([name], counts["messages"])
            quarantined.add_metric([name], run.counters.quarantined[name])
        yield from (up, restarts, degraded, batches, messages, quarantined)

    def _ring_metrics(self) -> Iterator[Metric]:
        in_use = GaugeMetricFamily("stream_ocr_slots_in_use", "Slots in use.", labels=["ring"])
        slots = GaugeMetricFamily("stream_ocr_slots", "Slots in all.", labels=["ring"])
        reclaimed = CounterMetricFamily(
            "stream_ocr_slots_reclaimed", "Slots lost with a worker and reclaimed.", labels=["ring"]
        )
        for name, ring in self._run.rings.items():
            slots.add_metric([name], ring.slots)
            with suppress(ValueError):  # the camera was just removed from the settings, and its ring closed
                in_use.add_metric([name], ring.in_use)
            reclaimed.add_metric([name], self._run.counters.slots_reclaimed[name])
        yield from (in_use, slots, reclaimed)
