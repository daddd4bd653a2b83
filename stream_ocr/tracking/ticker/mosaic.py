"""A line that crawls through a window, and the messages that are put together of it.

No frame shows such a message whole. What comes in at the right end of the window is laid side by side, column by
column, until a gap ends the message; that one long picture is read, once.
"""

from dataclasses import dataclass, field

import numpy as np

from stream_ocr.core.geometry import rectangle
from stream_ocr.tracking.frame_history import FrameHistory
from stream_ocr.tracking.overlay import PersistenceCheck
from stream_ocr.tracking.template_matching import correlations
from stream_ocr.tracking.ticker.motion import ALIKE, INSET, Box, crawling, shift_between

_GAP = 1.6  # heights without ink, which end a message
_INK, _LEAST_INK = 0.3, 24.0  # of the strongest contrast in a column, and in grey levels
_ROWS = 0.15  # of the height at the top and at the bottom that are not looked at for ink: the bar may end there
_LONGEST = 60  # heights; what goes on without a gap is cut there
_SPACE = 0.3  # heights left beside a message
_TAIL, _REACH = 1.5, 4  # heights of a message's end, and pixels round its place in which it is looked for
_LOST_S = 1.0
_STANDS = 0.3  # heights a second
_BEFORE_S = 10.0  # for so long it is taken to have crawled before it was noticed


@dataclass
class TickerMessage:
    """A message of a ticker. To those who follow texts it is a text, but its picture is no part of any frame."""

    window: Box
    picture: np.ndarray  # (H, W) uint8
    tail: np.ndarray  # its last letters
    start_s: float
    ends_at: float  # content coordinate of its right end
    quad_now: np.ndarray
    stay: PersistenceCheck
    id: int = 0
    shown_until_s: float | None = None
    ended: bool = False
    revision: int = field(default=0, init=False)
    drifts: int = field(default=0, init=False)

    def quad(self) -> np.ndarray:
        """The part that is in the window, (4, 2)."""
        return self.quad_now

    @property
    def start_quad(self) -> np.ndarray:
        """The window: when it started there was but a letter."""
        left, top, right, bottom = self.window
        return rectangle(left, top, right - left, bottom - top)

    @property
    def end_quad(self) -> np.ndarray:
        return self.quad_now

    @property
    def in_sight(self) -> bool:
        return self.shown_until_s is None

    @property
    def settled(self) -> bool:
        return self.in_sight


