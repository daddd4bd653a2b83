"""Contestant ``rapidocr``: RapidOCR with its defaults on five frames a second, its results joined naively.

python -m stream_ocr.evaluation.bench.rapidocr FILE EVENTS

Lines of two consecutive samples are one text if their boxes have an IoU of at least 0.5 and their texts are equal or
similar. A text starts with the first sample that shows it and ends with the first one that does not.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from math import floor
from pathlib import Path
from typing import Any

import av
import numpy as np

from stream_ocr.core.geometry import to_flat
from stream_ocr.evaluation.thresholds import THRESHOLDS
from stream_ocr.events import Kind, TextEvent, event_id, quad_to_polygon
from stream_ocr.models.devices import import_onnxruntime

Line = tuple[np.ndarray, str, float]
"""A quad (4, 2), its text, and its confidence."""


@dataclass(frozen=True)
class JoinedText:
    """A text that the last sample showed. first, quad: its quads in its first and its last sample."""

    track: int
    text: str
    confidence: float
    start_s: float
    first: np.ndarray
    quad: np.ndarray


def join(samples: Iterable[tuple[float, Sequence[Line]]]) -> Iterator[tuple[JoinedText, float | None]]:
    """Yield each text with its end, None if the last sample shows it. samples: (media time, lines), in order."""
    live: list[JoinedText] = []
    count = 0
    for time_s, lines in samples:
        unmatched, current = list(live), []
        for quad, text, confidence in lines:
            before = next((one for one in unmatched if _is_same(one, quad, text)), None)
            if before is None:
                count += 1
                current.append(JoinedText(count, text, confidence, time_s, quad, quad))
                continue
            unmatched.remove(before)
            text, confidence = max((before.confidence, before.text), (confidence, text))[::-1]
            current.append(replace(before, quad=quad, text=text, confidence=confidence))
        yield from ((one, time_s) for one in unmatched)
        live = current
    yield from ((one, None) for one in live)


def main(file: str, events: str) -> None:
    """Read a file, write its events to a log and counts to standard output as JSON."""
    import_onnxruntime()  # with its telemetry off; RapidOCR uses it
    from rapidocr import RapidOCR

    engine = RapidOCR()
    started, counts = time.monotonic(), {"frames": 0, "samples": 0, "lines": 0}
    size, end_s = (0, 0), 0.0

    def samples() -> Iterator[tuple[float, list[Line]]]:
        nonlocal size, end_s
        last = -1
        with av.open(file) as container:
            for frame in container.decode(video=0):
                counts["frames"] += 1
                time_s, size = frame.time or 0.0, (frame.width, frame.height)
                end_s = time_s + 1 / float(container.streams.video[0].average_rate or 25)
                sample = floor(time_s * THRESHOLDS.rapidocr_fps + 1e-6)
                if sample == last:
                    continue
                last = sample
                result: Any = engine(frame.to_ndarray(format="bgr24"))
                boxes = result.boxes
                lines = [] if boxes is None else list(zip(boxes, result.txts, result.scores, strict=True))
                counts["samples"] += 1
                counts["lines"] += len(lines)
                yield time_s, lines

    with Path(events).open("wb") as log:
        for seq, (text, end) in enumerate(join(samples())):
            stream = Path(file).name
            log.write(_event(stream, 2 * seq, "appeared", text, text.first, None, size) + b"\n")
            last_s = end_s if end is None else end
            log.write(_event(stream, 2 * seq + 1, "ended", text, text.quad, last_s, size) + b"\n")
    sys.stdout.write(json.dumps({**counts, "running_s": time.monotonic() - started}))


def _event(
    stream: str, seq: int, kind: Kind, text: JoinedText, quad: np.ndarray, end_s: float | None, size: tuple[int, int]
) -> bytes:
    event = TextEvent(
        id=event_id(stream, text.track, kind),
        seq=seq,
        kind=kind,
        stream=stream,
        track=text.track,
        text=text.text,
        confidence=min(max(float(text.confidence), 0.0), 1.0),
        start=text.start_s,
        end=end_s,
        polygon=quad_to_polygon(to_flat(quad)),
        size=size,
    )
    return event.to_json()


def _is_same(one: JoinedText, quad: np.ndarray, text: str) -> bool:
    if _iou(one.quad, quad) < THRESHOLDS.rapidocr_min_iou:
        return False
    similarity = SequenceMatcher(None, one.text, text, autojunk=False)
    return one.text == text or similarity.ratio() >= THRESHOLDS.rapidocr_min_similarity


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    """Return the IoU of the upright boxes around two quads."""
    low, high = np.maximum(a.min(axis=0), b.min(axis=0)), np.minimum(a.max(axis=0), b.max(axis=0))
    common = float(np.prod(np.maximum(high - low, 0.0)))
    areas = sum(float(np.prod(np.ptp(quad, axis=0))) for quad in (a, b))
    return common / (areas - common) if areas > common else 0.0


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
