"""Figures of latency."""

from datetime import UTC, datetime

import pytest

from stream_ocr.evaluation.bench.live_latency import CameraLatency, figures
from stream_ocr.events import TextEvent


def event(clock: str | None, start_s: float) -> TextEvent:
    return TextEvent(
        id="1", seq=0, kind="appeared", stream="gate", track=1, text="A", confidence=1.0, char_confidences=(1.0,), start=0.0,
        end=None, start_utc=datetime.fromtimestamp(start_s, UTC), end_utc=None, utc_source=clock, polygon=(),
        size=(640, 360), previous=None, emitted_utc=datetime.fromtimestamp(start_s + 9, UTC),
    )  # fmt: skip


def test_lateness_counts_from_the_first_picture_by_the_clock_of_the_camera() -> None:
    heard = CameraLatency()
    for clock, start_s in (("rtcp", 100.0), ("rtcp", 100.2), ("arrival", 50.0), (None, 50.0)):
        heard.hear(event(clock, start_s), 100.5)
    assert heard.late_s == pytest.approx([0.5, 0.3])
    assert (heard.unclocked, heard.size) == (2, (640, 360))


def test_percentiles_in_milliseconds_and_beyond_the_time_for_which_a_text_is_to_be_steady() -> None:
    told = figures([0.2, 0.3, 0.4], 0.2)
    assert told["events"] == 3
    assert told["from_picture_ms"] == {"p50": 300.0, "p90": 380.0, "p99": 398.0, "max": 400.0}
    assert told["beyond_steady_ms"]["p50"] == 100.0
    assert figures([], 0.2)["from_picture_ms"]["p50"] is None
