"""Evaluate a detector on labelled images."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.color import frame_from_bgr
from stream_ocr.core.geometry import from_flat
from stream_ocr.evaluation.datasets import LabelledImage, load_labelled_images
from stream_ocr.evaluation.detection_metrics import DetectionCounts, match_deteval, match_iou
from stream_ocr.models.detection.images import read_image
from stream_ocr.models.zoo import load_detector

# Layout of the contact sheet: cells (width, height) in pixels, colours in BGR.
_WORST_CASES, _COLUMNS, _CELL, _CAPTION_PX = 12, 3, (640, 400), 20
_TRUTH, _DETECTED, _IGNORED, _CAPTION = (80, 220, 60), (60, 60, 250), (150, 150, 150), (230, 230, 230)  # BGR


class Case(NamedTuple):
    """The detections in one image, and how they match its truth by IoU and by DetEval."""

    labelled: LabelledImage
    detected: list[np.ndarray]
    iou: DetectionCounts
    deteval: DetectionCounts


@dataclass(frozen=True)
class DetectorReport:
    """Counts over all images: matches with an IoU of 0.5 or more, and by DetEval. milliseconds: per image."""

    images: int
    iou: DetectionCounts
    deteval: DetectionCounts
    milliseconds: float
    cases: tuple[Case, ...] = ()

    def as_text(self) -> str:
        """Return the results as lines of text."""
        return "\n".join(
            [
                f"{self.images} images, {self.deteval.truth} texts to find, {self.milliseconds:.1f} ms per image",
                *(
                    f"{name:<8} precision {counts.precision:.3f}  recall {counts.recall:.3f}  F {counts.f:.3f}"
                    for name, counts in (("DetEval", self.deteval), ("IoU 0.5", self.iou))
                ),
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the results for JSON."""
        metrics = {
            name: {**asdict(counts), "precision": counts.precision, "recall": counts.recall, "f": counts.f}
            for name, counts in (("deteval", self.deteval), ("iou", self.iou))
        }
        return {"images": self.images, "ms_per_image": self.milliseconds, **metrics}

    def contact_sheet(self) -> np.ndarray:
        """Return the images with most errors, (H, W, 3) BGR: truth green, "don't care" truth grey, detections red."""
        cells = list(_cells(sorted(self.cases, key=_errors, reverse=True)[:_WORST_CASES]))
        cells += [np.zeros((_CELL[1], _CELL[0], 3), np.uint8)] * (-len(cells) % _COLUMNS)
        return np.vstack([np.hstack(cells[i : i + _COLUMNS]) for i in range(0, len(cells), _COLUMNS)])


def evaluate_detector(data: Path, settings: Settings) -> DetectorReport:
    """Run the detector on every image of a data set (see ``load_labelled_images``). Raise SourceError."""
    detector, images = load_detector(settings), load_labelled_images(data)
    detector.detect([frame_from_bgr(read_image(images[0].image))])  # warm-up: the first call is slow
    cases: list[Case] = []
    spent_s = 0.0
    for labelled in images:
        frame = frame_from_bgr(read_image(labelled.image))
        started = time.perf_counter()
        (detections,) = detector.detect([frame])
        spent_s += time.perf_counter() - started
        detected = [from_flat(detection.quad) for detection in detections]
        pair = (detected, labelled.quads, labelled.cares)
        cases.append(Case(labelled, detected, match_iou(*pair), match_deteval(*pair)))
    return DetectorReport(
        len(cases),
        sum((case.iou for case in cases), DetectionCounts()),
        sum((case.deteval for case in cases), DetectionCounts()),
        1000 * spent_s / len(cases),
        tuple(cases),
    )


def _errors(case: Case) -> float:
    """Return the number of false positives and misses by DetEval."""
    counts = case.deteval
    return counts.detections - counts.matched_detections + counts.truth - counts.matched_truth


def _cells(cases: Sequence[Case]) -> Iterator[np.ndarray]:
    for case in cases:
        image = read_image(case.labelled.image)
        scale = min(_CELL[0] / image.shape[1], (_CELL[1] - _CAPTION_PX) / image.shape[0])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        truth = zip(case.labelled.quads, case.labelled.cares, strict=True)
        for quad, colour in [
            *((quad, _TRUTH if cares else _IGNORED) for quad, cares in truth),
            *((quad, _DETECTED) for quad in case.detected),
        ]:
            cv2.polylines(small, [(quad * scale).round().astype(np.int32)], isClosed=True, color=colour, thickness=1)
        cell = np.zeros((_CELL[1], _CELL[0], 3), np.uint8)
        cell[: small.shape[0], : small.shape[1]] = small
        counts = case.deteval
        caption = (
            f"{case.labelled.image.name}: {counts.matched_truth:g} of {counts.truth} found, "
            f"{counts.matched_detections:g} of {counts.detections} detections right"
        )
        cv2.putText(cell, caption[:80], (4, _CELL[1] - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _CAPTION, 1)
        yield cell
