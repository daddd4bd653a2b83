"""A contestant: RapidOCR as it comes, on five frames a second, what it finds joined naively.

python -m stream_ocr.evaluation.bench.rapidocr FILE EVENTS

Lines of two consecutive samples are one text when their boxes overlap by half (IoU) and their texts are equal or
similar. A text starts with the first sample that has it and ends with the first one that does not.
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
from stream_ocr.events import Kind, TextEvent, event_id, quad_to_polygon
from stream_ocr.models.devices import import_onnxruntime

SAMPLES_PER_S = 5
_SAME_PLACE, _ALIKE = 0.5, 0.8

Found = tuple[np.ndarray, str, float]
"""A quad (4, 2), its text, and how sure that is."""


@dataclass(frozen=True)
class Joined:
    """A text that the last sample showed. quad: where it was then."""

    track: int
    text: str
    confidence: float
    start_s: float
    first: np.ndarray
    quad: np.ndarray


def join(samples: Iterable[tuple[float, Sequence[Found]]]) -> Iterator[tuple[Joined, float | None]]:
    """Each text with its end; None for what the last sample shows. samples: (media time, what was found), in order."""
    live: list[Joined] = []
    count = 0
    for time_s, found in samples:
        left, now = list(live), []
        for quad, text, confidence in found:
            before = next((one for one in left if _overlap(one.quad, quad) >= _SAME_PLACE and _alike(one, text)), None)
            if before is None:
                count += 1
                now.append(Joined(count, text, confidence, time_s, quad, quad))
                continue
            left.remove(before)
            text, confidence = max((before.confidence, before.text), (confidence, text))[::-1]
            now.append(replace(before, quad=quad, text=text, confidence=confidence))
        yield from ((one, time_s) for one in left)
        live = now
    yield from ((one, None) for one in live)


def main(file: str, events: str) -> None:
    """Read a file; events go to a log, what was done to standard output."""
    import_onnxruntime()  # which it uses, too
    from rapidocr import RapidOCR

    engine = RapidOCR()
    begun, done = time.monotonic(), {"frames": 0, "samples": 0, "lines": 0}
    size, end_s = (0, 0), 0.0

    def samples() -> Iterator[tuple[float, list[Found]]]:
        nonlocal size, end_s
        taken = -1
        with av.open(file) as container:
            for frame in container.decode(video=0):
                done["frames"] += 1
                time_s, size = frame.time or 0.0, (frame.width, frame.height)
                end_s = time_s + 1 / float(container.streams.video[0].average_rate or 25)
                sample = floor(time_s * SAMPLES_PER_S + 1e-6)
                if sample == taken:
                    continue
                taken = sample
                told: Any = engine(frame.to_ndarray(format="bgr24"))
                found = [] if told.boxes is None else list(zip(told.boxes, told.txts, told.scores, strict=True))
                done["samples"] += 1
                done["lines"] += len(found)
                yield time_s, found

    with Path(events).open("wb") as log:
        for seq, (text, until_s) in enumerate(join(samples())):
            stream = Path(file).name
            log.write(_event(stream, 2 * seq, "appeared", text, text.first, None, size) + b"\n")
            last_s = end_s if until_s is None else until_s
            log.write(_event(stream, 2 * seq + 1, "ended", text, text.quad, last_s, size) + b"\n")
    sys.stdout.write(json.dumps({**done, "running_s": time.monotonic() - begun}))


def _event(
    stream: str, seq: int, kind: Kind, text: Joined, quad: np.ndarray, end_s: float | None, size: tuple[int, int]
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


def _alike(one: Joined, text: str) -> bool:
    return one.text == text or SequenceMatcher(None, one.text, text, autojunk=False).ratio() >= _ALIKE


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """IoU of the upright boxes round two quads."""
    low, high = np.maximum(a.min(axis=0), b.min(axis=0)), np.minimum(a.max(axis=0), b.max(axis=0))
    common = float(np.prod(np.maximum(high - low, 0.0)))
    both = sum(float(np.prod(np.ptp(quad, axis=0))) for quad in (a, b))
    return common / (both - common) if both > common else 0.0


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
