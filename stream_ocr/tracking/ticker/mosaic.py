"""A scrolling line and the messages that are assembled from it.

No frame shows such a message entirely. The columns that come in at the right end of the window are appended to a strip
until a gap ends the message; its image is read once (decision 0009).
"""

import math
from dataclasses import dataclass, field

import numpy as np

from stream_ocr.core.geometry import rectangle
from stream_ocr.tracking.frame_history import FrameHistory
from stream_ocr.tracking.overlay import PersistenceCheck
from stream_ocr.tracking.template_matching import ncc_map
from stream_ocr.tracking.ticker.motion import Box, measure_scroll, measure_shift
from stream_ocr.tracking.ticker.thresholds import TICKER


@dataclass
class TickerMessage:
    """A complete message of a ticker. It has the interface of a ``TextTrack``, but no frame shows all of it.

    window: the window of its ticker. image: the assembled message, (H, W) uint8. tail: its last letters, (H, w) uint8.
    end_x: content coordinate of its right end. visible_quad: the part that is in the window, (4, 2).
    """

    window: Box
    image: np.ndarray
    tail: np.ndarray
    start_s: float
    end_x: float
    visible_quad: np.ndarray
    persistence: PersistenceCheck
    id: int = 0
    lost_s: float | None = None
    ended: bool = False
    revision: int = field(default=0, init=False)
    rest: None = field(default=None, init=False)
    appearance_drifts: int = field(default=0, init=False)

    def quad(self) -> np.ndarray:
        """Return the part that is in the window, (4, 2)."""
        return self.visible_quad

    @property
    def start_quad(self) -> np.ndarray:
        """The window: when the message started, only its first letter was visible."""
        left, top, right, bottom = self.window
        return rectangle(left, top, right - left, bottom - top)

    @property
    def end_quad(self) -> np.ndarray:
        """The part that was in the window in the last frame."""
        return self.visible_quad

    @property
    def visible(self) -> bool:
        """True if the last frame shows some of it."""
        return self.lost_s is None

    @property
    def readable(self) -> bool:
        """True if it is visible: its image does not change any more."""
        return self.visible


