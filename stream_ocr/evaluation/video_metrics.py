"""All measures of the events of one video."""

from collections.abc import Sequence
from typing import Any

from stream_ocr.evaluation.event_score import Score, rounded, score
from stream_ocr.evaluation.time_weighted_cer import time_weighted_cer
from stream_ocr.evaluation.track_score import track_score
from stream_ocr.evaluation.truth import Truth
from stream_ocr.events import Event


def measure_events(truth: Truth, events: Sequence[Event]) -> tuple[Score, dict[str, Any]]:
    """Return the word score of events, and the rounded numbers of all measures for JSON."""
    scored = score(truth, events)
    tracks = track_score(truth, events).metrics()
    return scored, {**scored.metrics(), **tracks, "time_weighted_cer": rounded(time_weighted_cer(truth, events))}
