"""Clocks of a live source: media time that never goes back, lateness of frames, and UTC.

Decisions use the monotonic clock only: steps of the host's wall clock change no order and no decision.
"""

import time
from collections import deque
from dataclasses import dataclass

from stream_ocr.events import UtcSource
from stream_ocr.sources.thresholds import CLOCK

TIME_BASE = (1, 90_000)
"""Seconds per tick of live sources, as a fraction."""

_TICKS = TIME_BASE[1]  # per second
_MAX_BACKWARD = round(CLOCK.max_backward_s * _TICKS)
_MAX_FORWARD = round(CLOCK.max_forward_s * _TICKS)
_ASSUMED_STEP = _TICKS // CLOCK.assumed_fps
_MAX_STEP = round(CLOCK.max_step_s * _TICKS)


@dataclass(frozen=True, slots=True)
class SenderReport:
    """Capture time of a frame by the clock of the camera (RTCP sender report, RFC 3550).

    pts: time stamp in ticks. fresh: the camera has just sent it; otherwise FFmpeg extrapolated.
    """

    pts: int
    unix_ns: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class LivePlace:
    """Position of a frame in media time. pts, step: time and usual frame duration in ticks of ``TIME_BASE``."""

    epoch: int
    pts: int
    step: int


class LiveTimeline:
    """Media time of a live source: seconds since ``origin_s``, increasing over all connections.

    Within a connection it follows the time stamps. A new connection, and time stamps that jump back or further ahead
    than time passed here, start a new epoch at the current time. Frames without a time stamp, or with a repeated one,
    follow each other as they arrive.
    """

    def __init__(self, *, epoch: int = 0, origin_s: float | None = None) -> None:
        """Create a timeline. epoch: of the first connection. origin_s: monotonic time; None: the first arrival."""
        self._epoch, self._origin_s = epoch - 1, origin_s
        self._last: int | None = None
        self._arrived_s = 0.0
        self._raw: int | None = None
        self._offset: int | None = None
        self._step = _ASSUMED_STEP
        self._fresh = True

    def end_s(self, now_s: float) -> float:
        """Return the media time at which the last frame ended; before any frame, the current media time.

        now_s: monotonic time.
        """
        if self._last is not None:
            return (self._last + self._step) / _TICKS
        return 0.0 if self._origin_s is None else max(now_s - self._origin_s, 0.0)

    def reconnected(self) -> None:
        """Start a new epoch with the next frame."""
        self._fresh = True

    def place(self, raw: int | None, arrived_s: float) -> LivePlace:
        """Return the position of the next frame. raw: its time stamp in ticks. arrived_s: monotonic time."""
        passed = round((arrived_s - self._arrived_s) * _TICKS)
        self._arrived_s = arrived_s
        starts = self._fresh or self._has_jumped(raw, passed)
        pts = self._last = self._start_epoch(raw, arrived_s) if starts else self._continue(raw, passed)
        self._raw = self._raw if raw is None else raw
        return LivePlace(self._epoch, pts, self._step)

    def _has_jumped(self, raw: int | None, passed: int) -> bool:
        if raw is None or raw == self._raw or self._offset is None or self._last is None:
            return False
        ahead = raw + self._offset - self._last
        return ahead < -_MAX_BACKWARD or ahead - max(passed, 0) > _MAX_FORWARD

    def _start_epoch(self, raw: int | None, arrived_s: float) -> int:
        """Return the time of the first frame of an epoch."""
        if self._origin_s is None:
            self._origin_s = arrived_s
        pts = round((arrived_s - self._origin_s) * _TICKS)
        if self._last is not None:
            pts = max(pts, self._last + self._step)
        self._epoch, self._fresh = self._epoch + 1, False
        self._offset = None if raw is None else pts - raw
        self._raw = None
        return max(pts, 0)

    def _continue(self, raw: int | None, passed: int) -> int:
        last = self._last or 0
        if raw is None:
            return last + self._step
        if raw == self._raw:
            return last + max(passed, 1)
        if self._offset is None:  # only the first frame had no time stamp, as usual with RTSP
            self._offset = last + self._step - raw
        pts = max(raw + self._offset, last + 1)
        if 1 < pts - last <= _MAX_STEP:
            self._step = (
                pts - last
                if self._raw is None
                else round((1 - CLOCK.step_weight) * self._step + CLOCK.step_weight * (pts - last))
            )
        return pts


