"""When the detector looks: seldom while things only move, soon when something appeared, at once on a cut.

A look that comes late costs nothing but time: the tracker finds out from the pictures before at which frame a text
appeared.
"""

from stream_ocr.messages import Look
from stream_ocr.sources.change import Change

_TOLERANCE_S = 1e-6
_LOOKS = 2  # at what appeared: a text may still be fading or being written when it is first seen


class Cadence:
    """How much of the work each frame of a stream is worth."""

    def __init__(self, min_per_s: float, max_per_s: float) -> None:
        """Looks a second while something moves, and while things keep appearing."""
        self._soon_s = 1 / max_per_s
        self._late_s = max(1 / min_per_s, self._soon_s)
        self._last_s: float | None = None
        self._owed = False
        self._urgent = 0  # looks
        self._still = True

    def look(self, change: Change, time_s: float, *, stretch: float = 1.0) -> Look:
        """What the next frame is worth. A picture that moves again, or has come to rest, is as urgent as a new text.

        stretch: by which the looks are further apart than usual.
        """
        self._owed |= bool(change)
        if change.sudden or self._still == bool(change):
            self._urgent = _LOOKS
        self._still = not change
        interval_s = self._soon_s if self._urgent else self._late_s
        due = self._last_s is None or change.cut or time_s - self._last_s >= interval_s * stretch - _TOLERANCE_S
        if self._owed and due:
            self._last_s = time_s
            self._owed, self._urgent = False, max(self._urgent - 1, 0)
            return "detect"
        return "carry" if change else "skip"

    def owe(self) -> None:
        """A look that was granted did not come to pass: the next frame gets it."""
        self._last_s, self._owed = None, True
