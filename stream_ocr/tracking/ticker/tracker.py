"""Tickers: news that scroll to the left through a window, in messages that are longer than the window."""

import numpy as np

from stream_ocr.core.geometry import bounding_box, side_lengths
from stream_ocr.tracking.frame_history import FrameHistory
from stream_ocr.tracking.ticker.mosaic import TickerMessage, TickerRegion
from stream_ocr.tracking.ticker.motion import Box, measure_scroll
from stream_ocr.tracking.ticker.thresholds import TICKER


class TickerTracker:
    """Finds and tracks all tickers of a stream."""

    def __init__(self) -> None:
        self._regions: list[TickerRegion] = []
        self._boxes: list[Box] = []  # of the last detections

    @property
    def items(self) -> list[TickerMessage]:
        """Messages that are complete and have not ended."""
        return [message for region in self._regions for message in region.items if not message.ended]

    def contains(self, quad: np.ndarray) -> bool:
        """Return True if a line, (4, 2), stands in the window of a ticker."""
        return any(region.contains(_to_box(quad)) for region in self._regions)

    def advance(self, luma: np.ndarray, time_s: float, scene_count: int) -> list[TickerMessage]:
        """Advance to the next frame, (H, W) uint8, and return the messages that ended."""
        for region in list(self._regions):
            if region.advance(luma, time_s):
                region.finish_messages(scene_count)
            else:
                region.stop(time_s, scene_count)
        return self._remove_ended()

    def update(
        self, quads: list[np.ndarray], luma: np.ndarray, history: FrameHistory, rows: tuple[int, int] | None = None
    ) -> bool:
        """Check whether detected lines scroll. Return True if a ticker was found; ``contains`` then tells its lines.

        quads: detections in the present frame, ``luma``. rows: first and last row, exclusive, that the detector
        processed; None: all. Boxes in other rows are kept from the detections before.
        """
        known = len(self._regions)
        boxes = [_clip(_to_box(quad), luma) for quad in quads if _is_horizontal(quad)]
        for box in boxes:
            region = next((region for region in self._regions if region.contains(box)), None)
            if region is not None:
                region.extend_left(box, history)
            elif any(_same_right_end(box, before) for before in self._boxes):
                motion = measure_scroll(history, box)
                if motion is not None:
                    self._regions.append(TickerRegion(_pad(box, luma), luma, history.latest_s, *motion))
        top, bottom = rows or (0, luma.shape[0])
        self._boxes = boxes + [box for box in self._boxes if box[1] < top or box[3] > bottom]
        return len(self._regions) > known

    def close(self, time_s: float, scene_count: int) -> list[TickerMessage]:
        """End all tickers and return their messages, those that are not complete included."""
        for region in self._regions:
            region.stop(time_s, scene_count)
        return self._remove_ended()

    def _remove_ended(self) -> list[TickerMessage]:
        ended = [message for message in self.items if not message.visible]
        for message in ended:
            message.ended = True
        for region in self._regions:
            region.items = [message for message in region.items if not message.ended]
        self._regions = [region for region in self._regions if not region.stopped]
        return ended


def _to_box(quad: np.ndarray) -> Box:
    left, top, right, bottom = bounding_box(quad)
    return int(left), int(top), int(right + 0.5), int(bottom + 0.5)


def _clip(box: Box, luma: np.ndarray) -> Box:
    left, top, right, bottom = box
    return max(left, 0), max(top, 0), min(right, luma.shape[1]), min(bottom, luma.shape[0])


def _pad(box: Box, luma: np.ndarray) -> Box:
    """Extend a box above and below by what its first letters may lack."""
    left, top, right, bottom = box
    padding = round(TICKER.window_padding * (bottom - top))
    return _clip((left, top - padding, right, bottom + padding), luma)


def _is_horizontal(quad: np.ndarray) -> bool:
    """Return True if a line is longer than high and hardly slopes."""
    width, height = side_lengths(quad)
    return width > height and abs(float(quad[1][1] - quad[0][1])) < TICKER.max_slope * height


def _same_right_end(one: Box, other: Box) -> bool:
    """Return True if two boxes end at the same place at the right, on the same line, and are equally high."""
    heights = one[3] - one[1], other[3] - other[1]
    margin = TICKER.alignment * heights[0]
    aligned = all(abs(one[k] - other[k]) <= margin for k in (1, 2, 3))
    return aligned and min(heights) >= TICKER.min_height_ratio * max(heights)
