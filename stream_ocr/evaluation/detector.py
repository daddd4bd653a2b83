"""How well a detector finds the lines or words of labelled pictures."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.geometry import unflat
from stream_ocr.evaluation.datasets import Labelled, labelled
from stream_ocr.evaluation.detection_metrics import Tally, by_deteval, by_iou
from stream_ocr.models.detection.images import frame_of, load
from stream_ocr.models.zoo import load_detector

_WORST = 12
_COLUMNS, _CELL = 3, (640, 400)
_TRUE, _FOUND, _IGNORED = (80, 220, 60), (60, 60, 250), (150, 150, 150)


class Case(NamedTuple):
    """What was found in one picture."""

    picture: Labelled
    found: list[np.ndarray]
    iou: Tally
    deteval: Tally


@dataclass(frozen=True)
class Report:
    """Tallies over all pictures: pairs of an IoU of 0.5 or more, and DetEval's areas."""

    pictures: int
    iou: Tally
    deteval: Tally
    milliseconds: float  # a picture
    cases: tuple[Case, ...] = ()

    def lines(self) -> str:
        """For people."""
        return "\n".join(
            [
                f"{self.pictures} pictures, {self.deteval.truth} texts to find, {self.milliseconds:.1f} ms a picture",
                *(
                    f"{name:<8} precision {tally.precision:.3f}  recall {tally.recall:.3f}  F {tally.f:.3f}"
                    for name, tally in (("DetEval", self.deteval), ("IoU 0.5", self.iou))
                ),
            ]
        )

    def values(self) -> dict[str, Any]:
        """For JSON."""
        shares = {
            name: {**asdict(tally), "precision": tally.precision, "recall": tally.recall, "f": tally.f}
            for name, tally in (("deteval", self.deteval), ("iou", self.iou))
        }
        return {"pictures": self.pictures, "ms_a_picture": self.milliseconds, **shares}

    def sheet(self) -> np.ndarray:
        """The pictures with most mistakes, (H, W, 3): truth green, what need not be found grey, what was found red."""
        cells = list(_cells(sorted(self.cases, key=_mistakes, reverse=True)[:_WORST]))
        cells += [np.zeros((_CELL[1], _CELL[0], 3), np.uint8)] * (-len(cells) % _COLUMNS)
        return np.vstack([np.hstack(cells[i : i + _COLUMNS]) for i in range(0, len(cells), _COLUMNS)])


def detector(data: Path, settings: Settings) -> Report:
    """Look at every picture of a set (see ``labelled``). Raises SourceError when it is none."""
    finder, pictures = load_detector(settings), labelled(data)
    finder.detect([frame_of(load(pictures[0].image))])  # the first call of a network is slow
    cases: list[Case] = []
    spent_s = 0.0
    for picture in pictures:
        frame = frame_of(load(picture.image))
        begun = time.perf_counter()
        (regions,) = finder.detect([frame])
        spent_s += time.perf_counter() - begun
        found = [unflat(region.quad) for region in regions]
        truth = (found, picture.quads, picture.cares)
        cases.append(Case(picture, found, by_iou(*truth), by_deteval(*truth)))
    return Report(
        len(cases),
        sum((case.iou for case in cases), Tally()),
        sum((case.deteval for case in cases), Tally()),
        1000 * spent_s / len(cases),
        tuple(cases),
    )


def _mistakes(case: Case) -> float:
    """Misses and false alarms."""
    tally = case.deteval
    return tally.found - tally.right + tally.truth - tally.met


def _cells(cases: Sequence[Case]) -> Iterator[np.ndarray]:
    for case in cases:
        picture = load(case.picture.image)
        scale = min(_CELL[0] / picture.shape[1], (_CELL[1] - 20) / picture.shape[0])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        truth = zip(case.picture.quads, case.picture.cares, strict=True)
        for quad, colour in [
            *((quad, _TRUE if cares else _IGNORED) for quad, cares in truth),
            *((quad, _FOUND) for quad in case.found),
        ]:
            cv2.polylines(small, [(quad * scale).round().astype(np.int32)], isClosed=True, color=colour, thickness=1)
        cell = np.zeros((_CELL[1], _CELL[0], 3), np.uint8)
        cell[: small.shape[0], : small.shape[1]] = small
        tally = case.deteval
        name = f"{case.picture.image.name}: {tally.met:g} of {tally.truth} met, {tally.right:g} of {tally.found} right"
        cv2.putText(cell, name[:80], (4, _CELL[1] - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (230, 230, 230), 1)
        yield cell
