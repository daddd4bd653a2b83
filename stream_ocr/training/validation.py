"""Validate a detector in training on generated pictures."""

from pathlib import Path

import cv2
import numpy as np
import torch

from stream_ocr.evaluation.detection_metrics import DetectionCounts, heights, match_deteval, match_iou
from stream_ocr.evaluation.thresholds import BY_SOURCE
from stream_ocr.models.detection.dbnet import SIZE_MULTIPLE, DBNet, normalise
from stream_ocr.models.detection.postprocess import find_boxes
from stream_ocr.models.devices import computes_bf16
from stream_ocr.training.data.scene import Scene
from stream_ocr.training.thresholds import REPORTS, TARGETS


@torch.no_grad()
def validate(
    net: DBNet,
    pictures: list[Scene],
    sheet: Path,
    *,
    bin_thresh: float,
    shown_box_thresh: float,
    unclip_ratio: float,
    shrink: float,
) -> dict[str, float]:
    """Return DetEval precision, recall and F, and F at IoU 0.5, at the score with the best sum of both F.

    sheet: file for the first images with their boxes from ``shown_box_thresh`` on, each beside its P.
    """
    candidates = BY_SOURCE.box_thresholds
    tallies = [(DetectionCounts(), DetectionCounts()) for _ in candidates]
    shown: list[np.ndarray] = []
    for scene in pictures:
        height, width = scene.picture.shape[:2]
        margins = ((0, -height % SIZE_MULTIPLE), (0, -width % SIZE_MULTIPLE), (0, 0))
        padded = np.pad(scene.picture, margins)
        with torch.autocast("cpu", torch.bfloat16, enabled=bool(computes_bf16("cpu"))):
            p_HW = net(normalise(padded)[None].contiguous(memory_format=torch.channels_last))[0].numpy()
        boxes = find_boxes(
            p_HW, bin_thresh=bin_thresh, box_thresh=candidates[0], unclip_ratio=unclip_ratio, shrink=shrink
        )
        cares = heights(scene.quads) >= TARGETS.min_height_px
        for row, least in enumerate(candidates):
            found = [quad * net.stride for quad, score in boxes if score >= least]
            deteval, iou = tallies[row]
            tallies[row] = (
                deteval + match_deteval(found, scene.quads, cares),
                iou + match_iou(found, scene.quads, cares),
            )
        if len(shown) < REPORTS.shown_pictures:
            shown.append(_seen(padded, p_HW, [quad * net.stride for quad, score in boxes if score >= shown_box_thresh]))
    cv2.imwrite(str(sheet), cv2.cvtColor(np.vstack(shown), cv2.COLOR_RGB2BGR))
    best = max(range(len(candidates)), key=lambda row: tallies[row][0].f + tallies[row][1].f)
    deteval, iou = tallies[best]
    return {
        "P": deteval.precision,
        "R": deteval.recall,
        "F": deteval.f,
        "F_iou": iou.f,
        "box_thresh": candidates[best],
    }


def _seen(picture: np.ndarray, p_HW: np.ndarray, found: list[np.ndarray]) -> np.ndarray:
    """Return the image with its boxes beside its probability map."""
    drawn = picture.copy()
    cv2.polylines(drawn, [q.round().astype(np.int32) for q in found], True, (255, 0, 0), 2)
    heat = cv2.resize((p_HW * 255).astype(np.uint8), (picture.shape[1], picture.shape[0]))
    pair = np.hstack([drawn, cv2.cvtColor(heat, cv2.COLOR_GRAY2RGB)])
    return cv2.resize(pair, (960, 360), interpolation=cv2.INTER_AREA)
