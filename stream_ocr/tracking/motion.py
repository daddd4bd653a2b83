"""Motion of one text: where it is expected in the next frame, and found there."""

import numpy as np

from stream_ocr.core.geometry import side_lengths
from stream_ocr.tracking.kalman import BoxFilter
from stream_ocr.tracking.local_motion import local_shift
from stream_ocr.tracking.template_matching import TemplateMatch, match_template
from stream_ocr.tracking.thresholds import MOTION, TEMPLATE


class TextMotion:
    """Follows a text by template matching round the place that a Kalman filter predicts."""

    def __init__(self, quad: np.ndarray) -> None:
        self._filter = BoxFilter(quad)
        self._frame_s = 0.0
        self._rests_since_s: float | None = None
        self._previous_centre = quad.mean(axis=0)

    def quad(self) -> np.ndarray:
        """Return the present or predicted place, (4, 2) in pixels of the frame."""
        return self._filter.quad()

    @property
    def is_fast(self) -> bool:
        """True for a text that moves too fast to be sharp."""
        height_px = side_lengths(self.quad())[1]
        return float(np.linalg.norm(self._filter.velocity)) > MOTION.min_fast_speed * height_px

    def predict(self, dt_s: float) -> None:
        """Advance the place to the next frame, ``dt_s`` seconds later."""
        self._frame_s = dt_s
        self._rests_since_s = None
        self._previous_centre = self.quad().mean(axis=0)
        self._filter.predict(dt_s)

    def set_velocity(self, velocity: np.ndarray) -> None:
        """Set the velocity, (x, y) in pixels per second, as measured in earlier frames."""
        self._filter.set_velocity(velocity)

    def correct(self, quad: np.ndarray) -> None:
        """Correct the place by a box that the detector found, (4, 2)."""
        self._filter.update_quad(quad)

    def stop(self) -> None:
        """Let the text stay where it was lost."""
        self._filter.stop()

    def rest(self, time_s: float) -> None:
        """Update with a frame that shows the text unchanged: after a while it has stopped."""
        self._rests_since_s = time_s if self._rests_since_s is None else self._rests_since_s
        if time_s - self._rests_since_s >= MOTION.stopped_s:
            self._filter.stop()

    def search(
        self, luma: np.ndarray, previous: np.ndarray | None, template: np.ndarray, *, confirmed: bool
    ) -> TemplateMatch:
        """Match a template near the predicted place, and further away if that is not good enough.

        luma, previous: (H, W) uint8, this frame and the one before. template: (h, w) float32. confirmed: its velocity
        is known.
        """
        near = match_template(luma, self.quad(), template, MOTION.near_reach)
        at_border = max(map(abs, near.shift)) >= MOTION.near_reach  # a better place may lie beyond
        if near.score >= MOTION.far_search_score and not at_border:
            return near
        reach = MOTION.far_reach if confirmed else MOTION.far_reach_unconfirmed
        far = match_template(luma, self.quad(), template, reach)
        if far.score >= MOTION.far_min_score and far.score > near.score + MOTION.far_search_advantage:
            return far
        if previous is None or not self.is_fast:
            return near
        return self._match_with_surroundings(luma, previous, template, near)

    def follow(self, match: TemplateMatch) -> None:
        """Update the place from a match near it; one that lies further away sets place and velocity.

        A text at rest keeps its place if that matches about as well, whatever pans behind it, and does not creep.
        """
        quad = self.quad()
        along, across = quad[1] - quad[0], quad[3] - quad[0]
        centre = quad.mean(axis=0)
        max_rest = MOTION.rest_speed * self._frame_s * float(np.linalg.norm(across)) / TEMPLATE.patch_height_px
        matches_at_rest = match.unshifted_score >= MOTION.rest_score_share * match.score
        if matches_at_rest and np.linalg.norm(centre - self._previous_centre) < max_rest:
            self._filter.update_centre(self._previous_centre)
            return
        width = max(match.patch.shape[1] - 2 * TEMPLATE.patch_margin_px, 1)
        shift = match.shift[0] / width * along + match.shift[1] / TEMPLATE.patch_height_px * across
        if self._frame_s and max(map(abs, match.shift)) > MOTION.near_reach:
            self._filter.move_to(centre + shift)
            self._filter.set_velocity((centre + shift - self._previous_centre) / self._frame_s)
        else:
            self._filter.update_centre(centre + shift)

    def _match_with_surroundings(
        self, luma: np.ndarray, previous: np.ndarray, template: np.ndarray, near: TemplateMatch
    ) -> TemplateMatch:
        """Match where the text is if it has moved with what surrounds it, and predict it there.

        Return ``near``, the match near the predicted place, unless that is worse.
        """
        predicted = self.quad().mean(axis=0)
        shift = local_shift(previous, luma, self.quad() - predicted + self._previous_centre)
        if shift is None:
            return near
        self._filter.move_to(self._previous_centre + shift)
        match = match_template(luma, self.quad(), template, MOTION.far_reach)
        if match.score > near.score:
            return match
        self._filter.move_to(predicted)
        return near
