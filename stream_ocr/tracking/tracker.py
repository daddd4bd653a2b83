"""The tracker of one stream: tracks start from detections, follow template matching, and end when they are lost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_ocr.core.geometry import from_flat, side_lengths
from stream_ocr.core.messages import Detection
from stream_ocr.tracking.association import assign, keep_grouping, line_affinity, line_coverage
from stream_ocr.tracking.frame_history import FrameHistory
from stream_ocr.tracking.overlay import PersistenceCheck, SceneCounter
from stream_ocr.tracking.thresholds import TRACKER
from stream_ocr.tracking.ticker.mosaic import TickerMessage
from stream_ocr.tracking.ticker.tracker import TickerTracker
from stream_ocr.tracking.track import TextTrack

AnyTrack = TextTrack | TickerMessage


@dataclass(frozen=True, slots=True)
class TrackLifetimes:
    """Conditions for the birth, confirmation and end of a track, from the settings ``tracking``.

    birth_score: lowest score of a detection that starts a track; lower ones only continue tracks. min_age_s: seconds
    for which a track has been visible that is confirmed without a second detection. max_lost_s: seconds after which a
    lost track ends.
    """

    birth_score: float = 0.6
    min_age_s: float = 0.2
    max_lost_s: float = 1.0


class Tracker:
    """Tracks the texts of one stream. Deterministic: decisions depend on pixels and media time alone.

    next_id: id of the next track. backfilled_boxes: boxes of confirmed tracks in frames before their confirmation.
    """

    def __init__(self, lifetimes: TrackLifetimes, first_id: int = 1) -> None:
        self._lifetimes = lifetimes
        self._tracks: list[TextTrack] = []
        self._history = FrameHistory()
        self._scenes = SceneCounter()
        self._tickers = TickerTracker()
        self._luma: np.ndarray | None = None
        self._fine = False
        self._time_s: float | None = None
        self.next_id = first_id
        self.backfilled_boxes = 0

    @property
    def luma(self) -> np.ndarray | None:
        """The last frame, (H, W) uint8."""
        return self._luma

    @property
    def tracks(self) -> list[AnyTrack]:
        """Confirmed tracks that have not ended, visible or lost, and messages of tickers."""
        return [*self._confirmed, *self._tickers.items]

    @property
    def _confirmed(self) -> list[TextTrack]:
        return [track for track in self._tracks if track.confirmed]

    def advance(self, time_s: float, luma: np.ndarray | None) -> list[AnyTrack]:
        """Advance all tracks to the next frame and return those that ended.

        luma: (H, W) uint8, kept without a copy; None: the frame before again.
        """
        dt_s = 0.0 if self._time_s is None else max(time_s - self._time_s, 0.0)
        self._time_s = time_s
        self._history.add(time_s, luma)
        previous = self._luma
        if luma is not None:
            self._luma = luma
        for track in sorted(self._tracks, key=lambda track: not track.visible):
            self._observe(track, luma, previous, time_s, dt_s)
        self._confirm_brief()
        self._confirm(time_s)
        return [*self._remove_ended(time_s), *self._advance_tickers(time_s, luma)]

    def coast(self, time_s: float) -> None:
        """Advance all tracks over a frame whose pixels are damaged."""
        for track in self._tracks:
            track.predict(time_s - (self._time_s if self._time_s is not None else time_s))
        self._time_s = time_s

    def update(
        self, detections: Sequence[Detection], time_s: float, rows: tuple[int, int] | None = None, *, fine: bool = False
    ) -> None:
        """Associate the detections in the present frame with the tracks, and start tracks from the others.

        rows: first and last row, exclusive, that the detector processed; None: all. fine: fine detection.
        """
        if self._luma is None:
            return
        self._fine = fine
        self._scenes.update(self._luma)
        for track in self._confirmed:
            if track.visible:
                track.persistence.update(track.quad(), time_s, self._scenes.scene_count)
        quads, scores = self._regroup(detections, time_s)
        if self._tickers.update(quads, self._luma, self._history, rows):
            self._suppress_in_tickers(time_s)
        visible = [track for track in self._tracks if track.visible]
        free = {j for j, quad in enumerate(quads) if not self._tickers.contains(quad)}
        for track in visible:
            parts = {j for j in free if line_coverage(quads[j], track.quad()) > TRACKER.min_coverage}
            if len(parts) > 1:  # the detector has cut the line into words
                track.count_detection(time_s)
                free -= parts
                visible = [other for other in visible if other is not track]
        for j in sorted(free):
            merged = _tracks_within(quads[j], visible)
            if len(merged) > 1:
                self._merge(merged, quads[j], time_s)
                free.discard(j)
                visible = [other for other in visible if other not in merged]
        left = sorted(free)
        places = [track.quad() for track in visible]
        for i, j in assign(places, [quads[j] for j in left], min_affinity=TRACKER.min_affinity):
            self._update_track(visible[i], quads[left[j]], time_s)
            free.discard(left[j])
        for j in sorted(free):
            self._start_or_extend(quads[j], scores[j], time_s)
        self._confirm(time_s)

    def close(self, end_s: float) -> list[AnyTrack]:
        """End all tracks at the end of the stream and return them. Visible ones end at ``end_s``."""
        for track in self._tracks:
            track.mark_lost(end_s)
        self._confirm_brief()
        ended = self._confirmed
        for track in ended:
            track.end()
        self._tracks = []
        messages = self._assign_ids(self._tickers.close(end_s, self._scenes.scene_count))
        self._tickers = TickerTracker()
        self._history.clear()
        self._luma = None
        return [*ended, *messages]

    def _advance_tickers(self, time_s: float, luma: np.ndarray | None) -> list[TickerMessage]:
        """Advance the tickers to the next frame and return the messages that ended."""
        ended = [] if luma is None else self._tickers.advance(luma, time_s, self._scenes.scene_count)
        self._assign_ids(self._tickers.items)
        return self._assign_ids(ended)

    def _assign_ids(self, messages: list[TickerMessage]) -> list[TickerMessage]:
        for message in messages:
            message.id = message.id or self._new_id()
        return messages

    def _new_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def _suppress_in_tickers(self, time_s: float) -> None:
        """Mark tracks in the window of a ticker as lost: they are parts of its messages."""
        for track in self._tracks:
            if self._tickers.contains(track.quad()):
                track.mark_lost(time_s)

    def _regroup(self, detections: Sequence[Detection], time_s: float) -> tuple[list[np.ndarray], list[float]]:
        """Return quads and scores, those of words joined that make up a line which another text just replaced."""
        found = [(from_flat(detection.quad), detection.score) for detection in detections]
        for track in self._confirmed:
            if track.lost_s is not None and time_s - track.lost_s <= TRACKER.max_replacement_gap_s:
                found = keep_grouping(found, track.quad())
        return [quad for quad, _ in found], [score for _, score in found]

    def _update_track(self, track: TextTrack, quad: np.ndarray, time_s: float) -> None:
        """Update a track from a detection, or start another one if that shows another text."""
        assert self._luma is not None
        if not track.update_from_detection(quad, self._luma, self._history, fine=self._fine):
            self._tracks.append(TextTrack(quad, self._luma, time_s, fine=self._fine))

    def _merge(self, parts: Sequence[TextTrack], quad: np.ndarray, time_s: float) -> None:
        """Merge tracks that the detector found as one line.

        Confirmed tracks are merged when it does so twice in a row; they have been one text since the first time. Tracks
        that have stood apart for longer stay apart: not their pixels have changed, only how the detector groups them.
        """
        first, *others = sorted(parts, key=lambda track: (not track.confirmed, track.id))
        confirmed = [track for track in parts if track.confirmed]
        settled = len(confirmed) > 1 and time_s - max(t.start_s for t in confirmed) > TRACKER.max_merge_age_s
        if settled or (others[0].confirmed and first.merged_at_s is None):
            for track in parts:
                track.count_detection(time_s)
                track.merged_at_s = None if settled else time_s
            return
        for track in others:
            track.mark_lost(time_s if track.merged_at_s is None else track.merged_at_s)
        self._update_track(first, quad, time_s)

    def _start_or_extend(self, quad: np.ndarray, score: float, time_s: float) -> None:
        """Extend the track of which a detection shows more, ignore one that shows a part, or start a track."""
        luma = self._luma
        assert luma is not None
        visible = [track for track in self._tracks if track.visible]
        if any(line_coverage(quad, track.quad()) > TRACKER.min_coverage for track in visible):
            return
        if parts := _tracks_within(quad, visible):
            self._update_track(parts[0], quad, time_s)
        elif score >= self._lifetimes.birth_score and not self._matches_faded(quad, luma):
            track = TextTrack(quad, luma, time_s, fine=self._fine)
            track.backdate(self._history, within_s=TRACKER.birth_search_s)
            self._tracks.append(track)

    def _is_occupied(self, track: TextTrack) -> bool:
        """Return True if another text stands where a lost track was last visible."""
        place = track.quad()
        return self._tickers.contains(place) or any(
            other.visible
            and (
                line_affinity(place, other.quad()) > TRACKER.min_affinity
                or line_coverage(place, other.quad()) > TRACKER.min_coverage
            )
            for other in self._tracks
        )

    def _matches_faded(self, quad: np.ndarray, luma: np.ndarray) -> bool:
        """Return True if a detection is what is left of a text that has faded."""
        return any(
            not track.visible
            and line_affinity(track.quad(), quad) > TRACKER.min_affinity
            and track.is_faintly_visible(luma)
            for track in self._tracks
        )

    def _observe(
        self, track: TextTrack, luma: np.ndarray | None, previous: np.ndarray | None, time_s: float, dt_s: float
    ) -> None:
        """Update a track from the next frame. A candidate whose letters change is two texts, one after the other."""
        start, view, revision = (track.start_s, track.start_quad), track.last_view, track.revision
        if luma is None or track.is_static(luma):
            track.mark_unchanged(time_s)
        else:
            track.predict(dt_s)
            if track.visible or not self._is_occupied(track):
                track.update(luma, time_s, previous)
        if not track.confirmed and track.revision > revision and view is not None:
            before = track.split_off(*start, view)
            self._tracks += [before] if before else []

    def _confirm(self, time_s: float) -> None:
        """Confirm tracks that are complete."""
        for track in [track for track in self._tracks if not track.confirmed and track.stable]:
            if track.is_complete(time_s, self._lifetimes.min_age_s):
                self._confirm_track(track)

    def _confirm_brief(self) -> None:
        """Confirm candidates that have just gone; they become texts if they can be read."""
        if self._luma is None:
            return
        gone = [track for track in self._tracks if not track.confirmed and track.was_brief(self._luma)]
        for track in sorted(gone, key=lambda track: track.start_s):
            self._confirm_track(track)

    def _confirm_track(self, track: TextTrack) -> None:
        """Confirm a track under a new id or that of the track that it replaces."""
        for other in self._confirmed:  # two texts do not share a place, however alike they look
            if other.lost_s is not None and (
                self._is_same_place(other, track) or line_coverage(track.quad(), other.quad()) > TRACKER.min_coverage
            ):
                track.start_after(other.lost_s)
        track.backdate(self._history)
        same = self._find_same_before(track)
        self.backfilled_boxes += self._history.count_since(track.start_s if same is None else same.lost_s or 0.0)
        replaced = self._find_replaced(track)
        track.confirm()
        if same is not None:
            same.resume_as(track)
            self._tracks.remove(track)
        elif replaced is None:
            track.id = self._new_id()
            track.persistence = PersistenceCheck(track.start_quad, track.start_s, self._scenes.scene_count)
        else:
            replaced.continue_as(track)
            self._tracks.remove(track)

    def _find_same_before(self, track: TextTrack) -> TextTrack | None:
        """Return the lost track of the same text: the history shows ``track`` where and while that one was visible.

        A text that stood still and flies away is lost at first and found again at another place.
        """
        for other in self._confirmed:
            if other.lost_s is None or not other.start_s <= track.start_s < other.lost_s:
                continue
            if line_affinity(other.end_quad, track.start_quad) > TRACKER.min_affinity:
                return other
        return None

    def _find_replaced(self, track: TextTrack) -> TextTrack | None:
        """Return the track that was lost in the same place when ``track`` started, or that is its beginning.

        One that is still to be read from its last view keeps its id for itself.
        """
        gap_s = TRACKER.max_replacement_gap_s
        for other in self._tracks:
            if not other.confirmed or other.lost_s is None or other.unread:
                continue
            replaced = abs(other.lost_s - track.start_s) < gap_s
            begins = track.start_s - gap_s < other.start_s and other.lost_s < (track.lost_s or math.inf)
            if (replaced or begins) and self._is_same_place(other, track):
                return other
        return None

    @staticmethod
    def _is_same_place(one: TextTrack, other: TextTrack) -> bool:
        return one is not other and line_affinity(one.quad(), other.quad()) > TRACKER.min_affinity

    def _remove_ended(self, time_s: float) -> list[TextTrack]:
        """Remove tracks that have been lost for too long and return the confirmed ones."""
        ended = []
        for track in list(self._tracks):
            if track.lost_s is None:
                continue
            max_lost_s = self._lifetimes.max_lost_s if track.confirmed else 0.0
            if time_s - track.lost_s >= max_lost_s:
                self._tracks.remove(track)
                track.end()
                if track.confirmed:
                    ended.append(track)
        return ended


def _tracks_within(quad: np.ndarray, tracks: Sequence[TextTrack]) -> list[TextTrack]:
    """Return the tracks of which a detection shows more."""
    return [
        track
        for track in tracks
        if line_coverage(track.quad(), quad) > TRACKER.min_coverage and not _too_tall(quad, track.quad())
    ]


def _too_tall(quad: np.ndarray, other: np.ndarray) -> bool:
    """Return True if a detection is too high to be a longer piece of the same line."""
    return side_lengths(quad)[1] > TRACKER.max_height_ratio * side_lengths(other)[1]
