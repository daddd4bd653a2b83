"""Label large text that the teacher misses at high resolution: titles of posters and boxes.

``python -m stream_ocr.training.data.coarse_teacher OUT SET…`` looks at every picture of ``OUT/pictures/SET`` at a low
resolution with PP-OCRv6's detector and writes ``OUT/coarse/SET.jsonl``; ``detector_sets`` adds what it finds there.
Sure and long boxes count as lines (``quads``); others may be several lines or none and are ignored in training.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from stream_ocr.config.settings import Settings
from stream_ocr.core.color import frame_from_bgr
from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import from_flat, side_lengths
from stream_ocr.core.messages import Detection
from stream_ocr.models.detection.detector import Detector
from stream_ocr.models.detection.images import read_image
from stream_ocr.models.zoo import load_detector


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Conditions for labels from a coarse pass; chosen by eye on 24 posters and packages.

    long_side: of the picture that the net sees, in pixels. least_share: text height as a share of the longer side.
    score: from which a box is looked at. sure_score, line_aspect: score and width / height from which it is a line.
    """

    long_side: int = 416
    least_share: float = 0.05
    score: float = 0.5
    sure_score: float = 0.8
    line_aspect: float = 2.2


class DetectsFrames(Protocol):
    """The part of ``Detector`` that is used."""

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Return the detections of each frame."""
        ...


def coarse_lines(folder: Path, detector: DetectsFrames, thresholds: Thresholds) -> Iterator[dict[str, Any]]:
    """Yield for each picture its large lines and what may be one, as JSON."""
    for image in sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png")):
        bgr = read_image(image)
        (regions,) = detector.detect([frame_from_bgr(bgr)])
        least_px = thresholds.least_share * max(bgr.shape[:2])
        quads: list[Any] = []
        ignored: list[Any] = []
        for quad, score in ((from_flat(region.quad), region.score) for region in regions):
            low, high = sorted(side_lengths(quad))
            if low >= least_px:
                sure = score >= thresholds.sure_score and high >= thresholds.line_aspect * low
                (quads if sure else ignored).append(quad.round(1).tolist())
        yield {"image": image.name, "quads": quads, "ignored": ignored}


def teacher(thresholds: Thresholds) -> Detector:
    """Return PP-OCRv6's detector on one thread."""
    overrides = ["models=ppocr", "threads=1", f"detection.long_side={thresholds.long_side}"]
    return load_detector(Settings.load(overrides=[*overrides, f"detection.box_thresh={thresholds.score}"]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Find large text that a teacher misses at high resolution.")
    parser.add_argument("out", type=Path)
    parser.add_argument("sets", nargs="+")
    options = parser.parse_args()
    chosen = Thresholds()
    for name in options.sets:
        path = options.out / "coarse" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = list(coarse_lines(options.out / "pictures" / name, teacher(chosen), chosen))
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        print(f"{name}: {sum(len(r['quads']) for r in rows)} lines, {sum(len(r['ignored']) for r in rows)} ignored")
