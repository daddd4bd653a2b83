"""One text on the screen, followed from frame to frame by its own picture."""

import cv2
import numpy as np

from stream_ocr.core.geometry import beyond, bounds, extent, grown, inside
from stream_ocr.tracking.appearance_model import FIRST_NOISE, LEAST_NOISE, NOISES, AppearanceChange, AppearanceModel
from stream_ocr.tracking.frame_history import FirstSight, FrameHistory
from stream_ocr.tracking.kalman import BoxFilter
from stream_ocr.tracking.overlay import PersistenceCheck
from stream_ocr.tracking.template_matching import HEIGHT, MARGIN, Match, find, look_at, view_size

_KEEP_SCORE, _REGAIN_SCORE = 0.45, 0.6  # correlation that keeps a text in sight, and that brings it back
_KEEP_GAIN = 0.5  # of its full contrast; less is faded
_LONGER = 0.15  # of the length, from which a box shows more or less of the text
_LETTER = 0.3  # heights: so much more, seen again, is a letter
_SHORTER_LOOKS = 3
_SHAKE = 0.1  # of the height, by which the boxes of a detector shake about a text at rest
_RESTING = 0.5  # pixels of the view in a frame
_STILL = 0.95
_BACK_S = 0.1  # what comes with a text that is back may be noticed so much later
_OVER = 0.15  # heights by which a box is larger than its letters
_BESIDE = 0.7  # heights
_HITS, _HITS_GROWING = 2, 3  # detections of all of a text; one that fades in from one end pauses for a look
_PATIENCE = 5  # times as long for a text beside which something moves: it may be being written
_COMING_IN_S = 2.0  # what touches the edge of the picture for longer stays there
_SAME = 8  # grey levels by which no pixel differs where a picture only flickers
_REACHES = {True: (2, 7), False: (2, 20)}  # pixels of the view; confirmed or not


