"""One tracked text: its box, appearance and life span."""

import cv2
import numpy as np

from stream_ocr.core.geometry import bounding_box, expand, is_inside, side_lengths
from stream_ocr.tracking.appearance_model import AppearanceChange, AppearanceModel
from stream_ocr.tracking.box_updates import BoxHysteresis, BoxUpdate, find_resize_start
from stream_ocr.tracking.frame_history import FirstAppearance, FrameHistory
from stream_ocr.tracking.kalman import BoxFilter
from stream_ocr.tracking.overlay import PersistenceCheck
from stream_ocr.tracking.template_matching import PATCH_HEIGHT, PATCH_MARGIN, TemplateMatch, match_template
from stream_ocr.tracking.thresholds import BOX_UPDATE, TRACK


class TextTrack:
    """Position, appearance and life span of one text. Times are media seconds, quads (4, 2) in pixels of the frame.

    id: 0 until the track is confirmed. revision: number of changes of the content or the extent so far.
    start_s, start_quad: first frame of this revision, and the place of the text in it.
    lost_s: first frame that does not show the text, None while it is visible. end_quad: where it was then.
    ended: True once the track is removed.
    merged_at_s: when the detector found this and other texts as one, if that was its last detection.
    appearance_drifts: how often the text has come to look different while its letters stayed the same.
    truncated: True if the edge of the frame may have cut the text when its box was last set.
    """

    _filter: BoxFilter
    _appearance: AppearanceModel
    _last_pixels: tuple[slice, slice, np.ndarray] | None
    truncated: bool

    def __init__(self, quad: np.ndarray, luma: np.ndarray, time_s: float, *, fine: bool = False) -> None:
        """Start a track with what ``quad`` shows in ``luma``, (H, W) uint8. fine: it comes from fine detection."""
        self.id = 0
        self.revision = 0
        self.start_s = time_s
        self.start_quad = self.end_quad = quad
        self.lost_s: float | None = None
        self.ended = False
        self.merged_at_s: float | None = None
        self.appearance_drifts = 0
        self.persistence = PersistenceCheck(quad, time_s, 0)
        self._first_detected_s = self._last_motion_s = time_s
        self._detection_count = 1
        self._growing = False  # each detection so far was longer than the one before
        self._last_absence: tuple[float, float] | None = None  # when the text was lost and found again
        self._boxes = BoxHysteresis(fine=fine)
        self._frame_s = 0.0
        self._previous_centre = quad.mean(axis=0)
        self._set_box(quad, luma)

    @property
    def confirmed(self) -> bool:
        """True once the track has proved to be a text that stays."""
        return self.id > 0

    @property
    def visible(self) -> bool:
        """True if the last frame shows the text."""
        return self.lost_s is None

    @property
    def stable(self) -> bool:
        """True if the text is visible and looks as it did in the frame before."""
        return self.visible and not self._appearance.changing

    def is_complete(self, time_s: float, min_age_s: float) -> bool:
        """Return True if the track shows all of a text that stays.

        It was detected twice at the same extent, or nothing has moved there for ``min_age_s``.
        """
        age_s = time_s - self._first_detected_s
        if self.truncated and age_s < TRACK.entering_s:
            return False
        needed = TRACK.min_detections_growing if self._growing else TRACK.min_detections
        if self._detection_count >= needed or age_s >= TRACK.max_unrest_factor * min_age_s:
            return True
        return not self._growing and min(age_s, time_s - self._last_motion_s) >= min_age_s

    def quad(self) -> np.ndarray:
        """Return the present place of the text."""
        return self._filter.quad()

    def predict(self, dt_s: float) -> None:
        """Advance the position to the next frame, ``dt_s`` seconds later."""
        self._frame_s = dt_s
        self._previous_centre = self.quad().mean(axis=0)
        self._filter.predict(dt_s)

    def backdate(self, history: FrameHistory, within_s: float = float("inf")) -> None:
        """Set start and velocity from the frames before, at most ``within_s`` seconds back."""
        first = history.find_first_appearance(
            self.quad(), self._appearance.template, self._appearance.tolerance, within_s
        )
        self.start_s, self.start_quad = first.time_s, first.quad
        self._filter.set_velocity(first.velocity)

    def is_faintly_visible(self, luma: np.ndarray) -> bool:
        """Return True if a lost text can still be made out with less contrast. luma: (H, W) uint8."""
        match = match_template(luma, self.quad(), self._appearance.template, TRACK.near_reach)
        return match.score > TRACK.regain_score and match.gain < TRACK.min_gain

    def count_detection(self) -> None:
        """Count a detection of the text or of parts of it."""
        self._detection_count += 1

    def update_from_detection(
        self, quad: np.ndarray, luma: np.ndarray, history: FrameHistory, *, fine: bool = False
    ) -> bool:
        """Update the track from a box that the detector found for it.

        history: frames up to the present one, ``luma``. fine: the box comes from fine detection. Returns False if the
        box shows another text, which came while this one was lost; the track is lost again then.
        """
        self.count_detection()
        self.merged_at_s = None
        box = self.quad()
        update = self._boxes.update(
            box,
            quad,
            fine=fine,
            leaving=self._is_leaving(luma),
            confirmed=self.confirmed,
            truncated=self.truncated,
        )
        if update is BoxUpdate.CORRECT:
            self._filter.update_quad(quad)
            self._appearance.reframe(box, self.quad(), luma)
        elif update is BoxUpdate.REPLACE:
            self._replace_box(quad, luma)
        elif update is BoxUpdate.RESTART:
            self._set_box(quad, luma)
            self._first_detected_s, self._detection_count, self._growing = history.latest_s, 1, True
        elif update is not BoxUpdate.KEEP:
            first = find_resize_start(box, quad, luma, history, self.start_s)
            if first is not None and self._came_while_lost(first):
                assert self._last_absence is not None
                self.mark_lost(self._last_absence[0])
                return False
            if update is BoxUpdate.RESIZE or (self._appearance.calm and first is not None):
                self._replace_box(quad, luma)
                if first is not None:
                    self.start_s, self.start_quad = first.time_s, first.quad
        return True

    def continue_as(self, other: "TextTrack") -> None:
        """Take over the state of ``other``, the text that replaced this one, under this id."""
        self.revision += 1
        self.start_s, self.start_quad = other.start_s, other.start_quad
        self.lost_s = None
        self.truncated = other.truncated
        self._filter, self._appearance, self._boxes = other._filter, other._appearance, other._boxes
        self._last_pixels, self._previous_centre = other._last_pixels, other._previous_centre

    def mark_lost(self, time_s: float) -> None:
        """Mark the text as not visible, or not entirely, from a frame on."""
        if self.visible:
            self.lost_s, self.end_quad = time_s, self.quad()

    def is_static(self, luma: np.ndarray) -> bool:
        """Return True if a frame shows the same pixels as the one last matched, which need not be matched again."""
        if self._last_pixels is None or not self.visible:
            return False
        rows, columns, pixels = self._last_pixels
        return cv2.norm(luma[rows, columns], pixels, cv2.NORM_INF) <= TRACK.static_difference

    def update(self, luma: np.ndarray, time_s: float) -> None:
        """Match the text in the next frame, to which ``predict`` has advanced it. luma: (H, W) uint8."""
        match = self._match(luma)
        self._last_pixels, self._last_motion_s = None, time_s
        min_score = TRACK.keep_score if self.visible else TRACK.regain_score
        if match.score < min_score or match.gain < TRACK.min_gain:
            if self.visible:
                self.mark_lost(time_s)
                self._filter.stop()
            self._appearance.discard_change()
            return
        if self._is_leaving(luma):
            self.mark_lost(time_s)
            self._filter.update_centre(self._matched_centre(match))
            self._appearance.discard_change()
            return
        if self.lost_s is not None:
            self._last_absence, self.lost_s = (self.lost_s, time_s), None
        self._filter.update_centre(self._matched_centre(match))
        self._keep_pixels(luma)
        self._apply(self._appearance.update(match, time_s, self._frame_s))

    def mark_unchanged(self, time_s: float) -> None:
        """Update the track from a frame that shows it unchanged."""
        self._apply(self._appearance.mark_unchanged(time_s))

    def _apply(self, change: AppearanceChange | None) -> None:
        if change is None:
            return
        if change.kind == "letters":
            self.start_s, self.start_quad = change.since_s, self.quad()
            self.revision += 1
        else:
            self.appearance_drifts += 1

    def _came_while_lost(self, first: FirstAppearance) -> bool:
        """Return True if something first appeared while the text was lost or just after it was found again."""
        if self._last_absence is None:
            return False
        lost_s, found_s = self._last_absence
        return lost_s <= first.time_s <= found_s + BOX_UPDATE.return_delay_s

    def _replace_box(self, quad: np.ndarray, luma: np.ndarray) -> None:
        """Begin a new revision with another extent."""
        self._set_box(quad, luma)
        self.revision += 1

    def _set_box(self, quad: np.ndarray, luma: np.ndarray) -> None:
        """Restart filter and appearance model with what ``quad`` shows."""
        self._filter = BoxFilter(quad)
        self._appearance = AppearanceModel(quad, luma)
        self._last_pixels = None
        self._boxes.reset()
        self.truncated = not is_inside(quad, (luma.shape[1], luma.shape[0]))

    def _is_leaving(self, luma: np.ndarray) -> bool:
        """Return True if the edge of the frame cuts a text that was complete."""
        quad = self.quad()
        margin = -TRACK.box_excess * side_lengths(quad)[1]
        return not self.truncated and not is_inside(quad, (luma.shape[1], luma.shape[0]), margin)

    def _keep_pixels(self, luma: np.ndarray) -> None:
        """Keep a copy of the pixels of the text; also of those beside it while it may be growing."""
        place = self.quad() if self.confirmed else expand(self.quad(), TRACK.unconfirmed_context)
        left, top, right, bottom = (int(v) for v in bounding_box(place))
        rows, columns = slice(max(top, 0), max(bottom + 1, 0)), slice(max(left, 0), max(right + 1, 0))
        pixels = luma[rows, columns]
        self._last_pixels = (rows, columns, pixels.copy()) if pixels.size else None

    def _match(self, luma: np.ndarray) -> TemplateMatch:
        """Match the template near the predicted place, and further away if that is not good enough."""
        quad, template = self.quad(), self._appearance.template
        near = match_template(luma, quad, template, TRACK.near_reach)
        if near.score >= TRACK.far_search_score:
            return near
        reach = TRACK.far_reach if self.confirmed else TRACK.far_reach_unconfirmed
        far = match_template(luma, quad, template, reach)
        return far if far.score > near.score + TRACK.far_search_advantage else near

    def _matched_centre(self, match: TemplateMatch) -> np.ndarray:
        """Return the centre of the matched text, in pixels of the frame.

        A text at rest keeps its place if that matches about as well: a background that pans must not move it, nor must
        it creep with the noise.
        """
        quad = self.quad()
        centre = quad.mean(axis=0)
        max_rest = TRACK.rest_speed * self._frame_s * float(np.linalg.norm(quad[3] - quad[0])) / PATCH_HEIGHT
        matches_at_rest = match.unshifted_score >= TRACK.rest_score_share * match.score
        if matches_at_rest and np.linalg.norm(centre - self._previous_centre) < max_rest:
            return self._previous_centre
        along, across = quad[1] - quad[0], quad[3] - quad[0]
        width = max(self._appearance.size[0] - 2 * PATCH_MARGIN, 1)
        return np.asarray(centre + match.shift[0] / width * along + match.shift[1] / PATCH_HEIGHT * across)
