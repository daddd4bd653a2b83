"""From frames to regions of text: scale, colour, network, and back to the pixels of the source.

A frame is laid into the top left of a canvas whose sides are multiples of 32. Each stream has one size and so one
canvas, and networks see few different shapes. Its planes are scaled first and converted to RGB at the small size.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import bounds, extent, flat, unflat
from stream_ocr.core.messages import Detection
from stream_ocr.models.backends.base import Engine
from stream_ocr.models.detection.postprocess import find_boxes, find_polygons

MULTIPLE = 32
MOST_ENLARGED = 2.0
"""Small frames are enlarged at most this much: beyond, the network sees nothing new."""

HD_SIDE = 1280
"""Frames of which a side has so many pixels carry BT.709 colours, smaller ones BT.601, unless they say otherwise (they
seldom do)."""

SMALL_PX = 16.0
"""Regions higher than this, as a look sees them, need no close look."""

TALLEST, TALLEST_PX = 0.5, 160.0
"""A region higher than this share of the picture, and than so many pixels as the network sees it, is haze or foliage,
not a line: it is beyond what these networks can see at once."""

_LUMA = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722)}
_GREY = 128


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What a network wants for pixels: (value - mean) / scale with values of 0 to 255, per channel in ``order``."""

    order: Literal["rgb", "bgr"]
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """(width, height) of a frame, of the picture it is scaled to, and of the canvas that holds the picture."""

    source: tuple[int, int]
    picture: tuple[int, int]
    canvas: tuple[int, int]


def lay_out(source: tuple[int, int], long_side: int) -> Layout:
    """Scale the longer side to ``long_side``, the aspect kept: 1280×720 at 640 is 640×360 on a canvas of 640×384."""
    scale = min(long_side / max(source), MOST_ENLARGED)
    width, height = (max(1, round(side * scale)) for side in source)
    return Layout(source, (width, height), (_up(width), _up(height)))


