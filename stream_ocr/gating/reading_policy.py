"""Reading policy: which tracks are read, which illegible ones have to wait, and when enough has been read.

A track is read when it is new, when its text changed, when it is seen clearly better than before, and as long as
another reading may change the result.
"""

from dataclasses import dataclass

import numpy as np

from stream_ocr.core.geometry import side_lengths
from stream_ocr.gating.thresholds import READING, REREAD
from stream_ocr.models.recognition.ctc import Decoded, min_char_confidence


@dataclass(slots=True)
class _Readings:
    """Readings of the current revision of one track."""

    revision: int
    count: int
    last_s: float
    area: float
    drifts: int
    credit: float  # revisions that could still be read at first_s
    first_s: float


class ReadingPolicy:
    """Decides which tracks of one stream are read; counts the readings of each revision."""

    def __init__(self, max_readings: int, reread_interval_s: float, max_revisions_per_s: float) -> None:
        """Create the policy.

        max_readings: of one revision. reread_interval_s: between the first two; it doubles with each further one.
        max_revisions_per_s: of a text that never stops changing, such as a frame counter.
        """
        self._max_readings, self._reread_interval_s = max_readings, reread_interval_s
        self._max_revisions_per_s = max_revisions_per_s
        self._readings: dict[int, _Readings] = {}

    def should_read(self, track: int, revision: int, drifts: int, quad: np.ndarray, time_s: float) -> bool:
        """Return whether a stable track is read now; if so, count the reading.

        drifts: how often the appearance of the track has changed gradually. quad: (4, 2) pixels. time_s: media time.
        """
        width, height = side_lengths(quad)
        area = width * height
        known = self._readings.get(track)
        if known is None:
            self._readings[track] = _Readings(revision, 1, time_s, area, drifts, READING.burst_revisions - 1, time_s)
            return True
        if known.revision != revision:
            earned = (time_s - known.first_s) * self._max_revisions_per_s
            credit = min(READING.burst_revisions, known.credit + earned)
            if credit < 1:
                return False
            self._readings[track] = _Readings(revision, 1, time_s, area, drifts, credit - 1, time_s)
            return True
        interval_s = self._reread_interval_s * 2 ** min(known.count - 1, self._max_readings)
        allowed = known.count < self._max_readings or drifts > known.drifts
        if (allowed and time_s - known.last_s >= interval_s) or area > READING.better_area * known.area:
            known.count, known.last_s, known.drifts = known.count + 1, time_s, drifts
            known.area = max(area, known.area)
            return True
        return False

    def has_read(self, track: int) -> bool:
        """Return whether a track has been read."""
        return track in self._readings

    def forget(self, track: int) -> None:
        """Forget a track that has ended."""
        self._readings.pop(track, None)

    def forget_all(self) -> None:
        """Forget all readings, so that every track is read again."""
        self._readings.clear()


def may_change_result(best: Decoded, *, agreeing: int, growth: float, ambiguous: bool) -> bool:
    """Return whether another reading may change the result of several.

    best: the result so far. agreeing: number of readings of it; 0 before the first. growth: height of the text now,
    relative to the largest at which it was read. ambiguous: one reading cannot tell it from something else.
    """
    if not agreeing or growth > REREAD.taller_factor:
        return True
    lowest = min_char_confidence(best.text, best.char_confidences)
    clear = best.confidence >= REREAD.certain_confidence and lowest >= REREAD.certain_char_confidence
    if clear and not ambiguous:
        return False
    return agreeing < REREAD.min_agreeing or best.confidence < REREAD.agreed_confidence


@dataclass(slots=True)
class RereadBackoff:
    """Delays further readings of one track after illegible ones, twice as long each time.

    Windows, railings and leaves look like text to the detector but never like letters to the recogniser, and change
    with every step of the camera; each change would be one more revision to read. Text that has come clearly closer is
    read at once.
    """

    _illegible: int = 0  # readings in a row
    _last_s: float = 0.0
    _height: float = 0.0

    def defers(self, time_s: float, height: float) -> bool:
        """Return whether a track has to wait. time_s: media time. height: of the text, in pixels."""
        if not self._illegible or height > READING.closer_height * self._height:
            return False
        pause_s = min(READING.min_backoff_s * 2 ** (self._illegible - 1), READING.max_backoff_s)
        return time_s - self._last_s < pause_s

    def add(self, confidence: float, time_s: float, height: float) -> None:
        """Update with a reading. confidence: mean of its characters. time_s, height: as in ``defers``."""
        legible = confidence >= READING.min_legible_confidence
        self._illegible, self._last_s, self._height = 0 if legible else self._illegible + 1, time_s, height
