"""Text detector: scale and convert frames, run the network, map its boxes back to source pixels.

A frame is placed in the top left corner of a canvas whose sides are multiples of 32. All frames of a stream share one
canvas size, so networks see few different shapes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from stream_ocr.core.color import frame_to_rgb
from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import bounding_box, from_flat, side_lengths, to_flat
from stream_ocr.core.messages import Detection
from stream_ocr.models.backends.base import Engine
from stream_ocr.models.detection.postprocess import find_boxes, find_polygons
from stream_ocr.models.detection.thresholds import THRESHOLDS

SIZE_MULTIPLE = 32
"""Sides of the network's input are multiples of this; its deepest features have stride 32."""

_PADDING = 128  # mid-grey


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Input normalisation of a network: (value - mean) / scale for values of 0 to 255, per channel in ``order``."""

    order: Literal["rgb", "bgr"]
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class CanvasLayout:
    """Sizes (width, height) of a frame, of the scaled image, and of the canvas that holds the image."""

    source: tuple[int, int]
    image: tuple[int, int]
    canvas: tuple[int, int]


def fit_canvas(source: tuple[int, int], long_side: int) -> CanvasLayout:
    """Scale the longer side to ``long_side`` and keep the aspect: 1280×720 at 640 is 640×360 on a canvas of 640×384."""
    scale = min(long_side / max(source), THRESHOLDS.max_upscale)
    width, height = (max(1, round(side * scale)) for side in source)
    return CanvasLayout(source, (width, height), (_round_up(width), _round_up(height)))


def _round_up(side: int) -> int:
    return -(-side // SIZE_MULTIPLE) * SIZE_MULTIPLE


class Detector:
    """A DB-style detector network with its pre- and post-processing.

    engine: maps (B, 3, H, W) to a probability map of the same aspect. long_side: longer side, in pixels, to which
    frames are scaled. bin_thresh, box_thresh, unclip_ratio, shrink, max_boxes: see ``find_boxes``. min_height_px: lower
    detections are dropped, in source pixels. max_batch: frames per call; with 1 a result never depends on the batch.
    """

    def __init__(
        self,
        engine: Engine,
        normalisation: Normalisation,
        *,
        long_side: int,
        bin_thresh: float,
        box_thresh: float,
        unclip_ratio: float,
        shrink: float,
        max_boxes: int,
        min_height_px: float,
        max_batch: int = 1,
    ) -> None:
        self.engine = engine
        self.normalisation = normalisation
        self.long_side = long_side
        self.bin_thresh = bin_thresh
        self.box_thresh = box_thresh
        self.unclip_ratio = unclip_ratio
        self.shrink = shrink
        self.max_boxes = max_boxes
        self.min_height_px = min_height_px
        self.max_batch = max_batch

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Return the detections of each frame in reading order, in pixels of that frame."""
        return self._detect_at(frames, self.long_side)

    def detect_coarse(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Detect at half of ``long_side``: a quarter of the work, less exact boxes, small text missed."""
        return self._detect_at(frames, self.long_side // 2)

    def detect_fine(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Detect at twice ``long_side``, at most at the frame's own size: four times the work.

        Return only text so small that ``detect`` may miss it.
        """
        return [self._detect_small(frame) for frame in frames]

    def detect_polygons(self, frame: Frame) -> list[np.ndarray]:
        """Detect as ``detect`` does, but return polygons (K, 2) in pixels of the frame, which follow curved text.

        The polygon with the highest score comes first.
        """
        ((_, p_HW, layout),) = self._probability_maps([frame], self.long_side)
        polygons, scale = self._postprocess(find_polygons, p_HW, layout)
        scaled = [np.clip(polygon * scale, 0, layout.source) for polygon, _ in polygons]
        return [polygon for polygon in scaled if self._is_line_height(_shorter_side(polygon), layout)]

    def _detect_small(self, frame: Frame) -> list[Detection]:
        (detections,) = self._detect_at([frame], min(2 * self.long_side, max(frame.size)))
        max_height_px = THRESHOLDS.fine_max_height_px * max(frame.size) / self.long_side
        return [detection for detection in detections if side_lengths(from_flat(detection.quad))[1] <= max_height_px]

    def _detect_at(self, frames: Sequence[Frame], long_side: int) -> list[list[Detection]]:
        detections: list[list[Detection]] = [[] for _ in frames]
        for i, p_HW, layout in self._probability_maps(frames, long_side):
            detections[i] = self._detections(p_HW, layout)
        return detections

    def _probability_maps(
        self, frames: Sequence[Frame], long_side: int
    ) -> Iterator[tuple[int, np.ndarray, CanvasLayout]]:
        """Yield index, probability map of the canvas and layout of each frame."""
        layouts = [fit_canvas(frame.size, long_side) for frame in frames]
        for batch in self._batches(layouts):
            width, height = layouts[batch[0]].canvas
            x_BCHW = np.full((len(batch), 3, height, width), _PADDING, dtype=np.float32)
            for x_CHW, i in zip(x_BCHW, batch, strict=True):
                self._fill_canvas(frames[i], layouts[i], x_CHW)
            p = self.engine.run(x_BCHW)
            for i, p_HW in zip(batch, p.reshape(len(batch), *p.shape[-2:]), strict=True):
                yield i, p_HW, layouts[i]

    def _batches(self, layouts: Sequence[CanvasLayout]) -> Iterator[list[int]]:
        """Yield indices of frames with the same canvas size, at most ``max_batch`` at a time."""
        by_canvas: dict[tuple[int, int], list[int]] = {}
        for i, layout in enumerate(layouts):
            by_canvas.setdefault(layout.canvas, []).append(i)
        for indices in by_canvas.values():
            for start in range(0, len(indices), self.max_batch):
                yield indices[start : start + self.max_batch]

    def _fill_canvas(self, frame: Frame, layout: CanvasLayout, canvas_CHW: np.ndarray) -> None:
        """Copy the scaled frame into a grey canvas and normalise the canvas in place."""
        image_HWC, (width, height) = frame_to_rgb(frame, layout.image), layout.image
        if self.normalisation.order == "bgr":
            image_HWC = image_HWC[..., ::-1]
        canvas_CHW[:, :height, :width] = image_HWC.transpose(2, 0, 1)
        for plane, mean, scale in zip(canvas_CHW, self.normalisation.mean, self.normalisation.scale, strict=True):
            plane -= np.float32(mean)
            plane /= np.float32(scale)

    def _detections(self, p_HW: np.ndarray, layout: CanvasLayout) -> list[Detection]:
        boxes, scale = self._postprocess(find_boxes, p_HW, layout)
        if not boxes:
            return []
        quads_N42 = np.clip(np.stack([quad for quad, _ in boxes]) * scale, 0, layout.source)
        kept = [i for i, quad in enumerate(quads_N42) if self._is_line_height(min(side_lengths(quad)), layout)]
        return [Detection(to_flat(quads_N42[i]), boxes[i][1]) for i in sort_reading_order(quads_N42, kept)]

    def _postprocess(
        self, find: Callable[..., list[tuple[np.ndarray, float]]], p_HW: np.ndarray, layout: CanvasLayout
    ) -> tuple[list[tuple[np.ndarray, float]], np.ndarray]:
        """Return (shape, score) pairs in map pixels of the image's part of the map, and the scale to source pixels."""
        stride = layout.canvas[0] / p_HW.shape[1]
        width, height = (int(np.ceil(side / stride)) for side in layout.image)
        shapes = find(
            p_HW[:height, :width],
            bin_thresh=self.bin_thresh,
            box_thresh=self.box_thresh,
            unclip_ratio=self.unclip_ratio,
            max_boxes=self.max_boxes,
            shrink=self.shrink,
        )
        return shapes, stride * np.array(layout.source) / np.array(layout.image)

    def _is_line_height(self, height_px: float, layout: CanvasLayout) -> bool:
        """Return True when a line of this height, in source pixels, is neither too low to read nor too tall."""
        max_height_px = max(
            THRESHOLDS.max_height_ratio * min(layout.source),
            THRESHOLDS.max_height_px * layout.source[0] / layout.image[0],
        )
        return bool(self.min_height_px <= height_px <= max_height_px)


def _shorter_side(polygon: np.ndarray) -> float:
    """Return the shorter side of the smallest rectangle around a polygon."""
    return float(min(cv2.minAreaRect(polygon.astype(np.float32))[1]))


def sort_reading_order(quads_N42: np.ndarray, indices: Sequence[int]) -> list[int]:
    """Sort the quads at ``indices`` into rows from top to bottom, and each row from left to right.

    A row holds the quads whose vertical centre lies above the lower edge of its topmost quad.
    """
    boxes = {i: bounding_box(quads_N42[i]) for i in indices}
    remaining = sorted(indices, key=lambda i: (boxes[i][1] + boxes[i][3], boxes[i][0], i))
    ordered: list[int] = []
    while remaining:
        bottom = boxes[remaining[0]][3]
        row = [i for i in remaining if (boxes[i][1] + boxes[i][3]) / 2 <= bottom]
        ordered += sorted(row, key=lambda i: (boxes[i][0], i))
        remaining = [i for i in remaining if i not in row]
    return ordered