def _up(side: int) -> int:
    return -(-side // MULTIPLE) * MULTIPLE


def picture_of(frame: Frame, size: tuple[int, int]) -> np.ndarray:
    """The frame scaled to ``size`` (width, height), as (H, W, 3) uint8 RGB."""
    planes = [_scaled(plane, size) for plane in (frame.y, frame.u, frame.v)]
    standard = "bt709" if max(frame.size) >= HD_SIDE else "bt601"
    return cv2.transform(cv2.merge(planes), _rgb_of_yuv(standard, full_range=frame.full_range))


def _scaled(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    # Averaging by a whole factor is 20 times faster than by any other; the little that is left needs no averaging.
    factor = min(plane.shape[1] // size[0], plane.shape[0] // size[1])
    if factor > 1:
        whole = plane.shape[1] // factor, plane.shape[0] // factor
        plane = cv2.resize(plane, whole, interpolation=cv2.INTER_AREA)
    return cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)


def _rgb_of_yuv(standard: str, *, full_range: bool) -> np.ndarray:
    """(3, 4): the affine map from 8-bit YUV to 8-bit RGB (ITU-T H.273, matrix coefficients 1 and 5)."""
    red, green, blue = _LUMA[standard]
    u_blue, v_red = 2 * (1 - blue), 2 * (1 - red)
    matrix = np.array([[1, 0, v_red], [1, -u_blue * blue / green, -v_red * red / green], [1, u_blue, 0]])
    low, luma, chroma = (0, 1.0, 1.0) if full_range else (16, 255 / 219, 255 / 224)
    matrix = matrix * np.array([luma, chroma, chroma])
    return np.hstack([matrix, -matrix @ np.array([[low], [128], [128]])])


class Detector:
    """A network of the DB family with what comes before and after it.

    engine: from (B, 3, H, W) to a probability map of the same aspect. long_side: the longer side of the picture that
    it sees. binarise, score, unclip, shrink, max_boxes: as in ``find_boxes``. min_height_px: lower regions are dropped.
    max_batch: frames per call; 1 makes the result independent of the company.
    """

    def __init__(
        self,
        engine: Engine,
        normalisation: Normalisation,
        *,
        long_side: int,
        binarise: float,
        score: float,
        unclip: float,
        shrink: float,
        max_boxes: int,
        min_height_px: float,
        max_batch: int = 1,
    ) -> None:
        self.engine = engine
        self.normalisation = normalisation
        self.long_side = long_side
        self.binarise = binarise
        self.score = score
        self.unclip = unclip
        self.shrink = shrink
        self.max_boxes = max_boxes
        self.min_height_px = min_height_px
        self.max_batch = max_batch

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """The regions of each frame in reading order, in pixels of that frame."""
        return self._found(frames, self.long_side)

    def glance(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """As ``detect`` at half the size: a quarter of the work, boxes less exact, small text not seen."""
        return self._found(frames, self.long_side // 2)

    def closely(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """As ``detect`` at twice the size, or at that of the frame: four times the work. Only what is so low that a
        look may not see it."""
        return [self._small(frame) for frame in frames]

    def outlines(self, frame: Frame) -> list[np.ndarray]:
        """What ``detect`` finds, surest first, as polygons (K, 2) in pixels of the frame: they follow curved text."""
        ((_, p_HW, layout),) = self._maps([frame], self.long_side)
        polygons, scale = self._search(find_polygons, p_HW, layout)
        grown = [np.clip(polygon * scale, 0, layout.source) for polygon, _ in polygons]
        return [polygon for polygon in grown if self._fits(_extent(polygon), layout)]

    def _small(self, frame: Frame) -> list[Detection]:
        (found,) = self._found([frame], min(2 * self.long_side, max(frame.size)))
        most = SMALL_PX * max(frame.size) / self.long_side
        return [region for region in found if extent(unflat(region.quad))[1] <= most]

    def _found(self, frames: Sequence[Frame], long_side: int) -> list[list[Detection]]:
        found: list[list[Detection]] = [[] for _ in frames]
        for i, p_HW, layout in self._maps(frames, long_side):
            found[i] = self._regions(p_HW, layout)
        return found

    def _maps(self, frames: Sequence[Frame], long_side: int) -> Iterator[tuple[int, np.ndarray, Layout]]:
        """Index, probability map of the canvas and layout of each frame."""
        layouts = [lay_out(frame.size, long_side) for frame in frames]
        for batch in self._batches(layouts):
            width, height = layouts[batch[0]].canvas
            x_BCHW = np.full((len(batch), 3, height, width), _GREY, dtype=np.float32)
            for x_CHW, i in zip(x_BCHW, batch, strict=True):
                self._lay(frames[i], layouts[i], x_CHW)
            p = self.engine.run(x_BCHW)
            for i, p_HW in zip(batch, p.reshape(len(batch), *p.shape[-2:]), strict=True):
                yield i, p_HW, layouts[i]

    def _batches(self, layouts: Sequence[Layout]) -> Iterator[list[int]]:
        """Indices of frames that share a canvas."""
        by_canvas: dict[tuple[int, int], list[int]] = {}
        for i, layout in enumerate(layouts):
            by_canvas.setdefault(layout.canvas, []).append(i)
        for indices in by_canvas.values():
            for start in range(0, len(indices), self.max_batch):
                yield indices[start : start + self.max_batch]

    def _lay(self, frame: Frame, layout: Layout, canvas_CHW: np.ndarray) -> None:
        """Put the picture of a frame into a grey canvas, and make of all what the network wants."""
        colours, (width, height) = picture_of(frame, layout.picture), layout.picture
        if self.normalisation.order == "bgr":
            colours = colours[..., ::-1]
        canvas_CHW[:, :height, :width] = colours.transpose(2, 0, 1)
        for plane, mean, scale in zip(canvas_CHW, self.normalisation.mean, self.normalisation.scale, strict=True):
            plane -= np.float32(mean)
            plane /= np.float32(scale)

    def _regions(self, p_HW: np.ndarray, layout: Layout) -> list[Detection]:
        boxes, scale = self._search(find_boxes, p_HW, layout)
        if not boxes:
            return []
        quads_N42 = np.clip(np.stack([quad for quad, _ in boxes]) * scale, 0, layout.source)
        lines = [i for i, quad in enumerate(quads_N42) if self._fits(min(extent(quad)), layout)]
        return [Detection(flat(quads_N42[i]), boxes[i][1]) for i in in_reading_order(quads_N42, lines)]

    def _search(
        self, find: Callable[..., list[tuple[np.ndarray, float]]], p_HW: np.ndarray, layout: Layout
    ) -> tuple[list[tuple[np.ndarray, float]], np.ndarray]:
        """What is found in the part of the map that shows the picture, and from its pixels to those of the frame."""
        stride = layout.canvas[0] / p_HW.shape[1]
        width, height = (int(np.ceil(side / stride)) for side in layout.picture)
        found = find(
            p_HW[:height, :width],
            binarise=self.binarise,
            score=self.score,
            unclip=self.unclip,
            max_boxes=self.max_boxes,
            shrink=self.shrink,
        )
        return found, stride * np.array(layout.source) / np.array(layout.picture)

    def _fits(self, height_px: float, layout: Layout) -> bool:
        """Whether a line of this height is neither too low to read nor too high to be one."""
        most = max(TALLEST * min(layout.source), TALLEST_PX * layout.source[0] / layout.picture[0])
        return bool(self.min_height_px <= height_px <= most)


def _extent(polygon: np.ndarray) -> float:
    """The shorter side of the smallest rectangle round a polygon."""
    return float(min(cv2.minAreaRect(polygon.astype(np.float32))[1]))


def in_reading_order(quads_N42: np.ndarray, chosen: Sequence[int]) -> list[int]:
    """The chosen quads from top to bottom, those of one row from left to right.

    A row are the quads whose middle lies within the box of its highest.
    """
    boxes = {i: bounds(quads_N42[i]) for i in chosen}
    waiting = sorted(chosen, key=lambda i: (boxes[i][1] + boxes[i][3], boxes[i][0], i))
    ordered: list[int] = []
    while waiting:
        bottom = boxes[waiting[0]][3]
        row = [i for i in waiting if (boxes[i][1] + boxes[i][3]) / 2 <= bottom]
        ordered += sorted(row, key=lambda i: (boxes[i][0], i))
        waiting = [i for i in waiting if i not in row]
    return ordered
