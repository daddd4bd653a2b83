"""Measure a detector on several sets of images by source; one mean decides.

``python -m stream_ocr.evaluation.detector_by_source SETS [--weights FOLDER --name NAME | --models builtin|ppocr]``
prints the table. SETS is a folder of lists (see ``evaluation.datasets``): ``clips.jsonl`` is averaged by clip, lists
without any truth count false boxes, and every other list weighs the same in the mean.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from stream_ocr.config.settings import Settings
from stream_ocr.core.color import frame_from_bgr
from stream_ocr.core.geometry import from_flat
from stream_ocr.evaluation.datasets import LabelledImage, load_labelled_images
from stream_ocr.evaluation.detection_metrics import DetectionCounts, heights, match_deteval, match_iou
from stream_ocr.evaluation.thresholds import BY_SOURCE
from stream_ocr.models import builtin
from stream_ocr.models.detection.dbnet import DBNet, normalise
from stream_ocr.models.detection.detector import Detector, fit_canvas
from stream_ocr.models.detection.images import read_image
from stream_ocr.models.detection.postprocess import find_boxes
from stream_ocr.models.detection.thresholds import THRESHOLDS
from stream_ocr.models.zoo import load_detector

Found = list[tuple[np.ndarray, float]]
Finder = Callable[[np.ndarray], Found]
"""From a picture, (H, W, 3) uint8, blue first, to quads in its pixels, each with its score."""


class ProbabilityNet(Protocol):
    """The part of ``DBNet`` that is used: from normalised images x_BCHW to p_BHW, reduced by ``stride``."""

    stride: int

    def __call__(self, x_BCHW: Tensor, /) -> Tensor:
        """Return the probability of text of each pixel."""
        ...


CLIPS = "clips"
"""Name of the set whose figures are averaged by clip."""


@dataclass
class SetFigures:
    """Counts of one set, by the indices of ``BY_SOURCE.box_thresholds``."""

    pictures: int = 0
    deteval: dict[str, list[DetectionCounts]] = field(default_factory=dict)
    iou: dict[str, list[DetectionCounts]] = field(default_factory=dict)
    bands: list[list[DetectionCounts]] = field(
        default_factory=lambda: [
            [DetectionCounts()] * (len(BY_SOURCE.height_bounds_px) - 1) for _ in BY_SOURCE.box_thresholds
        ]
    )

    @property
    def has_truth(self) -> bool:
        return any(rows[0].truth for rows in self.deteval.values())

    def f(self, row: int, which: str = "deteval") -> float:
        """Return the mean F of the groups (clips), or F of the only one."""
        return float(np.mean([rows[row].f for rows in getattr(self, which).values()]))

    def boxes(self, row: int) -> float:
        """Return the number of boxes that count, per picture."""
        return sum(rows[row].detections for rows in self.deteval.values()) / max(self.pictures, 1)


@dataclass
class Report:
    """Detections of every set, and the threshold at which the mean F is best."""

    sets: dict[str, SetFigures]

    @property
    def judged(self) -> list[SetFigures]:
        return [figures for figures in self.sets.values() if figures.has_truth]

    def mean(self, row: int) -> float:
        """Return the mean DetEval F of the sets with truth, which decides."""
        return float(np.mean([figures.f(row) for figures in self.judged]))

    @property
    def best(self) -> int:
        return max(range(len(BY_SOURCE.box_thresholds)), key=self.mean)

    def values(self, row: int | None = None) -> dict[str, Any]:
        """Return the figures at one score, by default the best, for JSON."""
        row = self.best if row is None else row
        values: dict[str, Any] = {"box_thresh": BY_SOURCE.box_thresholds[row], "mean_f": round(self.mean(row), 4)}
        values["mean_f_iou"] = round(float(np.mean([s.f(row, "iou") for s in self.judged])), 4)
        for name, figures in self.sets.items():
            if figures.has_truth:
                total = sum((rows[row] for rows in figures.deteval.values()), DetectionCounts())
                values[name] = {
                    "f": round(figures.f(row), 4),
                    "p": round(total.precision, 4),
                    "r": round(total.recall, 4),
                    "f_iou": round(figures.f(row, "iou"), 4),
                }
            else:
                values[name] = {"false_boxes_per_picture": round(figures.boxes(row), 3)}
        bands = [
            sum((s.bands[row][b] for s in self.judged), DetectionCounts())
            for b in range(len(BY_SOURCE.height_bounds_px) - 1)
        ]
        values["recall_by_height_px"] = {
            f"{low:g}-{high:g}" if high < math.inf else f"{low:g}+": round(counts.recall, 4)
            for (low, high), counts in zip(pairwise(BY_SOURCE.height_bounds_px), bands, strict=True)
        }
        return values

    def table(self) -> str:
        """Return the figures at the best score as a table."""
        values, row = self.values(), self.best
        lines = [f"box_thresh {values['box_thresh']}: mean F {values['mean_f']:.3f} (IoU {values['mean_f_iou']:.3f})"]
        for name, figures in self.sets.items():
            lines.append(
                f"{name:<16} {figures.pictures:4d} pictures  "
                + (
                    "F {f:.3f}  P {p:.3f}  R {r:.3f}  IoU F {f_iou:.3f}".format(**values[name])
                    if figures.has_truth
                    else f"{figures.boxes(row):.3f} false boxes a picture"
                )
            )
        lines.append("recall by height  " + "  ".join(f"{k} {v:.3f}" for k, v in values["recall_by_height_px"].items()))
        return "\n".join(lines)


def validation_sets(folder: Path) -> dict[str, list[LabelledImage]]:
    """Return the lists of a folder, by name."""
    return {path.stem: load_labelled_images(path) for path in sorted(folder.glob("*.jsonl"))}


def measure(
    find: Finder, sets: Mapping[str, Sequence[LabelledImage]], *, every: int = 1, long_side: int = BY_SOURCE.long_side
) -> Report:
    """Return the figures of all pictures of all sets, or of each ``every``-th picture."""
    report = Report({name: SetFigures() for name in sets})
    for name, pictures in sets.items():
        for picture in pictures[::every]:
            group = picture.image.stem.rpartition("-")[0] if name == CLIPS else name
            _count(report.sets[name], group, picture, find, long_side)
    return report


def _count(figures: SetFigures, group: str, picture: LabelledImage, find: Finder, long_side: int) -> None:
    bgr = read_image(picture.image)
    scale = fit_canvas((bgr.shape[1], bgr.shape[0]), long_side).image[0] / bgr.shape[1]
    sizes = heights(picture.quads) * scale
    cares = np.array(picture.cares, bool) & (sizes >= BY_SOURCE.height_bounds_px[0])
    found = find(bgr)
    figures.pictures += 1
    for tallies, match in ((figures.deteval, match_deteval), (figures.iou, match_iou)):
        rows = tallies.setdefault(group, [DetectionCounts()] * len(BY_SOURCE.box_thresholds))
        for row, least in enumerate(BY_SOURCE.box_thresholds):
            rows[row] += match([quad for quad, score in found if score >= least], picture.quads, cares)
    for row, least in enumerate(BY_SOURCE.box_thresholds):
        chosen = [quad for quad, score in found if score >= least]
        for band, (low, high) in enumerate(pairwise(BY_SOURCE.height_bounds_px)):
            within = cares & (sizes >= low) & (sizes < high)
            if within.any():
                figures.bands[row][band] += match_deteval(chosen, picture.quads, within)


def net_finder(
    net: ProbabilityNet,
    *,
    long_side: int = BY_SOURCE.long_side,
    unclip_ratio: float = BY_SOURCE.unclip_ratio,
    shrink: float = THRESHOLDS.shrink,
) -> Finder:
    """Return a finder that runs a net in evaluation mode, as ``Detector`` does, but on RGB instead of YUV."""

    @torch.inference_mode()
    def find(bgr: np.ndarray) -> Found:
        layout = fit_canvas((bgr.shape[1], bgr.shape[0]), long_side)
        width, height = layout.image
        canvas = np.full((layout.canvas[1], layout.canvas[0], 3), 128, np.uint8)
        shrinking = width < bgr.shape[1]
        canvas[:height, :width] = cv2.resize(
            bgr, layout.image, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
        )
        x_BCHW = normalise(np.ascontiguousarray(canvas[..., ::-1]))[None].contiguous(memory_format=torch.channels_last)
        p_HW = net(x_BCHW)[0].numpy()[: -(-height // net.stride), : -(-width // net.stride)]
        boxes = find_boxes(
            p_HW,
            bin_thresh=THRESHOLDS.bin_thresh,
            box_thresh=BY_SOURCE.box_thresholds[0],
            unclip_ratio=unclip_ratio,
            shrink=shrink,
        )
        grow = net.stride * np.array(layout.source) / np.array(layout.image)
        return [(np.clip(quad * grow, 0, layout.source), score) for quad, score in boxes]

    return find


def detector_finder(detector: Detector) -> Finder:
    """Return a finder that runs a detector."""

    def find(bgr: np.ndarray) -> Found:
        (regions,) = detector.detect([frame_from_bgr(bgr)])
        return [(from_flat(region.quad), region.score) for region in regions]

    return find


def saved_net(folder: Path, name: str) -> DBNet:
    """Return a net of exported weights, ready for inference."""
    net = builtin.load_net(name, folder)[1]
    assert isinstance(net, DBNet)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure a detector by source.")
    parser.add_argument("sets", type=Path)
    parser.add_argument("--weights", type=Path, help="folder with manifest.json")
    parser.add_argument("--name", default="detector-base")
    parser.add_argument("--models", choices=("builtin", "ppocr"), help="instead of weights: as the program reads")
    parser.add_argument("--long-side", type=int, default=BY_SOURCE.long_side)
    parser.add_argument("--unclip-ratio", type=float, default=BY_SOURCE.unclip_ratio)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="names of sets")
    parser.add_argument("--json", type=Path)
    return parser


if __name__ == "__main__":
    options = _parser().parse_args()
    torch.set_num_threads(1)
    if options.models:
        overrides = [f"models={options.models}", "threads=1", f"detection.box_thresh={BY_SOURCE.box_thresholds[0]}"]
        overrides += [f"detection.long_side={options.long_side}"]
        find = detector_finder(load_detector(Settings.load(overrides=overrides)))
    else:
        find = net_finder(
            saved_net(options.weights, options.name), long_side=options.long_side, unclip_ratio=options.unclip_ratio
        )
    sets = validation_sets(options.sets)
    chosen = {name: pictures for name, pictures in sets.items() if not options.only or name in options.only}
    report = measure(find, chosen, every=options.every, long_side=options.long_side)
    sys.stdout.write(report.table() + "\n")
    if options.json:
        options.json.write_text(json.dumps(report.values(), indent=1) + "\n")