class TickerRegion:
    """The window of one ticker, and what scrolls through it.

    A content coordinate is the place of something in the first frame: its x plus the distance that everything has
    moved since. items: complete messages that have not ended.
    """

    def __init__(self, box: Box, luma: np.ndarray, time_s: float, since_s: float, speed: float) -> None:
        """Start with the present frame.

        box: the window. luma: (H, W) uint8. since_s: when the content of the box appeared. speed: to the left, in
        pixels per second.
        """
        self.box, self.speed = box, speed
        self._since_s = since_s
        self._previous, self._previous_s = luma, time_s
        self._last_match_s = time_s
        left, top, right, bottom = box
        self._strip = luma[top:bottom, left : right - TICKER.right_inset_px].copy()
        self._strip_x = left  # content coordinate of the left end of the strip
        self._shifts = [(time_s - TICKER.lookback_s, -speed * TICKER.lookback_s), (time_s, 0.0)]
        self.items: list[TickerMessage] = []
        self.stopped = False

    @property
    def height(self) -> int:
        """Height of the window in pixels."""
        return self.box[3] - self.box[1]

    @property
    def shift(self) -> float:
        """Distance in pixels that everything has moved to the left since the first frame."""
        return self._shifts[-1][1]

    def contains(self, box: Box) -> bool:
        """Return True if a box lies on the line of the window."""
        left, top, right, bottom = self.box
        middle = (box[1] + box[3]) / 2
        is_low = box[3] - box[1] < TICKER.max_part_height * self.height
        return is_low and top < middle < bottom and left < box[2] and box[0] < right

    def extend_left(self, box: Box, history: FrameHistory) -> None:
        """Extend the window to the left end of a box that it contains, if what is there scrolls as well."""
        left, top, right, bottom = self.box
        added = box[0], top, left + int(TICKER.growth_reach * self.height), bottom
        if box[0] < left and measure_scroll(history, added) is not None:
            self.box = (box[0], top, right, bottom)

    def advance(self, luma: np.ndarray, time_s: float) -> bool:
        """Advance to the next frame. Return False if nothing scrolls any more."""
        dt_s = time_s - self._previous_s
        expected = self.speed * dt_s
        moved, score = measure_shift(self._previous, luma, self.box, round(2 * expected) + TICKER.search_slack)
        if score >= TICKER.min_score:
            self._last_match_s = time_s
            if dt_s > 0:
                kept = math.exp(-dt_s / TICKER.speed_time_constant_s)
                self.speed = kept * self.speed + (1 - kept) * moved / dt_s
        else:
            moved = expected
        self._shifts.append((time_s, self.shift + moved))
        self._previous, self._previous_s = luma, time_s
        self._append_columns(luma)
        for message in self.items:
            if message.visible:
                self._advance_message(message, luma, time_s)
        if self.speed < TICKER.min_speed * self.height:
            return False
        return time_s - self._last_match_s < TICKER.max_lost_s or self._is_blank()

    def finish_messages(self, scene_count: int) -> None:
        """Add the messages that have become complete to ``items``. scene_count: for their ``PersistenceCheck``."""
        while (columns := self._find_first_message()) is not None:
            self._cut_message(*columns, scene_count)

    def stop(self, time_s: float, scene_count: int) -> None:
        """End all messages, the one that is not complete included."""
        self.stopped = True
        if (ink := self._ink_columns()).any():
            self._cut_message(int(np.argmax(ink)), len(ink) - int(np.argmax(ink[::-1])), scene_count)
        for message in self.items:
            message.lost_s = time_s if message.lost_s is None else message.lost_s

    def _append_columns(self, luma: np.ndarray) -> None:
        """Append the columns that came in at the right to the strip."""
        _, top, right, bottom = self.box
        filled = self._strip_x + self._strip.shape[1]
        count = int(right - TICKER.right_inset_px + self.shift) - filled
        if count > 0:
            first = max(round(filled - self.shift), 0)
            self._strip = np.hstack([self._strip, luma[top:bottom, first : first + count]])

    def _advance_message(self, message: TickerMessage, luma: np.ndarray, time_s: float) -> None:
        """Move a message to the next frame, or mark it as lost if its last letters are not where they should be."""
        left, top, right, bottom = self.box
        end, width = message.end_x - self.shift, message.tail.shape[1]
        first = round(end) - width - TICKER.tail_reach
        columns = slice(first, first + width + 2 * TICKER.tail_reach)
        if first < 0 or _best_score(luma[top:bottom, columns], message.tail) < TICKER.min_score:
            message.lost_s = time_s
            return
        start = max(end - message.image.shape[1], min(left, end - width))
        message.visible_quad = rectangle(start, top, min(end, right) - start, bottom - top)

    def _ink_columns(self) -> np.ndarray:
        """Return which columns of the strip show letters, (W,) bool."""
        margin = int(TICKER.ignored_rows * self.height)
        rows = self._strip[margin : self.height - margin]
        contrast = rows.max(axis=0).astype(np.float32) - rows.min(axis=0)
        strongest = float(np.percentile(contrast, TICKER.ink_percentile))
        return np.asarray(contrast > max(TICKER.ink_share * strongest, TICKER.min_contrast))

    def _is_blank(self) -> bool:
        return not self._ink_columns()[-(self.box[2] - self.box[0]) :].any()

    def _find_first_message(self) -> tuple[int, int] | None:
        """Return the columns, end exclusive, of the first message of the strip with a gap behind it."""
        ink = np.flatnonzero(self._ink_columns())
        width, gap = self._strip.shape[1], TICKER.message_gap * self.height
        if not len(ink):
            self._drop_columns(width - round(gap))
            return None
        ends = np.append(ink[1:], width) - ink > gap
        longest = ink[0] + TICKER.max_message_length * self.height
        if not ends.any():
            return (int(ink[0]), int(longest)) if width > longest else None
        return int(ink[0]), int(ink[np.argmax(ends)]) + 1

    def _cut_message(self, first: int, last: int, scene_count: int) -> None:
        """Move the message between two columns from the strip to ``items``; ignore one that is too short."""
        padding = round(TICKER.message_padding * self.height)
        image = self._strip[:, max(first - padding, 0) : last + padding].copy()
        tail = self._strip[:, max(last - round(TICKER.tail_length * self.height), 0) : last].copy()
        start_x, end_x = self._strip_x + first, self._strip_x + last
        times, shifts = zip(*self._shifts, strict=True)
        entered_s = float(np.interp(start_x + self.height / 2 - self.box[2], shifts, times))
        start_s = max(entered_s, self._since_s)
        self._drop_columns(last)
        if last - first < TICKER.min_message_length * self.height:
            return
        quad = rectangle(self.box[0], self.box[1], self.box[2] - self.box[0], self.height)
        persistence = PersistenceCheck(quad, start_s, scene_count)
        self.items.append(TickerMessage(self.box, image, tail, start_s, end_x, quad, persistence))

    def _drop_columns(self, count: int) -> None:
        """Remove the left end of the strip and the record of when it came in."""
        count = max(count, 0)
        self._strip, self._strip_x = self._strip[:, count:], self._strip_x + count
        oldest = self._strip_x - self.box[2]
        while len(self._shifts) > 2 and self._shifts[1][1] < oldest:
            del self._shifts[0]


def _best_score(image: np.ndarray, template: np.ndarray) -> float:
    """Return the best correlation of a template anywhere in an image; 0 if it does not fit in."""
    if any(a < b for a, b in zip(image.shape, template.shape, strict=True)):
        return 0.0
    return float(ncc_map(image, template).max())
