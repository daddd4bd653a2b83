"""Fine passes: which rows of a large frame the detector processes at high resolution, where they have come to rest.

The network sees large frames reduced, and text of a few pixels is lost. A fine pass over a whole frame costs as much as
four runs, so it waits until there is something that can be read, and covers a part at a time.
"""

import numpy as np

from stream_ocr.gating.change_detection import FrameDiff
from stream_ocr.gating.detection_schedule import Rows
from stream_ocr.gating.thresholds import FINE_PASS, SCHEDULE, TIME_TOLERANCE_S


class FinePassScheduler:
    """Decides for each frame of a stream which rows a fine pass covers."""

    def __init__(self, max_fps: float) -> None:
        """Create the scheduler. max_fps: fine passes per second at most."""
        self._min_interval_s = 1 / max_fps
        self._last_pass_s = float("-inf")
        self._pending = np.zeros((0, 0), dtype=bool)  # tiles that have changed since their last fine pass
        self._changed_s = np.zeros((0, 0))  # time of the last change of each tile
        self._onset_rows = np.zeros(0, dtype=bool)  # rows of tiles in which something appeared since then
        self._passed_s = np.zeros(0)  # time of the last fine pass over each row of tiles
        self._last_rows: Rows = (0, 0)

    def update(self, diff: FrameDiff, time_s: float) -> None:
        """Update with the difference of the next frame."""
        if diff.mask.shape != self._pending.shape:
            self._pending, self._changed_s = np.zeros_like(diff.mask), np.full(diff.mask.shape, time_s)
            self._onset_rows, self._passed_s = np.zeros_like(diff.onset), np.full(diff.onset.shape, float("-inf"))
        self._pending |= diff.mask
        self._changed_s[diff.mask] = time_s
        self._onset_rows |= diff.onset

    def due_rows(self, time_s: float, *, interval_scale: float = 1.0) -> Rows | None:
        """Return the rows of tiles for a fine pass over the last frame, which count as processed, or None.

        interval_scale: factor by which passes are further apart than usual.
        """
        if time_s - self._last_pass_s < self._min_interval_s * interval_scale - TIME_TOLERANCE_S:
            return None
        at_rest = self._pending & (time_s - self._changed_s >= FINE_PASS.rest_s - TIME_TOLERANCE_S)
        allowed = self._onset_rows | (time_s - self._passed_s >= FINE_PASS.repeat_s - TIME_TOLERANCE_S)
        ready = np.flatnonzero(at_rest.any(axis=1) & allowed)
        if not ready.size:
            return None
        max_rows = -(-self._onset_rows.size // FINE_PASS.parts)
        first, last = int(ready[0]), int(ready[ready < ready[0] + max_rows][-1]) + 1
        self._last_pass_s, self._last_rows = time_s, (first, last)
        self._pending[first:last] = self._onset_rows[first:last] = False
        self._passed_s[first:last] = time_s
        return max(first - SCHEDULE.margin_tiles, 0), min(last + SCHEDULE.margin_tiles, self._onset_rows.size)

    def reschedule(self) -> None:
        """Schedule the last pass again, at the next frame: it did not take place."""
        self._last_pass_s = float("-inf")
        self._pending[slice(*self._last_rows)] = self._onset_rows[slice(*self._last_rows)] = True
