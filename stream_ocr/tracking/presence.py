"""Presence of one text: a state machine that is driven by what each frame shows.

A text at the edge of the frame is cut only if it moves: what comes in or goes out moves, and what stands still is
whole. The transitions are drawn in ``docs/tracking.md``.
"""

from enum import Enum, auto

import numpy as np

from stream_ocr.core.geometry import bounding_box, side_lengths
from stream_ocr.core.thresholds import LINES
from stream_ocr.tracking.thresholds import PRESENCE


class State(Enum):
    """State of a text."""

    CANDIDATE = auto()
    """Visible, but not yet known to be a text that stays."""

    ENTERING = auto()
    """A candidate that is moving at the edge of the frame, so that more of it may come."""

    PRESENT = auto()
    """Confirmed and visible."""

    LEAVING = auto()
    """The edge of the frame cuts off more and more of it."""

    HIDDEN = auto()
    """Covered, faded or gone; it may come back."""

    ENDED = auto()
    """Removed."""


class Evidence(Enum):
    """Part of a text that a frame shows."""

    WHOLE = auto()
    COMING_IN = auto()
    GOING_OUT = auto()
    NOTHING = auto()


class Presence:
    """State of one text.

    lost_s: first frame that does not show the text, or not all of it; None while it is visible.
    """

    def __init__(self) -> None:
        self.state = State.CANDIDATE
        self.lost_s: float | None = None
        self._confirmed = False

    @property
    def visible(self) -> bool:
        """True if the last frame shows the text."""
        return self.state in (State.CANDIDATE, State.ENTERING, State.PRESENT)

    def observe(self, evidence: Evidence, time_s: float) -> None:
        """Update with what the frame at ``time_s`` shows."""
        if self.state is State.ENDED:
            return
        if evidence is Evidence.NOTHING or evidence is Evidence.GOING_OUT:
            if self.visible:
                self.lost_s = time_s
                self.state = State.LEAVING if evidence is Evidence.GOING_OUT else State.HIDDEN
            return
        self.lost_s = None
        if self._confirmed:
            self.state = State.PRESENT
        else:
            self.state = State.ENTERING if evidence is Evidence.COMING_IN else State.CANDIDATE

    def confirm(self) -> None:
        """Confirm a candidate, also one that has just gone."""
        self._confirmed = True
        if self.visible:
            self.state = State.PRESENT

    def end(self) -> None:
        """End the text for good."""
        self.state = State.ENDED


class EdgeMotion:
    """Motion of a text across the edge of the frame since its box was set."""

    def __init__(self, quad: np.ndarray, size: tuple[int, int]) -> None:
        """quad: the box, (4, 2). size: (width, height) of the frame."""
        self._size = size
        self._touched = _outward_distances(quad, size) > -LINES.edge_margin_px
        self._overhang = _overhang(quad, size)
        self._origin = quad.mean(axis=0)

    def set_origin(self, quad: np.ndarray) -> None:
        """Set the place of the text in the first frame that shows it."""
        self._origin = quad.mean(axis=0)

    def distance(self, quad: np.ndarray) -> float:
        """Return the distance from the first place to ``quad``, in heights."""
        return float(np.linalg.norm(quad.mean(axis=0) - self._origin)) / side_lengths(quad)[1]

    def evidence(self, quad: np.ndarray) -> Evidence:
        """Return the evidence from the present place of a text that was found in the frame."""
        height = side_lengths(quad)[1]
        if _overhang(quad, self._size) - self._overhang > PRESENCE.max_overhang * height:
            return Evidence.GOING_OUT
        x, y = quad.mean(axis=0) - self._origin
        inward = np.array([x, y, -x, -y])[self._touched]
        if inward.size and inward.max() > PRESENCE.min_motion * height:
            return Evidence.COMING_IN
        return Evidence.WHOLE


def _outward_distances(quad: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return how far a quad extends beyond the left, top, right and bottom edge, in pixels."""
    left, top, right, bottom = bounding_box(quad)
    return np.array([-left, -top, right - size[0], bottom - size[1]])


def _overhang(quad: np.ndarray, size: tuple[int, int]) -> float:
    return max(float(_outward_distances(quad, size).max()), 0.0)
