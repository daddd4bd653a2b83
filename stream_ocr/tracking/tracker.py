"""The texts of one stream: born of detections, followed by their pictures, ended when they are gone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_ocr.core.geometry import extent, unflat
from stream_ocr.core.messages import Detection
from stream_ocr.tracking.association import affinity, assign, covered
from stream_ocr.tracking.frame_history import FrameHistory
from stream_ocr.tracking.overlay import PersistenceCheck, Scenes
from stream_ocr.tracking.ticker.mosaic import TickerMessage
from stream_ocr.tracking.ticker.tracker import TickerTracker
from stream_ocr.tracking.track import TextTrack

Followed = TextTrack | TickerMessage


@dataclass(frozen=True, slots=True)
class TrackLifetimes:
    """When a text begins and ends to be one; seconds of media time."""

    start_score: float = 0.6  # regions below may continue a text, not start one
    confirm_s: float = 0.2  # a text in sight for so long is confirmed without a second detection
    coast_s: float = 1.0  # a text out of sight for so long has ended


_SAME_LINE = 0.3
_PART = 0.7
_HIGHER = 1.8
_GLANCE_S = 0.15


class Tracker:
    """Follows the texts of one stream. Deterministic: decisions depend on pixels and media time alone."""

    def __init__(self, lifetimes: TrackLifetimes, first_id: int = 1) -> None:
        self._lifetimes = lifetimes
        self._texts: list[TextTrack] = []
        self._history = FrameHistory()
        self._scenes = Scenes()
        self._tickers = TickerTracker()
        self._luma: np.ndarray | None = None
        self._close = False
        self._time_s: float | None = None
        self.next_id = first_id
        self.overlooked = 0  # boxes in earlier frames, of texts that were not known to be texts yet

    @property
    def luma(self) -> np.ndarray | None:
        """The last picture, (H, W) uint8."""
        return self._luma

    @property
    def in_view(self) -> list[Followed]:
        """Confirmed texts that live, out of sight for a moment or not, and messages of tickers."""
        return [*self._confirmed, *self._tickers.messages]

    @property
    def _confirmed(self) -> list[TextTrack]:
        return [text for text in self._texts if text.confirmed]

    def advance(self, time_s: float, luma: np.ndarray | None) -> list[Followed]:
        """Follow all texts into the next frame (None: the same picture). Returns those that have ended.

        luma: (H, W) uint8, kept without a copy.
        """
        dt_s = 0.0 if self._time_s is None else max(time_s - self._time_s, 0.0)
        self._time_s = time_s
        self._history.add(time_s, luma)
        if luma is not None:
            self._luma = luma
        for text in sorted(self._texts, key=lambda text: not text.in_sight):
            if luma is None or text.rests(luma):
                text.unchanged(time_s)
                continue
            text.predict(dt_s)
            if text.in_sight or not self._place_taken(text):
                text.observe(luma, time_s)
        self._confirm(time_s)
        return [*self._bury(time_s), *self._crawl(time_s, luma)]

    def coast(self, time_s: float) -> None:
        """Pass over a frame whose pixels are not to be trusted."""
        for text in self._texts:
            text.predict(time_s - (self._time_s if self._time_s is not None else time_s))
        self._time_s = time_s

    def detected(
        self, regions: Sequence[Detection], time_s: float, rows: tuple[int, int] | None = None, *, close: bool = False
    ) -> None:
        """Take in what the detector found in the present frame, or in some rows of it. close: by a close look."""
        if self._luma is None:
            return
        self._close = close
        self._scenes.see(self._luma)
        for text in self._confirmed:
            if text.in_sight:
                text.stay.see(text.quad(), time_s, self._scenes.passed)
        quads = [unflat(region.quad) for region in regions]
        if self._tickers.detected(quads, self._luma, self._history, rows):
            self._give_way(time_s)
        visible = [text for text in self._texts if text.in_sight]
        free = {j for j, quad in enumerate(quads) if not self._tickers.hold(quad)}
        for text in visible:
            parts = {j for j in free if covered(quads[j], text.quad()) > _PART}
            if len(parts) > 1:  # the detector has cut the line into words
                text.supported()
                free -= parts
                visible = [other for other in visible if other is not text]
        for j in sorted(free):
            joined = _parts(quads[j], visible)
            if len(joined) > 1:
                self._join(joined, quads[j], time_s)
                free.discard(j)
                visible = [other for other in visible if other not in joined]
        left = sorted(free)
        for i, j in assign([text.quad() for text in visible], [quads[j] for j in left], least=_SAME_LINE):
            self._hit(visible[i], quads[left[j]], time_s)
            free.discard(left[j])
        for j in sorted(free):
            self._take_in(quads[j], regions[j].score, time_s)
        self._confirm(time_s)

    def close(self, end_s: float) -> list[Followed]:
        """End every text; those in sight at ``end_s``."""
        ended = self._confirmed
        for text in ended:
            text.vanish(end_s)
            text.ended = True
        self._texts = []
        messages = self._identified(self._tickers.close(end_s, self._scenes.passed))
        self._tickers = TickerTracker()
        self._history.clear()
        self._luma = None
        return [*ended, *messages]

    def _crawl(self, time_s: float, luma: np.ndarray | None) -> list[TickerMessage]:
        """Follow the tickers. Returns the messages that have ended."""
        ended = [] if luma is None else self._tickers.advance(luma, time_s, self._scenes.passed)
        self._identified(self._tickers.messages)
        return self._identified(ended)

    def _identified(self, messages: list[TickerMessage]) -> list[TickerMessage]:
        for message in messages:
            message.id = message.id or self._new_id()
        return messages

    def _new_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def _give_way(self, time_s: float) -> None:
        """What is seen in the window of a ticker is part of its messages, and no text."""
        for text in self._texts:
            if self._tickers.hold(text.quad()):
                text.vanish(time_s)

    def _hit(self, text: TextTrack, quad: np.ndarray, time_s: float) -> None:
        """The detector found a text again, at ``quad``, or one that came in its stead."""
        assert self._luma is not None
        if not text.hit(quad, self._luma, self._history, close=self._close):
            self._texts.append(TextTrack(quad, self._luma, time_s, close=self._close))

    def _join(self, parts: Sequence[TextTrack], quad: np.ndarray, time_s: float) -> None:
        """The detector has found several texts as one line. If it says so twice, they are one, and have been since."""
        first, *others = sorted(parts, key=lambda text: (not text.confirmed, text.id))
        if others[0].confirmed and first.joined_s is None:
            for text in parts:
                text.supported()
                text.joined_s = time_s
            return
        for text in others:
            text.vanish(time_s if text.joined_s is None else text.joined_s)
        self._hit(first, quad, time_s)

    def _take_in(self, quad: np.ndarray, score: float, time_s: float) -> None:
        """What to make of a region that continues no text: more of one, a part of one, or a new one."""
        luma = self._luma
        assert luma is not None
        visible = [text for text in self._texts if text.in_sight]
        if any(covered(quad, text.quad()) > _PART for text in visible):
            return
        if parts := _parts(quad, visible):
            self._hit(parts[0], quad, time_s)
        elif score >= self._lifetimes.start_score and not self._fading(quad):
            text = TextTrack(quad, luma, time_s, close=self._close)
            text.trace_back(self._history, within_s=_GLANCE_S)
            self._texts.append(text)

    def _place_taken(self, text: TextTrack) -> bool:
        """Whether another text stands where this one was last seen."""
        place = text.quad()
        return self._tickers.hold(place) or any(
            other.in_sight and (affinity(place, other.quad()) > _SAME_LINE or covered(place, other.quad()) > _PART)
            for other in self._texts
        )

    def _fading(self, quad: np.ndarray) -> bool:
        """Whether a region is what is left of a text that has faded out of sight."""
        luma = self._luma
        return luma is not None and any(
            not text.in_sight and affinity(text.quad(), quad) > _SAME_LINE and text.glimmers(luma)
            for text in self._texts
        )

    def _confirm(self, time_s: float) -> None:
        for text in [text for text in self._texts if not text.confirmed and text.settled]:
            if not text.is_whole(time_s, self._lifetimes.confirm_s):
                continue
            text.trace_back(self._history)
            self.overlooked += self._history.frames_since(text.start_s)
            before = self._predecessor(text)
            if before is None:
                text.id = self._new_id()
                text.stay = PersistenceCheck(text.quad(), text.start_s, self._scenes.passed)
            else:
                before.replace_by(text)
                self._texts.remove(text)

    def _predecessor(self, text: TextTrack) -> TextTrack | None:
        """The text whose place ``text`` took at the moment at which it went."""
        for other in self._texts:
            if other.confirmed and other.shown_until_s is not None:
                together = abs(other.shown_until_s - text.start_s) < 0.06
                if together and affinity(other.quad(), text.quad()) > _SAME_LINE:
                    return other
        return None

    def _bury(self, time_s: float) -> list[TextTrack]:
        ended = []
        for text in list(self._texts):
            if text.shown_until_s is None:
                continue
            patience_s = self._lifetimes.coast_s if text.confirmed else 0.0
            if time_s - text.shown_until_s >= patience_s:
                self._texts.remove(text)
                text.ended = True
                if text.confirmed:
                    ended.append(text)
        return ended


def _parts(quad: np.ndarray, texts: Sequence[TextTrack]) -> list[TextTrack]:
    """The texts that a region shows more of."""
    return [text for text in texts if covered(text.quad(), quad) > _PART and not _towers(quad, text.quad())]


def _towers(quad: np.ndarray, other: np.ndarray) -> bool:
    """Whether a region is too high to be a longer piece of the same line."""
    return extent(quad)[1] > _HIGHER * extent(other)[1]