class TextTrack:
    """Position, appearance and history of one text; times are media seconds.

    shown_until_s is the time of the first frame that did not show it any more, None while it is in sight; end_quad is
    where it stood then. cut says that the edge of the picture may have cut it off when it was last detected.
    """

    _filter: BoxFilter
    _portrait: AppearanceModel
    _seen: tuple[slice, slice, np.ndarray] | None
    _shorter: int
    _longer: int
    _astray: np.ndarray | None  # by which the last box that was found lay elsewhere, (4, 2)
    cut: bool

    def __init__(self, quad: np.ndarray, luma: np.ndarray, time_s: float, *, close: bool = False) -> None:
        self.id = 0  # given when it is confirmed
        self.revision = 0
        self.start_s = time_s
        self.start_quad = self.end_quad = quad
        self.first_hit_s = time_s
        self.hits = 1
        self.joined_s: float | None = None  # when the detector found it and others as one, the last time it looked
        self.drifts = 0  # how often it has come to look different little by little
        self._centre = quad.mean(axis=0)
        self.shown_until_s: float | None = None
        self.ended = False
        self.stay = PersistenceCheck(quad, time_s, 0)
        self.grows = False  # there was more of it to be seen at each look
        self._close = close  # a close look has found it: others see less of it
        self._stirred_s = time_s  # when something moved there for the last time
        self._away: tuple[float, float] | None = None  # when it was out of sight the last time
        self._begin(quad, luma)

    @property
    def confirmed(self) -> bool:
        """Whether it has proved to be a text that stays."""
        return self.id > 0

    @property
    def in_sight(self) -> bool:
        return self.shown_until_s is None

    @property
    def settled(self) -> bool:
        """Whether it looks as it did in the frame before."""
        return self.in_sight and not self._portrait.changing

    def is_whole(self, time_s: float, confirm_s: float) -> bool:
        """Whether it can be taken for a text that stays, all of which is to be seen: found twice, or at rest."""
        age_s = time_s - self.first_hit_s
        if self.cut and age_s < _COMING_IN_S:
            return False
        if self.hits >= (_HITS_GROWING if self.grows else _HITS) or age_s >= _PATIENCE * confirm_s:
            return True
        return not self.grows and min(age_s, time_s - self._stirred_s) >= confirm_s

    def quad(self) -> np.ndarray:
        """Where it is now, (4, 2) in pixels of the frame."""
        return self._filter.quad()

    def predict(self, dt_s: float) -> None:
        """Carry the position on to the next frame."""
        self._centre = self.quad().mean(axis=0)
        self._filter.predict(dt_s)

    def trace_back(self, history: FrameHistory, within_s: float = float("inf")) -> None:
        """Learn from the pictures before when it came, where it stood and how it moves."""
        sight = history.first_sight(self.quad(), self._portrait.view, self._portrait.tolerance, within_s)
        self.start_s, self.start_quad = sight.time_s, sight.quad
        self._filter.start_moving(sight.velocity)

    def glimmers(self, luma: np.ndarray) -> bool:
        """Whether it can still be made out, however faint."""
        match = find(luma, self.quad(), self._portrait.view, _REACHES[True][0])
        return match.score > _REGAIN_SCORE and match.gain < _KEEP_GAIN

    def supported(self) -> None:
        """The detector found it again, or parts of it."""
        self.hits += 1

    def hit(self, quad: np.ndarray, luma: np.ndarray, history: FrameHistory, *, close: bool = False) -> bool:
        """The detector found it again, at ``quad``; False when that proves to be a text that came while it was away.

        history: up to the present frame, ``luma``. close: it was a close look.
        """
        self.supported()
        self.joined_s = None
        if self._close and not close:
            return True
        closer, self._close = close and not self._close, close
        framed = self.quad()
        (before, height), after = extent(framed), extent(quad)[0]
        margin = _LONGER * before + 2 * MARGIN * height / HEIGHT
        self._shorter = self._shorter + 1 if after < before - margin and not self._leaves(luma) else 0
        self._longer = self._longer + 1 if after > before + _LETTER * height else 0
        shaken = np.abs(quad - framed).max() > _SHAKE * height
        astray, self._astray = self._astray, quad - framed if shaken else None
        if closer:  # what it shows was there before, though not seen
            if shaken:
                self._extend(quad, luma, None)
        elif not self.confirmed and (self.cut or self._longer):
            self._begin(quad, luma)  # it is still coming in, or being written
            self.first_hit_s, self.hits, self.grows = history.now_s, 1, True
        elif after > before + margin or self._longer or self._shorter >= _SHORTER_LOOKS:
            since = self._since(quad, luma, history)
            if (
                since is not None
                and self._away is not None
                and self._away[0] <= since.time_s <= self._away[1] + _BACK_S
            ):
                self.vanish(self._away[0])
                return False
            sure = after > before + margin or self._longer != 1 or (self._portrait.calm and since is not None)
            if sure:
                self._extend(quad, luma, since)
        elif shaken and not self._shorter and not (self.confirmed and _alone(quad - framed, astray)):
            self._filter.detected(quad)
            self._portrait.reframe(framed, self.quad(), luma)
        return True

    def replace_by(self, other: "TextTrack") -> None:
        """Go on as ``other``, which took this text's place."""
        self.revision += 1
        self.start_s, self.start_quad = other.start_s, other.start_quad
        self.shown_until_s = None
        self._filter, self._portrait, self._seen = other._filter, other._portrait, other._seen
        self._close, self._astray = other._close, other._astray
        self._centre, self._shorter, self._longer, self.cut = other._centre, other._shorter, other._longer, other.cut

    def vanish(self, time_s: float) -> None:
        """It is not to be seen, or not whole, from this frame on."""
        if self.in_sight:
            self.shown_until_s, self.end_quad = time_s, self.quad()

    def rests(self, luma: np.ndarray) -> bool:
        """Whether the next frame shows the very pixels that it was last looked for in: nothing is to be found out."""
        if self._seen is None or not self.in_sight:
            return False
        rows, columns, pixels = self._seen
        return cv2.norm(luma[rows, columns], pixels, cv2.NORM_INF) <= _SAME

    def observe(self, luma: np.ndarray, time_s: float) -> None:
        """Look for it in the next frame."""
        match = self._find(luma)
        self._seen, self._stirred_s = None, time_s
        needed = _KEEP_SCORE if self.in_sight else _REGAIN_SCORE
        if match.score < needed or match.gain < _KEEP_GAIN:
            if self.in_sight:
                self.vanish(time_s)
                self._filter.stop()
            self._portrait.forget_change()
            return
        if self._leaves(luma):
            self.vanish(time_s)
            self._filter.seen_at(self._place_of(match))
            self._portrait.forget_change()
            return
        if self.shown_until_s is not None:
            self._away, self.shown_until_s = (self.shown_until_s, time_s), None
        self._filter.seen_at(self._place_of(match))
        self._remember(luma)
        self._note(self._portrait.see(match, time_s))

    def unchanged(self, time_s: float) -> None:
        """The next frame shows the same picture, here if not everywhere."""
        self._note(self._portrait.rest(time_s))

    def _note(self, change: AppearanceChange | None) -> None:
        if change is None:
            return
        if change.what == "rewritten":
            self.start_s, self.start_quad = change.since_s, self.quad()
            self.revision += 1
        else:
            self.drifts += 1

    def _since(self, quad: np.ndarray, luma: np.ndarray, history: FrameHistory) -> FirstSight | None:
        """When there began to be more of it, or less; None where there was from its beginning, or that is forgotten."""
        place = beyond(quad, self.quad())
        view = look_at(luma, place, view_size(place))
        tolerance = np.full_like(view, LEAST_NOISE + NOISES * FIRST_NOISE)
        sight = history.first_sight(place, view, tolerance, reach=_REACHES[True][0])  # there may be the like beside it
        if sight.time_s <= max(self.start_s, history.since_s):
            return None
        return FirstSight(sight.time_s, quad + (sight.quad - place).mean(axis=0), sight.velocity)

    def _extend(self, quad: np.ndarray, luma: np.ndarray, since: FirstSight | None) -> None:
        """There is more of it to be seen than before, or less. since: when that began, if not with the text."""
        self._begin(quad, luma)
        self.revision += 1
        if since is not None:
            self.start_s, self.start_quad = since.time_s, since.quad

    def _leaves(self, luma: np.ndarray) -> bool:
        """Whether the edge of the picture cuts off a text that was whole."""
        quad = self.quad()
        return not self.cut and not inside(quad, (luma.shape[1], luma.shape[0]), -_OVER * extent(quad)[1])

    def _remember(self, luma: np.ndarray) -> None:
        """Keep the pixels round it, as they are in this frame; those beside it, too, while it may be growing."""
        place = self.quad() if self.confirmed else grown(self.quad(), _BESIDE)
        left, top, right, bottom = (int(v) for v in bounds(place))
        rows, columns = slice(max(top, 0), max(bottom + 1, 0)), slice(max(left, 0), max(right + 1, 0))
        pixels = luma[rows, columns]
        self._seen = (rows, columns, pixels.copy()) if pixels.size else None

    def _find(self, luma: np.ndarray) -> Match:
        quad = self.quad()
        near_reach, far_reach = _REACHES[self.confirmed]
        match = find(luma, quad, self._portrait.view, near_reach)
        if match.score < 0.8:
            far = find(luma, quad, self._portrait.view, far_reach)
            return far if far.score > match.score + 0.05 else match
        return match

    def _place_of(self, match: Match) -> np.ndarray:
        """The centre of the text that was found, in pixels of the frame.

        A text that rests stays where it was as long as that is about as good: what pans behind it must not take it
        along, nor must it creep with the noise.
        """
        quad = self.quad()
        centre = quad.mean(axis=0)
        unit = float(np.linalg.norm(quad[3] - quad[0])) / HEIGHT
        if match.still >= _STILL * match.score and np.linalg.norm(centre - self._centre) < _RESTING * unit:
            return self._centre
        along, across = quad[1] - quad[0], quad[3] - quad[0]
        width = max(self._portrait.size[0] - 2 * MARGIN, 1)
        return np.asarray(centre + match.shift[0] / width * along + match.shift[1] / HEIGHT * across)

    def _begin(self, quad: np.ndarray, luma: np.ndarray) -> None:
        """Take what stands in ``quad`` for the text."""
        self._filter = BoxFilter(quad)
        self._portrait = AppearanceModel(quad, luma)
        self._seen = None
        self._shorter = self._longer = 0
        self._astray = None
        self.cut = not inside(quad, (luma.shape[1], luma.shape[0]))


def _alone(astray: np.ndarray, before: np.ndarray | None) -> bool:
    """Whether a box lies elsewhere, and no box before it lay there rather than where the text was."""
    return before is None or bool(np.abs(astray - before).max() > np.abs(astray).max())
