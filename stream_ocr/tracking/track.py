"""One tracked text: its box, appearance and life span."""

from typing import NamedTuple

import numpy as np

from stream_ocr.core.geometry import expand
from stream_ocr.core.messages import Rest
from stream_ocr.tracking.appearance_model import AppearanceChange, AppearanceModel
from stream_ocr.tracking.box_updates import BoxHysteresis, BoxUpdate, find_resize_start
from stream_ocr.tracking.confirmation import Confirmation
from stream_ocr.tracking.frame_history import FirstAppearance, FrameHistory
from stream_ocr.tracking.motion import TextMotion
from stream_ocr.tracking.overlay import PersistenceCheck
from stream_ocr.tracking.pixel_copy import PixelCopy, differs_around
from stream_ocr.tracking.presence import EdgeMotion, Evidence, Presence, State
from stream_ocr.tracking.rest import RestingPlace
from stream_ocr.tracking.template_matching import match_template
from stream_ocr.tracking.thresholds import BOX_UPDATE, MOTION, PRESENCE, TRACK


class View(NamedTuple):
    """A frame that shows a text: luma, (H, W) uint8, its media time, and the place of the text in it, (4, 2)."""

    luma: np.ndarray
    time_s: float
    quad: np.ndarray


class TextTrack:
    """Position, appearance and life span of one text. Times are media seconds, quads (4, 2) in pixels of the frame.

    id: 0 until the track is confirmed. revision: number of changes of the content or the extent so far.
    start_s, start_quad: first frame of this revision, and the place of the text in it. end_quad: its place when it was
    lost. merged_at_s: when the detector found this and other texts as one, if that was its last detection.
    appearance_drifts: how often the text has come to look different while its letters stayed the same.
    """

    _motion: TextMotion
    _resting: RestingPlace
    _appearance: AppearanceModel
    _edges: EdgeMotion
    _box_s: float  # time of the detection that set the box
    _earliest_s: float  # the text before ended then, so that this one cannot have started earlier
    _pixels: PixelCopy

    def __init__(self, quad: np.ndarray, luma: np.ndarray, time_s: float, *, fine: bool = False) -> None:
        """Start a track with what ``quad`` shows in ``luma``, (H, W) uint8. fine: it comes from fine detection."""
        self.id = 0
        self.revision = 0
        self.start_s = time_s
        self.start_quad = self.end_quad = quad
        self.merged_at_s: float | None = None
        self.appearance_drifts = 0
        self.persistence = PersistenceCheck(quad, time_s, 0)
        self._confirmation = Confirmation(time_s)
        self._last_absence: tuple[float, float] | None = None  # when the text was lost and found again
        self._boxes = BoxHysteresis(fine=fine)
        self._presence = Presence()
        self._last_view: View | None = None
        self._set_box(quad, luma, time_s)

    @property
    def lost_s(self) -> float | None:
        """First frame that does not show the text, or not all of it; None while it is visible."""
        return self._presence.lost_s

    @property
    def ended(self) -> bool:
        """True once the track is removed."""
        return self._presence.state is State.ENDED

    @property
    def confirmed(self) -> bool:
        """True once the track has proved to be a text that stays."""
        return self.id > 0

    @property
    def visible(self) -> bool:
        """True if the last frame shows the text."""
        return self._presence.visible

    @property
    def stable(self) -> bool:
        """True if the text is visible and looks as it did in the frame before."""
        return self.visible and not self._appearance.changing

    @property
    def rest(self) -> Rest | None:
        """Where the text rests or has last rested; None if it has moved all the time."""
        return self._resting.latest

    def is_complete(self, time_s: float, min_age_s: float) -> bool:
        """Return True if a candidate shows all of a text that stays (``Confirmation.is_complete``)."""
        return self._confirmation.is_complete(time_s, min_age_s, entering=self._presence.state is State.ENTERING)

    def quad(self) -> np.ndarray:
        """Return the present place of the text."""
        return self._motion.quad()

    def predict(self, dt_s: float) -> None:
        """Advance the position to the next frame, ``dt_s`` seconds later."""
        self._motion.predict(dt_s)

    def backdate(self, history: FrameHistory, within_s: float = float("inf")) -> None:
        """Set start and velocity from the frames before, at most ``within_s`` seconds back.

        A text that was there in all of these frames has not come after the detection that set its box."""
        quad = self.end_quad if self.lost_s is not None else self.quad()
        before_s = float("inf") if self.lost_s is None else self.lost_s
        first = history.find_first_appearance(
            quad, self._appearance.template, self._appearance.tolerance, within_s, before_s=before_s
        )
        later = self.start_s < first.time_s
        if not later or (first.time_s > history.oldest_s and not self._motion.is_fast):
            self.start_s, self.start_quad = max(first.time_s, self._earliest_s), first.quad
            self._edges.set_origin(first.quad)
        if self.visible and first.velocity is not None:
            self._motion.set_velocity(first.velocity)

    def start_after(self, time_s: float) -> None:
        """Do not let ``backdate`` find a start before a time, unless the text was detected before it."""
        if time_s <= self._box_s:
            self._earliest_s = max(self._earliest_s, time_s)

    def is_faintly_visible(self, luma: np.ndarray) -> bool:
        """Return True if a lost text can still be made out with less contrast. luma: (H, W) uint8."""
        match = match_template(luma, self.quad(), self._appearance.template, MOTION.near_reach)
        return match.score > TRACK.regain_score and match.gain < TRACK.min_gain

    def count_detection(self, time_s: float) -> None:
        """Count a detection of the text or of parts of it."""
        self._confirmation.count_detection(time_s)

    def update_from_detection(
        self, quad: np.ndarray, luma: np.ndarray, history: FrameHistory, *, fine: bool = False
    ) -> bool:
        """Update the track from a box that the detector found for it.

        history: frames up to the present one, ``luma``. fine: the box comes from fine detection. Returns False if the
        box shows another text, which came while this one was lost or in its place; the track is lost then.
        """
        self.count_detection(history.latest_s)
        self.merged_at_s = None
        box = self.quad()
        update = self._boxes.update(
            box,
            quad,
            fine=fine,
            leaving=self._edges.evidence(box) is Evidence.GOING_OUT,
            confirmed=self.confirmed,
            entering=self._presence.state is State.ENTERING,
        )
        if update is BoxUpdate.CORRECT:
            self._motion.correct(quad)
            self._appearance.reframe(box, self.quad(), luma)
        elif update is BoxUpdate.REPLACE:
            self._replace_box(quad, luma, history.latest_s)
        elif update is BoxUpdate.RESTART:
            if (rewritten_s := self._appearance.rewritten_s) is not None:
                self.mark_lost(rewritten_s)
                self._appearance.discard_change()
                return False
            self._set_box(quad, luma, history.latest_s)
            self.start_s, self.start_quad = history.latest_s, quad
            self._confirmation.restart(history.latest_s)
        elif update is not BoxUpdate.KEEP:
            first = find_resize_start(box, quad, luma, history, self.start_s)
            if first is not None and self._came_while_lost(first):
                assert self._last_absence is not None
                self.mark_lost(self._last_absence[0])
                return False
            if update is BoxUpdate.RESIZE or (self._appearance.calm and first is not None):
                self._replace_box(quad, luma, history.latest_s)
                if first is not None:
                    self.start_s, self.start_quad = first.time_s, first.quad
        return True

    def continue_as(self, other: "TextTrack") -> None:
        """Take over the state of ``other``, the text that replaced this one, under this id."""
        self.resume_as(other)
        self.revision += 1
        self.start_s, self.start_quad = other.start_s, other.start_quad
        self._last_view, self._resting = other._last_view, other._resting

    def resume_as(self, other: "TextTrack") -> None:
        """Take over the place and presence of ``other``, which is this text found again."""
        self.end_quad = other.end_quad
        self._presence, self._edges = other._presence, other._edges
        self._motion, self._appearance, self._boxes = other._motion, other._appearance, other._boxes
        self._pixels = other._pixels

    def confirm(self) -> None:
        """Confirm the text; one that has just gone keeps the last view of it, from which it can be read."""
        self._presence.confirm()
        if self.visible:
            self._last_view = None

    def end(self) -> None:
        """End the track."""
        self._presence.end()

    def split_off(self, start_s: float, start_quad: np.ndarray, view: "View") -> "TextTrack | None":
        """Return a track of the text that stood here until the letters of this candidate changed.

        start_s, start_quad: its first frame. view: the last one that shows it. None if it did not stand still, or if
        the background moves, so that the change is not certain.
        """
        still = view.time_s > self._box_s and self._edges.distance(view.quad) < PRESENCE.max_rest_distance
        if not still or not self._appearance.calm:
            return None
        self._earliest_s = self.start_s
        before = TextTrack(view.quad, view.luma, start_s)
        before.start_quad, before._last_view = start_quad, view
        before.mark_lost(self.start_s)
        return before

    def was_brief(self, luma: np.ndarray) -> bool:
        """Return True if a candidate that has gone was whole and stood still. luma: the first frame without it."""
        view = self._last_view
        if self.lost_s is None or view is None or self._confirmation.growing:
            return False
        still = self._edges.distance(view.quad) < PRESENCE.max_rest_distance
        if view.time_s <= self.start_s and self.lost_s - self.start_s < TRACK.min_frame_s:
            still = not differs_around(view.quad, view.luma, luma)
        return still and self.lost_s - self.start_s >= TRACK.min_brief_s

    @property
    def unread(self) -> bool:
        """True for a text that was confirmed when it had gone and has not been read since."""
        return self.confirmed and self._last_view is not None

    @property
    def readable(self) -> bool:
        """True if the text can be read now."""
        return self.stable or self.unread

    def take_view(self, luma: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the frame from which the text is to be read, (H, W) uint8, and its place there, (4, 2).

        luma: the present frame, which shows all texts but an unread one that has gone.
        """
        view, self._last_view = self._last_view, None
        if view is not None:
            return view.luma, view.quad
        assert luma is not None, "a text that is visible was matched in a frame"
        return luma, self.quad()

    def mark_lost(self, time_s: float, evidence: Evidence = Evidence.NOTHING) -> None:
        """Mark the text as not visible, or not entirely, from a frame on."""
        if self.visible:
            self.end_quad = self.quad()
            self._presence.observe(evidence, time_s)

    def is_static(self, luma: np.ndarray) -> bool:
        """Return True if a frame shows the same pixels as the one last matched, which need not be matched again."""
        return self.visible and self._pixels.matches(luma)

    def update(self, luma: np.ndarray, time_s: float, previous: np.ndarray | None = None) -> None:
        """Match the text in the next frame, to which ``predict`` has advanced it.

        luma, previous: (H, W) uint8, this frame and the one before.
        """
        match = self._motion.search(luma, previous, self._appearance.template, confirmed=self.confirmed)
        self._pixels.clear()
        self._confirmation.see_change(time_s, match.gain)
        min_score = TRACK.keep_score if self.visible else TRACK.regain_score
        is_fast = self._motion.is_fast  # and blurred: neither does it fade, nor do its letters change
        if match.score < min_score or (match.gain < TRACK.min_gain and not is_fast):
            if self.visible:
                self.mark_lost(time_s)
                self._motion.stop()
            self._appearance.discard_change()
            return
        evidence = self._edges.evidence(self.quad())
        if evidence is Evidence.GOING_OUT:
            self.mark_lost(time_s, evidence)
            self._motion.follow(match)
            self._appearance.discard_change()
            return
        if self.lost_s is not None:
            self._last_absence = self.lost_s, time_s
        self._presence.observe(evidence, time_s)
        self._motion.follow(match)
        self._resting.update(self.quad(), time_s)
        # Also the pixels beside a candidate, because it may be growing.
        self._pixels.keep(luma, self.quad() if self.confirmed else expand(self.quad(), TRACK.unconfirmed_context))
        self._apply(self._appearance.update(match, time_s, is_fast=is_fast))
        if not self.confirmed and self.stable:
            self._last_view = View(luma, time_s, self.quad())

    def mark_unchanged(self, time_s: float) -> None:
        """Update the track from a frame that shows it unchanged."""
        self._confirmation.see_rest()
        self._motion.rest(time_s)
        if self.visible:
            self._resting.update(self.quad(), time_s)
        if self.stable and self._last_view is not None:
            self._last_view = self._last_view._replace(time_s=time_s)
        self._apply(self._appearance.mark_unchanged(time_s))

    @property
    def last_view(self) -> "View | None":
        """The last frame that shows a candidate, or a text that has gone unread."""
        return self._last_view

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

    def _replace_box(self, quad: np.ndarray, luma: np.ndarray, time_s: float) -> None:
        """Begin a new revision with another extent."""
        self._set_box(quad, luma, time_s)
        self.revision += 1

    def _set_box(self, quad: np.ndarray, luma: np.ndarray, time_s: float) -> None:
        """Restart filter and appearance model with what ``quad`` shows."""
        self._motion = TextMotion(quad)
        self._resting = RestingPlace()
        self._appearance = AppearanceModel(quad, luma)
        self._edges = EdgeMotion(quad, (luma.shape[1], luma.shape[0]))
        self._box_s = time_s
        self._earliest_s = float("-inf")
        self._pixels = PixelCopy()
        self._boxes.reset()
        if not self.confirmed:
            self._last_view = View(luma, time_s, quad)
            self._presence.observe(Evidence.WHOLE, time_s)