class TickerRegion:
    """What crawls through one window.

    A content coordinate is where something stood, or would have stood, in the first frame: x plus how far everything
    has moved since.
    """

    def __init__(self, box: Box, luma: np.ndarray, time_s: float, since_s: float, speed: float) -> None:
        """since_s: when the text in the box came to be seen. speed: to the left, in pixels a second."""
        self.box, self.speed = box, speed
        self._since_s = since_s
        self._before, self._before_s = luma, time_s
        self._sure_s = time_s
        left, top, right, bottom = box
        self._strip = luma[top:bottom, left : right - INSET].copy()
        self._begin = left  # content coordinate of the left end of the strip
        self._moved = [(time_s - _BEFORE_S, -speed * _BEFORE_S), (time_s, 0.0)]
        self.messages: list[TickerMessage] = []
        self.stopped = False

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]

    @property
    def shift(self) -> float:
        """How far everything has moved to the left since the beginning, in pixels."""
        return self._moved[-1][1]

    def holds(self, box: Box) -> bool:
        """Whether a region lies in the line of the window."""
        left, top, right, bottom = self.box
        middle = (box[1] + box[3]) / 2
        return top < middle < bottom and left < box[2] and box[0] < right and box[3] - box[1] < 2 * self.height

    def widen(self, box: Box, history: FrameHistory) -> None:
        """A region in the window may show that it reaches further to the left; what stands still there does not."""
        left, top, right, bottom = self.box
        beyond = box[0], top, left + 2 * self.height, bottom
        if box[0] < left and crawling(history, beyond) is not None:
            self.box = (box[0], top, right, bottom)

    def advance(self, luma: np.ndarray, time_s: float) -> bool:
        """Follow the next frame; False when nothing crawls any more."""
        dt_s = time_s - self._before_s
        expected = self.speed * dt_s
        moved, alike = shift_between(self._before, luma, self.box, round(2 * expected) + 4)
        if alike >= ALIKE:
            self._sure_s = time_s
            if dt_s > 0:
                self.speed = 0.9 * self.speed + 0.1 * moved / dt_s
        else:
            moved = expected
        self._moved.append((time_s, self.shift + moved))
        self._before, self._before_s = luma, time_s
        self._append(luma)
        for message in self.messages:
            if message.in_sight:
                self._carry(message, luma, time_s)
        stands = self.speed < _STANDS * self.height
        return not stands and (time_s - self._sure_s < _LOST_S or self._is_blank())

    def complete(self, passed: int) -> None:
        """Add to the messages those that have come to their end; passed: scenes, as ``PersistenceCheck`` counts them."""
        while (end := self._end_of_first()) is not None:
            self._cut(*end, passed)

    def stop(self, time_s: float, passed: int) -> None:
        """End all messages, and the one that will not come to its end."""
        self.stopped = True
        if (ink := self._ink()).any():
            self._cut(int(np.argmax(ink)), len(ink) - int(np.argmax(ink[::-1])), passed)
        for message in self.messages:
            message.shown_until_s = time_s if message.shown_until_s is None else message.shown_until_s

    def _append(self, luma: np.ndarray) -> None:
        """Lay beside the strip what came in at the right."""
        _, top, right, bottom = self.box
        filled = self._begin + self._strip.shape[1]
        fresh = int(right - INSET + self.shift) - filled
        if fresh > 0:
            first = max(round(filled - self.shift), 0)
            self._strip = np.hstack([self._strip, luma[top:bottom, first : first + fresh]])

    def _carry(self, message: TickerMessage, luma: np.ndarray, time_s: float) -> None:
        """Move a message on; it ends when its last letters are not to be seen where they should be."""
        left, top, right, bottom = self.box
        end, wide = message.ends_at - self.shift, message.tail.shape[1]
        first = round(end) - wide - _REACH
        if first < 0 or _likeness(luma[top:bottom, first : first + wide + 2 * _REACH], message.tail) < ALIKE:
            message.shown_until_s = time_s
            return
        start = max(end - message.picture.shape[1], min(left, end - wide))
        message.quad_now = rectangle(start, top, min(end, right) - start, bottom - top)

    def _ink(self) -> np.ndarray:
        """Columns of the strip with letters in them, (W,) bool."""
        margin = int(_ROWS * self.height)
        rows = self._strip[margin : self.height - margin]
        contrast = rows.max(axis=0).astype(np.float32) - rows.min(axis=0)
        return np.asarray(contrast > max(_INK * float(np.percentile(contrast, 95)), _LEAST_INK))

    def _is_blank(self) -> bool:
        return not self._ink()[-(self.box[2] - self.box[0]) :].any()

    def _end_of_first(self) -> tuple[int, int] | None:
        """First and last column of the first message of the strip with a gap behind it."""
        ink = np.flatnonzero(self._ink())
        width, gap = self._strip.shape[1], _GAP * self.height
        if not len(ink):
            self._drop(width - round(gap))
            return None
        ends = np.append(ink[1:], width) - ink > gap
        longest = ink[0] + _LONGEST * self.height
        if not ends.any():
            return (int(ink[0]), int(longest)) if width > longest else None
        return int(ink[0]), int(ink[np.argmax(ends)]) + 1

    def _cut(self, first: int, last: int, passed: int) -> None:
        """Take the message between two columns off the strip, which goes on behind it; a speck is none."""
        space = round(_SPACE * self.height)
        picture = self._strip[:, max(first - space, 0) : last + space].copy()
        tail = self._strip[:, max(last - round(_TAIL * self.height), 0) : last].copy()
        start, end = self._begin + first, self._begin + last
        times, shifts = zip(*self._moved, strict=True)
        entered_s = float(np.interp(start + self.height / 2 - self.box[2], shifts, times))
        start_s = max(entered_s, self._since_s)
        self._drop(last)
        if last - first < self.height / 2:
            return
        place = rectangle(self.box[0], self.box[1], self.box[2] - self.box[0], self.height)
        self.messages.append(
            TickerMessage(self.box, picture, tail, start_s, end, place, PersistenceCheck(place, start_s, passed))
        )

    def _drop(self, columns: int) -> None:
        """Forget the left end of the strip, and when what was left of it came in."""
        columns = max(columns, 0)
        self._strip, self._begin = self._strip[:, columns:], self._begin + columns
        keep = self._begin - self.box[2]
        while len(self._moved) > 2 and self._moved[1][1] < keep:
            del self._moved[0]


def _likeness(picture: np.ndarray, part: np.ndarray) -> float:
    """The best correlation of a part anywhere in a picture; 0 where it does not fit in."""
    if any(a < b for a, b in zip(picture.shape, part.shape, strict=True)):
        return 0.0
    return float(correlations(picture, part).max())
