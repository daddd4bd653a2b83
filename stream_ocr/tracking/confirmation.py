"""Confirmation: when a candidate has proved to be a whole text that stays."""

from stream_ocr.tracking.thresholds import CONFIRMATION, PRESENCE


class Confirmation:
    """Evidence for one candidate, from detections and from the frames between them. Times are media seconds.

    growing: each detection so far was longer than the one before.
    """

    def __init__(self, time_s: float) -> None:
        """time_s: of the first detection."""
        self._since_s = self._counted_s = self._motion_s = time_s
        self._detections = 1
        self._gain = 1.0
        self.growing = False

    def count_detection(self, time_s: float) -> None:
        """Count a detection of the text or of parts of it. Those that follow at once tell nothing new."""
        if time_s - self._counted_s >= CONFIRMATION.min_detection_gap_s:
            self._detections += 1
            self._counted_s = time_s

    def restart(self, time_s: float) -> None:
        """Begin again with a detection that shows more of the text."""
        self._since_s = self._counted_s = time_s
        self._detections, self.growing = 1, True

    def see_change(self, time_s: float, gain: float) -> None:
        """Update with a frame in which something moves at the text. gain: its contrast relative to the template."""
        self._motion_s, self._gain = time_s, gain

    def see_rest(self) -> None:
        """Update with a frame that shows the text unchanged."""
        self._gain = 1.0

    def is_complete(self, time_s: float, min_age_s: float, *, entering: bool) -> bool:
        """Return True if the candidate is whole and stays.

        It was detected twice at the same extent, or nothing has moved there for ``min_age_s``. entering: it moves at
        the edge of the frame.
        """
        age_s = time_s - self._since_s
        patient = age_s < CONFIRMATION.max_unrest_factor * min_age_s
        if (entering and age_s < PRESENCE.entering_s) or (self._gain > CONFIRMATION.settled_gain and patient):
            return False
        needed = CONFIRMATION.min_detections_growing if self.growing else CONFIRMATION.min_detections
        if self._detections >= needed or not patient:
            return True
        rest_s = min_age_s * (CONFIRMATION.growing_rest if self.growing else 1)
        return min(age_s, time_s - self._motion_s) >= rest_s
