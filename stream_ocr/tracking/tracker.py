"""The texts of one stream: born of detections, followed by their pictures, ended when they are gone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream_ocr.geometry import extent, unflat
from stream_ocr.messages import Region
from stream_ocr.tracking.history import History
from stream_ocr.tracking.matching import affinity, assign, covered
from stream_ocr.tracking.text import Text


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """When a text begins and ends to be one; seconds of media time."""

    start_score: float = 0.6  # regions below may continue a text, not start one
    confirm_s: float = 0.2  # a text in sight for so long is confirmed without a second detection
    coast_s: float = 1.0  # a text out of sight for so long has ended


_SAME_LINE = 0.3
_PART = 0.7
_HIGHER = 1.8
_GLANCE_S = 0.15
_COMING_IN_S = 2.0  # what touches the edge of the picture for longer stays there


class Tracker:
    """Follows the texts of one stream. Deterministic: decisions depend on pixels and media time alone."""

    def __init__(self, lifetimes: Lifetimes, first_id: int = 1) -> None:
        self._lifetimes = lifetimes
        self._texts: list[Text] = []
        self._history = History()
        self._luma: np.ndarray | None = None
        self._time_s: float | None = None
        self.next_id = first_id

    @property
    def luma(self) -> np.ndarray | None:
        """The last picture, (H, W) uint8."""
        return self._luma

    @property
    def in_view(self) -> list[Text]:
        """Confirmed texts that live, out of sight for a moment or not."""
        return [text for text in self._texts if text.confirmed]

    def advance(self, time_s: float, luma: np.ndarray | None) -> list[Text]:
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
        return self._bury(time_s)

    def coast(self, time_s: float) -> None:
        """Pass over a frame whose pixels are not to be trusted."""
        for text in self._texts:
            text.predict(time_s - (self._time_s if self._time_s is not None else time_s))
        self._time_s = time_s

    def detected(self, regions: Sequence[Region], time_s: float) -> None:
        """Take in what the detector found in the present frame."""
        if self._luma is None:
            return
        quads = [unflat(region.quad) for region in regions]
        visible = [text for text in self._texts if text.in_sight]
        free = set(range(len(quads)))
        for text in visible:
            parts = {j for j in free if covered(quads[j], text.quad()) > _PART}
            if len(parts) > 1:  # the detector has cut the line into words
                text.supported()
                free -= parts
                visible = [other for other in visible if other is not text]
        left = sorted(free)
        for i, j in assign([text.quad() for text in visible], [quads[j] for j in left], least=_SAME_LINE):
            visible[i].hit(quads[left[j]], self._luma)
            free.discard(left[j])
        for j in sorted(free):
            self._take_in(quads[j], regions[j].score, time_s)
        self._confirm(time_s)

    def close(self, end_s: float) -> list[Text]:
        """End every text; those in sight at ``end_s``."""
        ended = self.in_view
        for text in ended:
            text.vanish(end_s)
            text.ended = True
        self._texts = []
        self._history.clear()
        self._luma = None
        return ended

    def _take_in(self, quad: np.ndarray, score: float, time_s: float) -> None:
        """What to make of a region that continues no text: more of one, a part of one, or a new one."""
        luma = self._luma
        assert luma is not None
        visible = [text for text in self._texts if text.in_sight]
        if any(covered(quad, text.quad()) > _PART for text in visible):
            return
        parts = [text for text in visible if covered(text.quad(), quad) > _PART and not _towers(quad, text.quad())]
        if parts:
            parts[0].hit(quad, luma)
            for text in parts[1:]:
                text.vanish(time_s)
        elif score >= self._lifetimes.start_score and not self._fading(quad):
            text = Text(quad, luma, time_s)
            text.trace_back(self._history, within_s=_GLANCE_S)
            self._texts.append(text)

    def _place_taken(self, text: Text) -> bool:
        """Whether another text stands where this one was last seen."""
        return any(other.in_sight and affinity(text.quad(), other.quad()) > _SAME_LINE for other in self._texts)

    def _fading(self, quad: np.ndarray) -> bool:
        """Whether a region is what is left of a text that has faded out of sight."""
        luma = self._luma
        return luma is not None and any(
            not text.in_sight and affinity(text.quad(), quad) > _SAME_LINE and text.glimmers(luma)
            for text in self._texts
        )

    def _confirm(self, time_s: float) -> None:
        for text in [text for text in self._texts if not text.confirmed and text.settled]:
            age_s = time_s - text.first_hit_s
            if text.hits < 2 and age_s < self._lifetimes.confirm_s:
                continue
            if text.cut and age_s < _COMING_IN_S:
                continue
            text.trace_back(self._history)
            before = self._predecessor(text)
            if before is None:
                text.id = self.next_id
                self.next_id += 1
            else:
                before.replace_by(text)
                self._texts.remove(text)

    def _predecessor(self, text: Text) -> Text | None:
        """The text whose place ``text`` took at the moment at which it went."""
        for other in self._texts:
            if other.confirmed and other.shown_until_s is not None:
                together = abs(other.shown_until_s - text.start_s) < 0.06
                if together and affinity(other.quad(), text.quad()) > _SAME_LINE:
                    return other
        return None

    def _bury(self, time_s: float) -> list[Text]:
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


def _towers(quad: np.ndarray, other: np.ndarray) -> bool:
    """Whether a region is too high to be a longer piece of the same line."""
    return extent(quad)[1] > _HIGHER * extent(other)[1]
