"""How a text is known to look, and whether the next frame shows the same letters.

What is known is an average of many views: a background that moves is averaged away, and how much each pixel usually
differs is learnt, so that it does not count as a change. A change counts when it has settled, and when strokes have
come or gone: a text behind which the picture changed still says the same.
"""

from typing import Literal, NamedTuple

import numpy as np

from stream_ocr.tracking.template_matching import (
    Match,
    bounded,
    contrast,
    look_at,
    reframed,
    residuals,
    rewritten,
    view_size,
)

NOISES, LEAST_NOISE, FIRST_NOISE = 2.5, 4.0, 4.0  # grey levels
_CALM = 6.0
_CHANGED = 0.04  # residual of a block: from "5" to "6" it is 0.07, a film behind outlined letters leaves 0.02
_SETTLED = 0.03
_REWRITTEN = 1.5  # pixels of ink; less is no other letter
_STEADY = 0.6  # share of a residual that came with the last frame, from which it came suddenly
_MOST_CHANGING = 25  # views


class AppearanceChange(NamedTuple):
    """rewritten: other letters, since since_s. drifted: nearer, sharper or before something else, and the same text."""

    what: Literal["rewritten", "drifted"]
    since_s: float


class AppearanceModel:
    """What one text looks like. view: the average, (h, w) float32. size: its (width, height)."""

    def __init__(self, quad: np.ndarray, luma: np.ndarray) -> None:
        """Take what stands in ``quad`` for the text. luma: (H, W) uint8."""
        self.size = view_size(quad)
        self.view = self._last = look_at(luma, quad, self.size)
        self._noise = np.full_like(self.view, FIRST_NOISE)
        self._changing: list[tuple[float, np.ndarray]] = []

    @property
    def tolerance(self) -> np.ndarray:
        """By how much each pixel may differ."""
        return LEAST_NOISE + NOISES * self._noise

    @property
    def calm(self) -> bool:
        """Whether what is behind the text does not move."""
        return float(self._noise.mean()) <= _CALM

    @property
    def changing(self) -> bool:
        """Whether it does not look as it did, and may go on changing."""
        return bool(self._changing)

    def see(self, match: Match, time_s: float) -> AppearanceChange | None:
        """Take in how the text looks in the next frame."""
        before, self._last = self._last, match.view
        different = residuals(match.view, self.view, self.tolerance).max()
        if different <= _CHANGED:
            self._changing = []
            self._learn(match)
            return None
        step = residuals(match.view, before, self.tolerance).max()
        if self._changing:  # what goes on changing, such as film behind thin letters, is noise
            self._noise = 0.85 * self._noise + 0.15 * np.abs(match.view - before)
        sudden = step > max(_SETTLED, _STEADY * different)
        if self._changing or sudden:
            return self._change(match.view, time_s, settled=not sudden)
        self.view = match.view  # little by little
        return AppearanceChange("drifted", time_s)

    def rest(self, time_s: float) -> AppearanceChange | None:
        """The next frame shows the same picture."""
        return self._change(self._changing[-1][1], time_s, settled=True) if self._changing else None

    def forget_change(self) -> None:
        """It is out of sight: what was changing may be something else."""
        self._changing = []

    def reframe(self, framed: np.ndarray, quad: np.ndarray, luma: np.ndarray) -> None:
        """Fit it, as framed by one quad, to another, by which the text stands in ``luma``."""

        def fit(view: np.ndarray) -> np.ndarray:
            return reframed(view, framed, quad)

        self.view, self._last, self._noise = fit(self.view), fit(self._last), fit(self._noise)
        self._changing = [(time_s, fit(view)) for time_s, view in self._changing]
        if not self._changing:  # a picture that is fitted is blurred, and would look like another
            self._last = look_at(luma, quad, self.size)
            self.view = self._last / np.float32(bounded(contrast(self._last, self.view)))

    def _change(self, view: np.ndarray, time_s: float, *, settled: bool) -> AppearanceChange | None:
        """Part of it looks different. Once that has settled, it is what the text looks like."""
        self._changing = [*self._changing[1 - _MOST_CHANGING :], (time_s, view)]
        if not settled or len(self._changing) == 1:
            return None
        anew = rewritten(view, self.view) > _REWRITTEN
        change = AppearanceChange("rewritten", self._changed_at(view)) if anew else AppearanceChange("drifted", time_s)
        self.view = self._last = view
        self._changing = []
        return change

    def _changed_at(self, view: np.ndarray) -> float:
        """The first frame from which on the text looked more like the new view than like the old one."""
        start_s = self._changing[-1][0]
        for time_s, seen in reversed(self._changing):
            old, new = (residuals(seen, other, self.tolerance).max() for other in (self.view, view))
            if new > old:
                break
            start_s = time_s
        return start_s

    def _learn(self, match: Match) -> None:
        """Average the background away, keep the contrast at its highest, learn how much each pixel usually differs."""
        gain = bounded(match.gain)
        strength = np.float32(1 + 0.5 * max(gain - 1, 0.0))
        self._noise = 0.85 * self._noise + 0.15 * np.abs(match.view - gain * self.view)
        self.view = (0.9 * self.view + 0.1 * match.view / gain) * strength
