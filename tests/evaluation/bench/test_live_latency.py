from datetime import UTC, datetime

import pytest

from stream_ocr.evaluation.bench.live_latency import CameraLatency, percentiles
from stream_ocr.events import TextEvent


def event(clock: str | None, start_s: float) -> TextEvent:
    return TextEvent(
        id="1", seq=0, kind="appeared", stream="gate", track=1, text="A", confidence=1.0, char_confidences=(1.0,),
        start=0.0, end=None, start_utc=datetime.fromtimestamp(start_s, UTC), end_utc=None, utc_source=clock, polygon=(),
        size=(640, 360), previous=None, emitted_utc=datetime.fromtimestamp(start_s + 9, UTC),
    )  # fmt: skip


def test_camera_latency_counts_from_the_first_frame_by_the_clock_of_the_camera() -> None:
    latency = CameraLatency()
    for clock, start_s in (("rtcp", 100.0), ("rtcp", 100.2), ("arrival", 50.0), (None, 50.0)):
        latency.add(event(clock, start_s), 100.5)
    assert latency.latencies_s == pytest.approx([0.5, 0.3])
    assert (latency.without_clock, latency.size) == (2, (640, 360))


def test_percentiles_are_milliseconds_from_the_first_frame_and_after_the_minimum_age() -> None:
    result = percentiles([0.2, 0.3, 0.4], 0.2)
    assert result["events"] == 3
    assert result["latency_ms"] == {"p50": 300.0, "p90": 380.0, "p99": 398.0, "max": 400.0}
    assert result["after_min_age_ms"]["p50"] == 100.0
    assert percentiles([], 0.2)["latency_ms"]["p50"] is None
