"""When the detector looks, and at which rows: seldom while things only move, soon when something appeared, at once
on a cut. While things only move it mostly begins with a glance.

A look that comes late costs nothing but time: the tracker finds out from the pictures before at which frame a text
appeared. A look at a part costs a part. Parts are bands of whole rows, because lines of text are wide and low.
"""

import numpy as np

from stream_ocr.core.messages import FrameAction
from stream_ocr.gating.change_detection import FrameDiff

TOLERANCE_S = 1e-6
_LOOKS = 2  # at what appeared: a text may still be fading or being written when it is first seen
_GLANCES = 3  # between two looks at what only moves
MARGIN = 2
"""Rows of tiles above and below what changed."""

WHOLE = 0.6
"""Share of the rows, from which a part is not worth it."""

Rows = tuple[int, int]
"""The first row of tiles and the one after the last."""


class DetectionSchedule:
    """How much of the work each frame of a stream is worth."""

    def __init__(self, min_per_s: float, max_per_s: float) -> None:
        """Looks and glances a second while something moves, and while things keep appearing."""
        self._soon_s = 1 / max_per_s
        self._late_s = max(1 / min_per_s, self._soon_s)
        self._last_s: float | None = None
        self._all_s = 0.0  # of the last look after which nothing was owed
        self._glanced_s = float("-inf")
        self._glances = 0  # since then
        self._owed = np.zeros(0, dtype=bool)  # rows of tiles that have changed since they were looked at
        self._new = np.zeros(0, dtype=bool)  # those in which something appeared
        self._urgent = 0  # looks
        self._still = True
        self._given: Rows = (0, 0)

    def look(self, change: FrameDiff, time_s: float, *, stretch: float = 1.0) -> tuple[FrameAction, Rows | None]:
        """What the next frame is worth, and the rows that the detector is to look at.

        A picture that moves again, or has come to rest, is as urgent as a new text. stretch: by which the looks are
        further apart than usual.
        """
        moved = change.mask.any(axis=1)
        if self._owed.shape != moved.shape:
            self._owed, self._new = np.zeros_like(moved), np.zeros_like(moved)
        self._owed |= moved
        if change.sudden.any():
            self._urgent, self._new = _LOOKS, self._new | change.sudden
        elif self._still == bool(change):
            self._urgent, self._new = _LOOKS, self._new | self._owed
        self._still = not change
        look, rows = self._due(change, time_s, stretch)
        if look == "detect_coarse":
            self._glanced_s = time_s
            self._glances += 1
        if rows is None or look != "detect":
            return look, rows
        self._last_s, self._given = time_s, rows
        self._owed[slice(*rows)] = False
        self._urgent = max(self._urgent - 1, 0)
        if not self._urgent:
            self._new[:] = False
        if not self._owed.any():
            self._all_s, self._glances = time_s, 0
        return look, rows

    @property
    def sated(self) -> bool:
        """Whether it owes a look at everything already: whatever else changes adds nothing."""
        return bool(self._owed.any()) and _band(self._owed) == (0, self._owed.size)

    def owe(self) -> None:
        """A look that was granted did not come to pass: the next frame gets it."""
        self._last_s = None
        self._owed[slice(*self._given)] = True

    def _due(self, change: FrameDiff, time_s: float, stretch: float) -> tuple[FrameAction, Rows | None]:
        """What is to be done now."""
        if not self._owed.any():
            return ("track" if change else "skip"), None
        if self._last_s is None or change.cut:
            return "detect", (0, self._owed.size)
        late = time_s - max(self._all_s, self._glanced_s) >= self._late_s * stretch - TOLERANCE_S
        if late and self._glances == _GLANCES:
            return "detect", _band(self._owed)
        urgent = self._owed & self._new
        if urgent.any() and time_s - self._last_s >= self._soon_s * stretch - TOLERANCE_S:
            return "detect", _band(urgent)
        if late:
            return "detect_coarse", _band(self._owed)
        return ("track" if change else "skip"), None


def _band(wanted: np.ndarray) -> Rows:
    """The rows from the first to the last that is wanted and some more, or all."""
    places = np.flatnonzero(wanted)
    top, bottom = max(int(places[0]) - MARGIN, 0), min(int(places[-1]) + 1 + MARGIN, wanted.size)
    return (top, bottom) if bottom - top < WHOLE * wanted.size else (0, wanted.size)