class Lateness:
    """Measures how much later than usual a frame arrives: backlog of the network or of this process.

    The frame with the least delay so far counts as on time. A camera that paused for a moment is late by the same
    amount from then on, but has no backlog: the reader had to wait for its packets.
    """

    def __init__(self) -> None:
        self._offset_s: float | None = None  # monotonic time less media time of a frame that is on time
        self._arrived_s = 0.0
        self._late: deque[tuple[float, float, float]] = deque()  # arrival, delay, seconds waited, of each late frame

    def due_s(self, time_s: float, arrived_s: float, waited_s: float) -> float:
        """Return the monotonic time at which a frame was due.

        time_s: media time. arrived_s: monotonic time. waited_s: seconds spent waiting for its packets.
        """
        delay_s = arrived_s - time_s
        if self._offset_s is None:
            self._offset_s, self._arrived_s = delay_s, arrived_s
        self._offset_s = min(self._offset_s + CLOCK.drift * (arrived_s - self._arrived_s), delay_s)
        self._arrived_s = arrived_s
        if delay_s - self._offset_s <= CLOCK.max_late_s:
            self._late.clear()
            return time_s + self._offset_s
        self._late.append((arrived_s, delay_s, waited_s))
        while len(self._late) > 2 and arrived_s - self._late[1][0] >= CLOCK.settle_s:
            self._late.popleft()
        if self._has_slipped():
            self._offset_s = min(delay for _, delay, _ in self._late)
            self._late.clear()
        return time_s + self._offset_s

    def _has_slipped(self) -> bool:
        (first_s, first_delay_s, _), (last_s, last_delay_s, _) = self._late[0], self._late[-1]
        passed_s = last_s - first_s
        waited_s = sum(waited for _, _, waited in self._late) - self._late[0][2]
        return (
            passed_s >= CLOCK.settle_s
            and waited_s >= CLOCK.min_wait_share * passed_s
            and first_delay_s - last_delay_s < CLOCK.min_wait_share * passed_s
        )


class UtcClock:
    """UTC of frames: the camera's own once it has sent a sender report; before that the time of arrival.

    FFmpeg extrapolates from the last report, and where time stamps jump, both it and the reports of some cameras jump
    with them. A report that disagrees with the time that passed here is ignored, unless it is fresh and the time
    stamps have not jumped: cameras do set their clocks.
    """

    def __init__(self) -> None:
        self._report: tuple[int, int] | None = None  # time stamp in ticks, Unix nanoseconds
        self._ahead_s: float | None = None  # camera clock less monotonic clock
        self._jumped = False

    def reset(self) -> None:
        """Discard the report: the time stamps have jumped."""
        self._report, self._jumped = None, True

    def update(self, report: SenderReport, arrived_s: float) -> None:
        """Update with the report of a frame. arrived_s: monotonic time."""
        ahead_s = report.unix_ns / 1e9 - arrived_s
        if self._ahead_s is None or (report.fresh and not self._jumped):
            self._ahead_s = ahead_s
        agrees = abs(ahead_s - self._ahead_s) < CLOCK.max_utc_difference_s
        self._report = (report.pts, report.unix_ns) if agrees else None

    def at(self, raw: int | None, late_s: float) -> tuple[int, UtcSource]:
        """Return (Unix nanoseconds, source) of a frame that arrives now. raw: its time stamp. late_s: its lateness."""
        if self._report is not None and raw is not None:
            return self._report[1] + (raw - self._report[0]) * 1_000_000_000 // _TICKS, "rtcp"
        return time.time_ns() - round(late_s * 1e9), "arrival"
