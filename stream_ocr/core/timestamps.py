"""Media time: exact ticks and rational time bases, a timeline that never goes back, and times as people read them."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

_SLACK = Fraction(1, 4)  # seconds that a time stamp may go back and be bad writing rather than a new clock


class Rational(Protocol):
    """What FFmpeg's rational numbers look like, in whichever class PyAV hands them over."""

    @property
    def numerator(self) -> int: ...

    @property
    def denominator(self) -> int: ...


def fraction(value: Rational | None) -> Fraction:
    """An exact rate or time base; 0 where it is unknown, which FFmpeg writes as 0/1 or 0/0 and PyAV may as None."""
    if value is None or not value.denominator:
        return Fraction(0)
    return Fraction(value.numerator, value.denominator)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a frame stands: ``pts`` in ticks of the time base, rising over all epochs of a stream."""

    epoch: int
    pts: int


class Timeline:
    """Places the frames of one stream, in the order in which they are shown, in media time.

    Time stamps are kept as they are, beginning with whatever the first one says, as long as they rise. Otherwise:

    * A frame without a time stamp, or with that of the frame before, follows it by one duration.
    * One that goes back by less than a quarter of a second is badly written: it follows by one tick, and the next
      good time stamp is exact again.
    * One that goes back further, or ahead by more than ``leap_s``, tells that the clock of the source began anew,
      as it does where MPEG-TS recordings were joined. That begins a new epoch. Its first frame directly follows the
      last one of the old epoch and all its time stamps are moved by the same amount: media time goes on as a player
      shows it, and never back. A single wild time stamp costs two epochs and at most one frame's worth of time.

    Where presentation times are disordered more often than decoding times (B-frames in AVI) the latter are used.
    """

    def __init__(self, time_base: Fraction, *, rate: Fraction = Fraction(0), leap_s: float | None = None) -> None:
        """rate: frames a second as far as they are known before; 25 is assumed where nothing is."""
        self._slack = int(_SLACK / time_base)
        self._leap = None if leap_s is None else int(Fraction(leap_s) / time_base)
        self._step = max(round(1 / (time_base * (rate or 25))), 1)
        self._pts, self._dts = _Order(), _Order()
        self._raw: int | None = None
        self._offset = 0
        self._first = 0
        self._count = 0
        self._last = Place(0, 0)

    def place(self, pts: int | None, dts: int | None = None, duration: int = 0) -> Place:
        """The place of the next frame. duration: of the frame *before*, in ticks, 0 when unknown."""
        raw = self._trusted(pts, dts)
        last = self._last
        if self._count == 0:
            place = Place(0, raw or 0)
            self._first = place.pts
        elif raw is None or raw == self._raw:
            place = Place(last.epoch, last.pts + self.usual(duration))
        elif self._is_leap(raw + self._offset - last.pts):
            place = Place(last.epoch + 1, last.pts + self.usual(duration))
            self._offset = place.pts - raw
        else:
            place = Place(last.epoch, max(raw + self._offset, last.pts + 1))
        self._raw = self._raw if raw is None else raw
        self._last = place
        self._count += 1
        return place

    def usual(self, duration: int = 0) -> int:
        """Ticks that a frame lasts for all we know: its own word, or the mean so far, or the rate of the stream."""
        if duration > 0:
            return duration
        if self._count > 1:
            return max(round((self._last.pts - self._first) / (self._count - 1)), 1)
        return self._step

    def _is_leap(self, ahead: int) -> bool:
        return ahead < -self._slack or (self._leap is not None and ahead > self._leap)

    def _trusted(self, pts: int | None, dts: int | None) -> int | None:
        """Whichever of the two has been in order more often, as FFmpeg's best effort time stamps do it."""
        faults, decoding_faults = self._pts.see(pts), self._dts.see(dts)
        if pts is not None and (dts is None or faults <= decoding_faults):
            return pts
        return dts


class _Order:
    """Counts how often a time stamp did not rise."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._faults = 0

    def see(self, stamp: int | None) -> int:
        if stamp is not None:
            self._faults += self._last is not None and stamp <= self._last
            self._last = stamp
        return self._faults


def face(time_s: float) -> str:
    """A time in seconds as a clock shows it: 1:02:03.45, without hours where there are none."""
    hundredths = round(abs(time_s) * 100)
    minutes, rest = divmod(hundredths, 6000)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{'−' if time_s < 0 else ''}{head}:{rest // 100:02}.{rest % 100:02}"
