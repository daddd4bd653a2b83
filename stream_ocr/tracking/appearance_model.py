"""Appearance model of one text: a running template, the noise of each pixel, and the detection of changes.

The template is an average of many frames, so a moving background is averaged away, and the model learns by how much
each pixel usually differs. A change counts when it has settled and when strokes came or went: a text in front of
another background still has the same letters (decisions 0004 and 0017).
"""

from typing import Literal, NamedTuple

import numpy as np

from stream_ocr.tracking.template_matching import (
    TemplateMatch,
    block_residuals,
    clamp_gain,
    extract_patch,
    ink_change,
    patch_size,
    reframe_patch,
    relative_contrast,
)
from stream_ocr.tracking.thresholds import APPEARANCE


class AppearanceChange(NamedTuple):
    """A change of the appearance that has settled.

    kind: ``letters``: other letters, since ``since_s``; ``drift``: the same letters, nearer, sharper or in front of
    another background.
    """

    kind: Literal["letters", "drift"]
    since_s: float


class AppearanceModel:
    """The learnt appearance of one text.

    template: running average of the patch, (h, w) float32. size: its (width, height).
    """

    def __init__(self, quad: np.ndarray, luma: np.ndarray) -> None:
        """Start with what ``quad`` shows. luma: (H, W) uint8."""
        self.size = patch_size(quad)
        self.template = self._previous = extract_patch(luma, quad, self.size)
        self._noise = np.full_like(self.template, APPEARANCE.initial_noise)
        self._pending: list[tuple[float, np.ndarray]] = []  # patches of a change that has not settled

    @property
    def tolerance(self) -> np.ndarray:
        """Grey levels by which each pixel may differ, (h, w)."""
        return APPEARANCE.base_tolerance + APPEARANCE.noise_factor * self._noise

    @property
    def calm(self) -> bool:
        """True if the background does not move."""
        return float(self._noise.mean()) <= APPEARANCE.max_calm_noise

    @property
    def changing(self) -> bool:
        """True while a change has not settled."""
        return bool(self._pending)

    @property
    def rewritten_s(self) -> float | None:
        """Time since which other letters are to be seen, while that change has not settled; None without one."""
        if self._pending and ink_change(self._pending[-1][1], self.template) > APPEARANCE.min_ink_change:
            return self._change_time(self._pending[-1][1])
        return None

    def update(self, match: TemplateMatch, time_s: float, *, is_fast: bool = False) -> AppearanceChange | None:
        """Update the model from the next frame. Return the change that settled with it, if any.

        match: the text in that frame. is_fast: it moves too fast for a change of its letters.
        """
        previous, self._previous = self._previous, match.patch
        difference = block_residuals(match.patch, self.template, self.tolerance).max()
        if difference <= APPEARANCE.changed_residual:
            self._pending = []
            self._blend(match)
            return None
        step = block_residuals(match.patch, previous, self.tolerance).max()
        if self._pending:  # a change that never settles, such as film behind thin letters, is noise
            self._learn_noise(np.abs(match.patch - previous))
        sudden = step > max(APPEARANCE.step_residual, APPEARANCE.sudden_share * difference)
        if self._pending or sudden:
            return self._extend_change(match.patch, time_s, settled=not sudden, is_fast=is_fast)
        self.template = match.patch
        return AppearanceChange("drift", time_s)

    def mark_unchanged(self, time_s: float) -> AppearanceChange | None:
        """Update the model from a frame that shows the same pixels as the one before."""
        return self._extend_change(self._pending[-1][1], time_s, settled=True) if self._pending else None

    def discard_change(self) -> None:
        """Discard a change that has not settled: the text is lost, and what changed may be something else."""
        self._pending = []

    def reframe(self, old_quad: np.ndarray, quad: np.ndarray, luma: np.ndarray) -> None:
        """Adapt the model from ``old_quad`` to ``quad``, the place of the text in ``luma``."""

        def fit(patch: np.ndarray) -> np.ndarray:
            return reframe_patch(patch, old_quad, quad)

        self.template, self._previous, self._noise = fit(self.template), fit(self._previous), fit(self._noise)
        self._pending = [(time_s, fit(patch)) for time_s, patch in self._pending]
        if not self._pending:  # resampling blurs: the next frame would look different
            self._previous = extract_patch(luma, quad, self.size)
            self.template = self._previous / np.float32(clamp_gain(relative_contrast(self._previous, self.template)))

    def _extend_change(
        self, patch: np.ndarray, time_s: float, *, settled: bool, is_fast: bool = False
    ) -> AppearanceChange | None:
        """Add a patch to the running change. When it has settled, make the patch the template and return the change."""
        recent = [entry for entry in self._pending if time_s - entry[0] < APPEARANCE.change_window_s]
        self._pending = [*recent, (time_s, patch)]
        if not settled or len(self._pending) == 1:
            return None
        rewritten = not is_fast and ink_change(patch, self.template) > APPEARANCE.min_ink_change
        change = AppearanceChange(
            "letters" if rewritten else "drift", self._change_time(patch) if rewritten else time_s
        )
        self.template = self._previous = patch
        self._pending = []
        return change

    def _change_time(self, patch: np.ndarray) -> float:
        """Return the media time from which on the text looked more like ``patch`` than like the template."""
        start_s = self._pending[-1][0]
        for time_s, pending in reversed(self._pending):
            old, new = (block_residuals(pending, other, self.tolerance).max() for other in (self.template, patch))
            if new > old:
                break
            start_s = time_s
        return start_s

    def _blend(self, match: TemplateMatch) -> None:
        """Blend a patch into the template, whose contrast stays at its highest, and update the noise."""
        gain = clamp_gain(match.gain)
        strength = np.float32(1 + APPEARANCE.gain_share * max(gain - 1, 0.0))
        self._learn_noise(np.abs(match.patch - gain * self.template))
        weight = APPEARANCE.template_weight
        self.template = ((1 - weight) * self.template + weight * match.patch / gain) * strength

    def _learn_noise(self, difference: np.ndarray) -> None:
        weight = APPEARANCE.noise_weight
        self._noise = (1 - weight) * self._noise + weight * difference
