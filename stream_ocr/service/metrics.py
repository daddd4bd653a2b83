"""Metrics for Prometheus, collected from the run whenever they are asked for."""

from collections.abc import Iterator
from contextlib import suppress

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from stream_ocr.service.run_view import RunView

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LATENCIES_S = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1, 2, 5, 10)
_COUNTED = {
    "frames": "Pictures that were decoded.",
    "damaged": "Pictures that were damaged.",
    "corrupt": "Packets that could not be decoded.",
    "gaps": "Gaps that were told.",
    "connections": "Connections that were begun.",
    "detector_frames": "Pictures that the detector saw.",
    "boxes": "Text boxes seen over all pictures.",
    "crops_read": "Crops that the recogniser read.",
}


class Metrics:
    """The metrics of a run; ``latency`` is observed by it."""

    def __init__(self, run: RunView) -> None:
        self._run = run
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self.latency = Histogram(
            "stream_ocr_latency_seconds",
            "From the decoding of a picture to the publishing of what it showed.",
            ["stream"],
            buckets=_LATENCIES_S,
            registry=self._registry,
        )

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Called by the registry."""
        yield from self._of_cameras()
        yield from self._of_counts()
        yield from self._of_workers()
        yield from self._of_rings()

    def _of_cameras(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("stream_ocr_source_up", "Whether pictures come.", labels=["stream"])
        age = GaugeMetricFamily("stream_ocr_age_seconds", "Since a picture came through all stages.", labels=["stream"])
        events = CounterMetricFamily("stream_ocr_events", "Events that were published.", labels=["stream", "kind"])
        dropped = CounterMetricFamily("stream_ocr_dropped", "Pictures not looked at.", labels=["stream", "why"])
        for name, camera in list(self._run.cameras.items()):
            up.add_metric([name], float(camera.state == "up"))
            if camera.age_s is not None:
                age.add_metric([name], camera.age_s)
            for kind, count in list(camera.events.items()):
                events.add_metric([name, kind], count)
            for why, count in list(camera.dropped.items()):
                dropped.add_metric([name, why], count)
        yield from (up, age, events, dropped)

    def _of_counts(self) -> Iterator[Metric]:
        counts = {name: self._run.ledger.counts(name) for name in list(self._run.cameras)}
        for what, meaning in _COUNTED.items():
            family = CounterMetricFamily(f"stream_ocr_{what}", meaning, labels=["stream"])
            for name, counted in counts.items():
                family.add_metric([name], counted[what])
            yield family
        for ratio, part, whole in (("detection", "detector_frames", "frames"), ("reading", "crops_read", "boxes")):
            gauge = GaugeMetricFamily(f"stream_ocr_{ratio}_ratio", f"{part} ÷ {whole}.", labels=["stream"])
            for name, counted in counts.items():
                if counted[whole]:
                    gauge.add_metric([name], counted[part] / counted[whole])
            yield gauge

    def _of_workers(self) -> Iterator[Metric]:
        run = self._run
        up = GaugeMetricFamily("stream_ocr_worker_up", "Whether the worker runs.", labels=["worker"])
        restarts = CounterMetricFamily("stream_ocr_worker_restarts", "Times it was replaced.", labels=["worker"])
        degraded = GaugeMetricFamily("stream_ocr_worker_degraded", "Whether it keeps failing.", labels=["worker"])
        batches = CounterMetricFamily("stream_ocr_batches", "Batches that it took.", labels=["worker"])
        messages = CounterMetricFamily("stream_ocr_batch_messages", "Messages in them.", labels=["worker"])
        aside = CounterMetricFamily("stream_ocr_set_aside", "Messages that killed it twice.", labels=["worker"])
        for name, count in run.restarts.items():
            restarts.add_metric([name], count)
            up.add_metric([name], float(name in run.pids))
            degraded.add_metric([name], float(name in run.degraded))
            counted = run.ledger.of_worker(name)
            batches.add_metric([name], counted["batches"])
            messages.add_metric([name], counted["messages"])
            aside.add_metric([name], run.ledger.set_aside[name])
        yield from (up, restarts, degraded, batches, messages, aside)

    def _of_rings(self) -> Iterator[Metric]:
        taken = GaugeMetricFamily("stream_ocr_slots_in_use", "Slots of pixels that are taken.", labels=["ring"])
        slots = GaugeMetricFamily("stream_ocr_slots", "Slots of pixels that there are.", labels=["ring"])
        lost = CounterMetricFamily("stream_ocr_lost_slots", "Slots lost with a worker and taken back.", labels=["ring"])
        for name, ring in self._run.rings.items():
            slots.add_metric([name], ring.slots)
            with suppress(ValueError):  # its camera has just been taken out of the settings
                taken.add_metric([name], ring.in_use)
            lost.add_metric([name], self._run.ledger.lost_slots[name])
        yield from (taken, slots, lost)
