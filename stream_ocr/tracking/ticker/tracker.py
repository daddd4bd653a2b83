"""Tickers: news that crawl to the left through a window, in messages that are longer than what is seen of them."""

import numpy as np

from stream_ocr.core.geometry import bounds, extent
from stream_ocr.tracking.frame_history import FrameHistory
from stream_ocr.tracking.ticker.mosaic import TickerMessage, TickerRegion
from stream_ocr.tracking.ticker.motion import Box, crawling

_ROOM = 0.15  # heights
_ALIKE = 0.3  # heights by which the ends of two boxes may differ


class TickerTracker:
    """All windows of a stream through which lines crawl."""

    def __init__(self) -> None:
        self._crawls: list[TickerRegion] = []
        self._boxes: list[Box] = []

    @property
    def messages(self) -> list[TickerMessage]:
        """Those that are complete and still to be seen."""
        return [message for crawl in self._crawls for message in crawl.messages if not message.ended]

    def hold(self, quad: np.ndarray) -> bool:
        """Whether a line stands in one of the windows."""
        return any(crawl.holds(_box(quad)) for crawl in self._crawls)

    def advance(self, luma: np.ndarray, time_s: float, passed: int) -> list[TickerMessage]:
        """Follow the next frame. Returns the messages that have ended."""
        for crawl in list(self._crawls):
            if crawl.advance(luma, time_s):
                crawl.complete(passed)
            else:
                crawl.stop(time_s, passed)
        return self._bury()

    def detected(
        self, quads: list[np.ndarray], luma: np.ndarray, history: FrameHistory, rows: tuple[int, int] | None = None
    ) -> bool:
        """See whether any of these lines crawls; hold() tells of which this is now known.

        rows: in which lines were looked for, None for all; those seen elsewhere before are still remembered.
        """
        known = len(self._crawls)
        boxes = [_clipped(_box(quad), luma) for quad in quads if _lies(quad)]
        for box in boxes:
            crawl = next((crawl for crawl in self._crawls if crawl.holds(box)), None)
            if crawl is not None:
                crawl.widen(box, history)
            elif any(_ends_alike(box, before) for before in self._boxes):
                motion = crawling(history, box)
                if motion is not None:
                    self._crawls.append(TickerRegion(_higher(box, luma), luma, history.now_s, *motion))
        top, bottom = rows or (0, luma.shape[0])
        self._boxes = boxes + [box for box in self._boxes if box[1] < top or box[3] > bottom]
        return len(self._crawls) > known

    def close(self, time_s: float, passed: int) -> list[TickerMessage]:
        """End all. Returns the messages that were still to be seen, or coming in."""
        for crawl in self._crawls:
            crawl.stop(time_s, passed)
        return self._bury()

    def _bury(self) -> list[TickerMessage]:
        over = [message for message in self.messages if not message.in_sight]
        for message in over:
            message.ended = True
        for crawl in self._crawls:
            crawl.messages = [message for message in crawl.messages if not message.ended]
        self._crawls = [crawl for crawl in self._crawls if not crawl.stopped]
        return over


def _box(quad: np.ndarray) -> Box:
    left, top, right, bottom = bounds(quad)
    return int(left), int(top), int(right + 0.5), int(bottom + 0.5)


def _clipped(box: Box, luma: np.ndarray) -> Box:
    left, top, right, bottom = box
    return max(left, 0), max(top, 0), min(right, luma.shape[1]), min(bottom, luma.shape[0])


def _higher(box: Box, luma: np.ndarray) -> Box:
    """With room for what the first letters may lack, above and below."""
    left, top, right, bottom = box
    room = round(_ROOM * (bottom - top))
    return _clipped((left, top - room, right, bottom + room), luma)


def _lies(quad: np.ndarray) -> bool:
    """Whether a line is level."""
    width, height = extent(quad)
    return width > height and abs(float(quad[1][1] - quad[0][1])) < height / 3


def _ends_alike(one: Box, other: Box) -> bool:
    """Whether two boxes end at the same place at the right, in the same line."""
    margin = _ALIKE * (one[3] - one[1])
    return all(abs(one[k] - other[k]) <= margin for k in (1, 2, 3))
