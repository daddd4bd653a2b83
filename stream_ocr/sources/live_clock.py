"""Time of a source that never ends: media time that never goes back, how late a picture is, and UTC.

Inside, only the monotonic clock counts: steps of the host's wall clock change no order and no decision.
"""

import time
from collections import deque
from dataclasses import dataclass

from stream_ocr.events import UtcSource

TIME_BASE = (1, 90_000)
_TICKS = TIME_BASE[1]
_SLACK = _TICKS // 4  # that a time stamp may go back and be badly written rather than a new clock
_LEAP = 2 * _TICKS  # ahead of what passed here
_FIRST_STEP = _TICKS // 25
_LONGEST_STEP = _TICKS  # what lasts longer is a pause, and says nothing about the usual distance
_SLIP_S = 0.1  # by which a camera may be late before it is asked whether it is so for good
_SETTLE_S = 0.7  # of being late by the same, which tells a clock that has slipped from a backlog
_WAITING = 0.25  # share of the time spent waiting for packets, from which there is no backlog
_IN_STEP_S = 0.5  # from which two clocks are taken to have parted
_CREEP = 1e-4  # by which clocks of cameras may be slow


@dataclass(frozen=True, slots=True)
class Report:
    """When a camera took a picture, by its own clock. fresh: it has just said so, rather than FFmpeg counted on."""

    pts: int
    unix_ns: int
    fresh: bool


@dataclass(frozen=True, slots=True)
class LivePlace:
    """Where a picture stands in media time, in ticks of ``TIME_BASE``; how long such a picture usually lasts."""

    epoch: int
    pts: int
    step: int


class LiveTimeline:
    """Media time of a live source: seconds since ``origin_s``, rising over all connections.

    Within a connection it follows the time stamps. A new connection, and time stamps that jump back, or ahead by more
    than passed here, begin a new epoch at the time that it is here. Pictures without a time stamp, or with the same one
    again, follow each other as they arrive.
    """

    def __init__(self, *, epoch: int = 0, origin_s: float | None = None) -> None:
        """epoch: of the first connection. origin_s: monotonic seconds; None: when the first picture comes."""
        self._epoch, self._origin_s = epoch - 1, origin_s
        self._last: int | None = None
        self._arrived_s = 0.0
        self._raw: int | None = None
        self._offset: int | None = None
        self._step = _FIRST_STEP
        self._fresh = True

    def end_s(self, now_s: float) -> float:
        """Media time at which the last picture was taken away, as far as is known; before any, what it is now.

        now_s: monotonic seconds.
        """
        if self._last is not None:
            return (self._last + self._step) / _TICKS
        return 0.0 if self._origin_s is None else max(now_s - self._origin_s, 0.0)

    def reconnected(self) -> None:
        """What comes next belongs to another connection."""
        self._fresh = True

    def place(self, raw: int | None, arrived_s: float) -> LivePlace:
        """The place of the next picture. raw: its time stamp in ticks. arrived_s: monotonic seconds."""
        passed = round((arrived_s - self._arrived_s) * _TICKS)
        self._arrived_s = arrived_s
        begins = self._fresh or self._has_jumped(raw, passed)
        pts = self._last = self._begin(raw, arrived_s) if begins else self._go_on(raw, passed)
        self._raw = self._raw if raw is None else raw
        return LivePlace(self._epoch, pts, self._step)

    def _has_jumped(self, raw: int | None, passed: int) -> bool:
        if raw is None or raw == self._raw or self._offset is None or self._last is None:
            return False
        ahead = raw + self._offset - self._last
        return ahead < -_SLACK or ahead - max(passed, 0) > _LEAP

    def _begin(self, raw: int | None, arrived_s: float) -> int:
        """Place the first picture of an epoch."""
        if self._origin_s is None:
            self._origin_s = arrived_s
        pts = round((arrived_s - self._origin_s) * _TICKS)
        if self._last is not None:
            pts = max(pts, self._last + self._step)
        self._epoch, self._fresh = self._epoch + 1, False
        self._offset = None if raw is None else pts - raw
        self._raw = None
        return max(pts, 0)

    def _go_on(self, raw: int | None, passed: int) -> int:
        last = self._last or 0
        if raw is None:
            return last + self._step
        if raw == self._raw:
            return last + max(passed, 1)
        if self._offset is None:  # only the first one of the connection had no time stamp, as usual with RTSP
            self._offset = last + self._step - raw
        pts = max(raw + self._offset, last + 1)
        if 1 < pts - last <= _LONGEST_STEP:
            self._step = pts - last if self._raw is None else round(0.9 * self._step + 0.1 * (pts - last))
        return pts


class Lateness:
    """How much later than usual a picture comes: backlog of the network, or of this process.

    The picture with the least delay so far is taken to be on time. A camera that hesitated for a moment and then goes
    on is late by the same from then on, and is not behind: that is told from a backlog by the reader, who had to wait
    for packets.
    """

    def __init__(self) -> None:
        self._offset_s: float | None = None  # monotonic time less media time of a picture that is on time
        self._arrived_s = 0.0
        self._late: deque[tuple[float, float, float]] = deque()  # arrival, delay, seconds waited: since it is late

    def due_s(self, time_s: float, arrived_s: float, waited_s: float) -> float:
        """Monotonic time at which a picture should have come. time_s: media time. waited_s: for its packets."""
        delay_s = arrived_s - time_s
        if self._offset_s is None:
            self._offset_s, self._arrived_s = delay_s, arrived_s
        self._offset_s = min(self._offset_s + _CREEP * (arrived_s - self._arrived_s), delay_s)
        self._arrived_s = arrived_s
        if delay_s - self._offset_s <= _SLIP_S:
            self._late.clear()
            return time_s + self._offset_s
        self._late.append((arrived_s, delay_s, waited_s))
        while len(self._late) > 2 and arrived_s - self._late[1][0] >= _SETTLE_S:
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
            passed_s >= _SETTLE_S
            and waited_s >= _WAITING * passed_s
            and first_delay_s - last_delay_s < _WAITING * passed_s
        )


class Utc:
    """UTC of pictures: the camera's own, once it has sent a sender report; the time of arrival before that.

    FFmpeg goes on counting from the last report, and where time stamps have jumped both it and the reports of some
    cameras jump with them. What is no longer in step with the time that passes here is not believed; a report that
    moves the clock is, as long as the time stamps have not jumped, for cameras do set their clocks.
    """

    def __init__(self) -> None:
        self._report: tuple[int, int] | None = None  # time stamp in ticks, Unix nanoseconds
        self._ahead_s: float | None = None  # of the camera's clock, to the monotonic one
        self._jumped = False

    def jumped(self) -> None:
        """The time stamps have begun anew."""
        self._report, self._jumped = None, True

    def reported(self, report: Report, arrived_s: float) -> None:
        """The camera says when it took a picture that has arrived now."""
        ahead_s = report.unix_ns / 1e9 - arrived_s
        if self._ahead_s is None or (report.fresh and not self._jumped):
            self._ahead_s = ahead_s
        in_step = abs(ahead_s - self._ahead_s) < _IN_STEP_S
        self._report = (report.pts, report.unix_ns) if in_step else None

    def of(self, raw: int | None, late_s: float) -> tuple[int, UtcSource]:
        """(Unix nanoseconds, clock) of a picture that arrives now. late_s: as ``Lateness`` tells it."""
        if self._report is not None and raw is not None:
            return self._report[1] + (raw - self._report[0]) * 1_000_000_000 // _TICKS, "rtcp"
        return time.time_ns() - round(late_s * 1e9), "arrival"
