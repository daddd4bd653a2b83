"""Measure a detector on several sets of pictures by source, and decide by one mean.

``python -m stream_ocr.training.source_validation SETS [--weights FOLDER --name NAME | --models own|ppocr]`` prints the
table. SETS is a folder of lists (see ``labelled``): ``clips.jsonl`` is averaged by clip, lists without any truth count
false boxes, and every other list weighs the same in the mean.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from stream_ocr import own
from stream_ocr.detection.boxes import SHRINK, find_boxes
from stream_ocr.detection.dbnet import DBNet, normalise
from stream_ocr.detection.detector import Detector, lay_out
from stream_ocr.geometry import unflat
from stream_ocr.networks import load_detector
from stream_ocr.settings import Settings
from stream_ocr.still import frame_of, load
from stream_ocr.training.labelled import Labelled, labelled
from stream_ocr.training.matching import Tally, by_deteval, by_iou, heights

Found = list[tuple[np.ndarray, float]]
Finder = Callable[[np.ndarray], Found]
"""From a picture, (H, W, 3) uint8, blue first, to quads in its pixels, each with its score."""

SCORES = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
"""Box scores that are tried; one is chosen for all sets."""

LONG_SIDE, BINARISE, UNCLIP = 960, 0.3, 1.0
"""As ``stream-ocr detect`` looks at still pictures."""

SMALLEST_PX = 6.0
"""Truth of a smaller height, at the size that the net sees, need not be found."""

BANDS_PX = (SMALLEST_PX, 10.0, 16.0, 32.0, 64.0, 1e9)
"""Bounds of the text heights for which recall is told apart, at the size that the net sees."""

CLIPS = "clips"


@dataclass
class SetFigures:
    """Tallies of one set by the indices of ``SCORES``."""

    pictures: int = 0
    deteval: dict[str, list[Tally]] = field(default_factory=dict)
    iou: dict[str, list[Tally]] = field(default_factory=dict)
    bands: list[list[Tally]] = field(default_factory=lambda: [[Tally()] * (len(BANDS_PX) - 1) for _ in SCORES])

    @property
    def has_truth(self) -> bool:
        return any(rows[0].truth for rows in self.deteval.values())

    def f(self, row: int, which: str = "deteval") -> float:
        """Mean F of the groups (clips), or F of the only one."""
        return float(np.mean([rows[row].f for rows in getattr(self, which).values()]))

    def boxes(self, row: int) -> float:
        """Boxes that count as found, per picture."""
        return sum(rows[row].found for rows in self.deteval.values()) / max(self.pictures, 1)


@dataclass
class Report:
    """What was found in every set, and at which score the mean F is best."""

    sets: dict[str, SetFigures]

    @property
    def judged(self) -> list[SetFigures]:
        return [figures for figures in self.sets.values() if figures.has_truth]

    def mean(self, row: int) -> float:
        """Mean of DetEval F over the sets with truth: what decides."""
        return float(np.mean([figures.f(row) for figures in self.judged]))

    @property
    def best(self) -> int:
        return max(range(len(SCORES)), key=self.mean)

    def values(self, row: int | None = None) -> dict[str, Any]:
        """Figures at one score, the best one unless given, for JSON."""
        row = self.best if row is None else row
        values: dict[str, Any] = {"score": SCORES[row], "mean_f": round(self.mean(row), 4)}
        values["mean_f_iou"] = round(float(np.mean([s.f(row, "iou") for s in self.judged])), 4)
        for name, figures in self.sets.items():
            if figures.has_truth:
                total = sum((rows[row] for rows in figures.deteval.values()), Tally())
                values[name] = {
                    "f": round(figures.f(row), 4),
                    "p": round(total.precision, 4),
                    "r": round(total.recall, 4),
                    "f_iou": round(figures.f(row, "iou"), 4),
                }
            else:
                values[name] = {"false_boxes_per_picture": round(figures.boxes(row), 3)}
        bands = [sum((s.bands[row][b] for s in self.judged), Tally()) for b in range(len(BANDS_PX) - 1)]
        values["recall_by_height_px"] = {
            f"{low:g}-{high:g}" if high < 1e6 else f"{low:g}+": round(tally.recall, 4)
            for low, high, tally in zip(BANDS_PX[:-1], BANDS_PX[1:], bands, strict=True)
        }
        return values

    def table(self) -> str:
        """Figures at the best score, for people."""
        values, row = self.values(), self.best
        lines = [f"score {values['score']}: mean F {values['mean_f']:.3f} (IoU {values['mean_f_iou']:.3f})"]
        for name, figures in self.sets.items():
            told = values[name]
            lines.append(
                f"{name:<16} {figures.pictures:4d} pictures  "
                + (
                    f"F {told['f']:.3f}  P {told['p']:.3f}  R {told['r']:.3f}  IoU F {told['f_iou']:.3f}"
                    if figures.has_truth
                    else f"{figures.boxes(row):.3f} false boxes a picture"
                )
            )
        lines.append("recall by height  " + "  ".join(f"{k} {v:.3f}" for k, v in values["recall_by_height_px"].items()))
        return "\n".join(lines)


def validation_sets(folder: Path) -> dict[str, list[Labelled]]:
    """The lists of a folder by name."""
    return {path.stem: labelled(path) for path in sorted(folder.glob("*.jsonl"))}


def measure(
    find: Finder, sets: Mapping[str, Sequence[Labelled]], *, every: int = 1, long_side: int = LONG_SIDE
) -> Report:
    """Look at every picture of every set, or at each ``every``-th."""
    report = Report({name: SetFigures() for name in sets})
    for name, pictures in sets.items():
        for picture in pictures[::every]:
            group = picture.image.stem.rpartition("-")[0] if name == CLIPS else name
            _count(report.sets[name], group, picture, find, long_side)
    return report


def _count(figures: SetFigures, group: str, picture: Labelled, find: Finder, long_side: int) -> None:
    bgr = load(picture.image)
    scale = lay_out((bgr.shape[1], bgr.shape[0]), long_side).picture[0] / bgr.shape[1]
    sizes = heights(picture.quads) * scale
    cares = np.array(picture.cares, bool) & (sizes >= SMALLEST_PX)
    found = find(bgr)
    figures.pictures += 1
    for tallies, match in ((figures.deteval, by_deteval), (figures.iou, by_iou)):
        rows = tallies.setdefault(group, [Tally()] * len(SCORES))
        for row, least in enumerate(SCORES):
            rows[row] += match([quad for quad, score in found if score >= least], picture.quads, cares)
    for row, least in enumerate(SCORES):
        chosen = [quad for quad, score in found if score >= least]
        for band, (low, high) in enumerate(pairwise(BANDS_PX)):
            within = cares & (sizes >= low) & (sizes < high)
            if within.any():
                figures.bands[row][band] += by_deteval(chosen, picture.quads, within)


def net_finder(net: DBNet, *, long_side: int = LONG_SIDE, unclip: float = UNCLIP, shrink: float = SHRINK) -> Finder:
    """Look with a net in evaluation mode, as ``Detector`` does, without the way through YUV."""

    @torch.inference_mode()
    def find(bgr: np.ndarray) -> Found:
        layout = lay_out((bgr.shape[1], bgr.shape[0]), long_side)
        width, height = layout.picture
        canvas = np.full((layout.canvas[1], layout.canvas[0], 3), 128, np.uint8)
        shrinking = width < bgr.shape[1]
        canvas[:height, :width] = cv2.resize(
            bgr, layout.picture, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
        )
        x_BCHW = normalise(np.ascontiguousarray(canvas[..., ::-1]))[None].contiguous(memory_format=torch.channels_last)
        p_HW = net(x_BCHW)[0].numpy()[: -(-height // net.stride), : -(-width // net.stride)]
        boxes = find_boxes(p_HW, binarise=BINARISE, score=SCORES[0], unclip=unclip, shrink=shrink)
        grow = net.stride * np.array(layout.source) / np.array(layout.picture)
        return [(np.clip(quad * grow, 0, layout.source), score) for quad, score in boxes]

    return find


def detector_finder(detector: Detector) -> Finder:
    """Look with a detector as it is used."""

    def find(bgr: np.ndarray) -> Found:
        (regions,) = detector.detect([frame_of(bgr)])
        return [(unflat(region.quad), region.score) for region in regions]

    return find


def saved_net(folder: Path, name: str) -> DBNet:
    """A net of exported weights, ready to infer."""
    net = own.load_net(name, folder)[1]
    assert isinstance(net, DBNet)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure a detector by source.")
    parser.add_argument("sets", type=Path)
    parser.add_argument("--weights", type=Path, help="folder with manifest.json")
    parser.add_argument("--name", default="detector-small")
    parser.add_argument("--models", choices=("own", "ppocr"), help="instead of weights: as the program reads")
    parser.add_argument("--long-side", type=int, default=LONG_SIDE)
    parser.add_argument("--unclip", type=float, default=UNCLIP)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="names of sets")
    parser.add_argument("--json", type=Path)
    return parser


if __name__ == "__main__":
    options = _parser().parse_args()
    torch.set_num_threads(1)
    if options.models:
        overrides = [f"models={options.models}", "threads=1", f"detection.score={SCORES[0]}"]
        overrides += [f"detection.long_side={options.long_side}"]
        find = detector_finder(load_detector(Settings.load(overrides=overrides)))
    else:
        find = net_finder(saved_net(options.weights, options.name), long_side=options.long_side, unclip=options.unclip)
    sets = validation_sets(options.sets)
    chosen = {name: pictures for name, pictures in sets.items() if not options.only or name in options.only}
    report = measure(find, chosen, every=options.every, long_side=options.long_side)
    print(report.table())
    if options.json:
        options.json.write_text(json.dumps(report.values(), indent=1) + "\n")
