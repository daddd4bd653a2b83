"""Media time: exact ticks and rational time bases, a timeline that never goes backwards, and formatted times."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from stream_ocr.core.thresholds import TIMESTAMPS


class Rational(Protocol):
    """Interface of the classes that PyAV uses for rational numbers of FFmpeg."""

    @property
    def numerator(self) -> int: ...

    @property
    def denominator(self) -> int: ...


def to_fraction(value: Rational | None) -> Fraction:
    """Return an exact rate or time base; 0 if it is unknown (0/1 or 0/0 in FFmpeg, None in some versions of PyAV)."""
    if value is None or not value.denominator:
        return Fraction(0)
    return Fraction(value.numerator, value.denominator)


@dataclass(frozen=True, slots=True)
class FramePosition:
    """Position of a frame in media time: ``pts`` in ticks of the time base, increasing over all epochs of a stream."""

    epoch: int
    pts: int


class Timeline:
    """Positions of the frames of one stream in media time, in presentation order.

    Time stamps are kept unchanged as long as they increase. Otherwise:

    * A frame without a time stamp, or with that of the previous frame, follows the previous frame by one duration.
    * A small step back (``max_backward_s``) is a wrong time stamp: the frame follows by one tick, and the next correct
      time stamp is exact again.
    * A larger step back, or a step ahead by more than ``max_forward_s``, means that the clock of the source was reset,
      as in concatenated MPEG-TS recordings, and starts a new epoch. Its first frame directly follows the last frame of
      the old epoch, and all its time stamps are shifted by the same amount, so that media time continues as in a
      player. A single wrong time stamp costs two epochs and shifts later times by at most one frame.

    Decoding time stamps are used if they are out of order less often than presentation time stamps (B-frames in AVI).
    """

    def __init__(
        self, time_base: Fraction, *, rate: Fraction = Fraction(0), max_forward_s: float | None = None
    ) -> None:
        """rate: declared frames per second; 0 if unknown. max_forward_s: None accepts steps ahead of any size."""
        self._max_backward = int(TIMESTAMPS.max_backward_s / time_base)
        self._max_forward = None if max_forward_s is None else int(Fraction(max_forward_s) / time_base)
        self._step = max(round(1 / (time_base * (rate or TIMESTAMPS.assumed_fps))), 1)
        self._pts, self._dts = _DisorderCounter(), _DisorderCounter()
        self._raw: int | None = None
        self._offset = 0
        self._first = 0
        self._count = 0
        self._last = FramePosition(0, 0)

    def place(self, pts: int | None, dts: int | None = None, duration: int = 0) -> FramePosition:
        """Return the position of the next frame. duration: of the *previous* frame in ticks; 0 if unknown."""
        raw = self._select(pts, dts)
        last = self._last
        if self._count == 0:
            place = FramePosition(0, raw or 0)
            self._first = place.pts
        elif raw is None or raw == self._raw:
            place = FramePosition(last.epoch, last.pts + self.expected_duration(duration))
        elif self._is_reset(raw + self._offset - last.pts):
            place = FramePosition(last.epoch + 1, last.pts + self.expected_duration(duration))
            self._offset = place.pts - raw
        else:
            place = FramePosition(last.epoch, max(raw + self._offset, last.pts + 1))
        self._raw = self._raw if raw is None else raw
        self._last = place
        self._count += 1
        return place

    def expected_duration(self, duration: int = 0) -> int:
        """Return a frame duration in ticks: the declared one, else the mean so far, else that of the frame rate."""
        if duration > 0:
            return duration
        if self._count > 1:
            return max(round((self._last.pts - self._first) / (self._count - 1)), 1)
        return self._step

    def _is_reset(self, ahead: int) -> bool:
        return ahead < -self._max_backward or (self._max_forward is not None and ahead > self._max_forward)

    def _select(self, pts: int | None, dts: int | None) -> int | None:
        """Return whichever has been out of order less often, as best_effort_timestamp of FFmpeg does."""
        pts_faults, dts_faults = self._pts.update(pts), self._dts.update(dts)
        if pts is not None and (dts is None or pts_faults <= dts_faults):
            return pts
        return dts


class _DisorderCounter:
    """Counts the time stamps that did not increase."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._faults = 0

    def update(self, stamp: int | None) -> int:
        if stamp is not None:
            self._faults += self._last is not None and stamp <= self._last
            self._last = stamp
        return self._faults


def format_timestamp(time_s: float) -> str:
    """Format a time in seconds like 1:02:03.45; hours only if there are any."""
    hundredths = round(abs(time_s) * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{'−' if time_s < 0 else ''}{head}:{rest // 100:02}.{rest % 100:02}"
