"""Detection schedule: when the detector runs, and on which rows.

It runs seldom while the picture only moves, and at once on a cut and when something appeared, unless that keeps
happening (token bucket). While the picture only moves, most runs are coarse passes. A late run costs nothing but
latency: the tracker finds the frame at which a text appeared in the frame history. A run on a band costs a band. Bands
are whole rows, because lines of text are wide and low.
"""

import numpy as np

from stream_ocr.core.messages import FrameAction
from stream_ocr.gating.change_detection import FrameDiff
from stream_ocr.gating.thresholds import SCHEDULE, TIME_TOLERANCE_S

Rows = tuple[int, int]
"""The first row and the one after the last."""


class DetectionSchedule:
    """Decides for each frame of a stream whether the detector runs, and how."""

    def __init__(self, idle_fps: float, max_fps: float) -> None:
        """Create the schedule. idle_fps, max_fps: runs per second while things move, and while they keep appearing."""
        self._min_interval_s = 1 / max_fps
        self._idle_interval_s = max(1 / idle_fps, self._min_interval_s)
        self._last_run_s: float | None = None
        self._last_complete_s = 0.0  # of the last run after which no row was pending
        self._last_coarse_s = float("-inf")
        self._coarse_passes = 0  # since the last complete run
        self._pending_rows = np.zeros(
            0, dtype=bool
        )  # rows of tiles that have changed since the detector processed them
        self._onset_rows = np.zeros(0, dtype=bool)  # rows of tiles in which something appeared
        self._burst_left = 0  # runs
        self._fresh_onset = False  # something appeared since the last run
        self._credit = SCHEDULE.max_credit  # runs that may be made at once
        self._last_frame_s: float | None = None
        self._still = True
        self._last_rows: Rows = (0, 0)

    def decide(self, diff: FrameDiff, time_s: float, *, interval_scale: float = 1.0) -> tuple[FrameAction, Rows | None]:
        """Return the action for the next frame, and the rows of tiles that the detector processes.

        A picture that starts to move or comes to rest is as urgent as new text. interval_scale: factor by which runs
        are further apart than usual.
        """
        self._earn_credit(time_s, interval_scale)
        changed = diff.mask.any(axis=1)
        if self._pending_rows.shape != changed.shape:
            self._pending_rows, self._onset_rows = np.zeros_like(changed), np.zeros_like(changed)
        self._pending_rows |= changed
        if diff.onset.any():
            self._burst_left, self._onset_rows = SCHEDULE.burst_runs, self._onset_rows | diff.onset
            self._fresh_onset = True
        elif self._still == bool(diff):
            self._burst_left, self._onset_rows = SCHEDULE.burst_runs, self._onset_rows | self._pending_rows
        self._still = not diff
        action, rows = self._due(diff, time_s, interval_scale)
        if action == "detect_coarse":
            self._last_coarse_s = time_s
            self._coarse_passes += 1
        if rows is None or action != "detect":
            return action, rows
        self._last_run_s, self._last_rows = time_s, rows
        self._fresh_onset, self._credit = False, max(self._credit - 1, 0.0)
        self._pending_rows[slice(*rows)] = False
        self._burst_left = max(self._burst_left - 1, 0)
        if not self._burst_left:
            self._onset_rows[:] = False
        if not self._pending_rows.any():
            self._last_complete_s, self._coarse_passes = time_s, 0
        return action, rows

    @property
    def all_rows_pending(self) -> bool:
        """Return whether the next run covers the whole frame anyway, whatever else changes."""
        return bool(self._pending_rows.any()) and _band(self._pending_rows) == (0, self._pending_rows.size)

    def reschedule(self) -> None:
        """Schedule the last run again, at the next frame: it did not take place."""
        self._last_run_s = None
        self._pending_rows[slice(*self._last_rows)] = True

    def _earn_credit(self, time_s: float, interval_scale: float) -> None:
        passed_s = 0.0 if self._last_frame_s is None else max(time_s - self._last_frame_s, 0.0)
        self._last_frame_s = time_s
        earned = passed_s / (self._min_interval_s * interval_scale)
        self._credit = min(self._credit + earned, SCHEDULE.max_credit)

    def _due(self, diff: FrameDiff, time_s: float, interval_scale: float) -> tuple[FrameAction, Rows | None]:
        if not self._pending_rows.any():
            return ("track" if diff else "skip"), None
        if self._last_run_s is None or diff.cut:
            return "detect", (0, self._pending_rows.size)
        waited_s = time_s - max(self._last_complete_s, self._last_coarse_s)
        idle_due = waited_s >= self._idle_interval_s * interval_scale - TIME_TOLERANCE_S
        min_interval_s = self._min_interval_s * interval_scale - TIME_TOLERANCE_S
        spaced = time_s - self._last_run_s >= min_interval_s
        urgent = self._pending_rows & self._onset_rows
        full_due = idle_due and self._coarse_passes == SCHEDULE.coarse_passes
        # Right after a run for an onset it would stand in for the second, which is to confirm what the first one found.
        if full_due and (spaced or not urgent.any()):
            return "detect", _band(self._pending_rows)
        at_once = self._fresh_onset and self._credit >= 1 - TIME_TOLERANCE_S
        if urgent.any() and (at_once or spaced):
            return "detect", _band(urgent)
        if idle_due and not full_due:
            return "detect_coarse", _band(self._pending_rows)
        return ("track" if diff else "skip"), None


def _band(rows: np.ndarray) -> Rows:
    """Return the band from the first to the last marked row, with a margin; all rows if that saves little."""
    marked = np.flatnonzero(rows)
    top = max(int(marked[0]) - SCHEDULE.margin_tiles, 0)
    bottom = min(int(marked[-1]) + 1 + SCHEDULE.margin_tiles, rows.size)
    return (top, bottom) if bottom - top < SCHEDULE.max_band_share * rows.size else (0, rows.size)
