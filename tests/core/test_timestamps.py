"""The timeline: exact where the time stamps are good, and never back."""

from fractions import Fraction
from itertools import pairwise

import pytest
from av import AVRational

from stream_ocr.core.timestamps import Timeline, face, fraction

MS = Fraction(1, 1000)


def placed(stamps, *, leap_s=None, rate=Fraction(25), durations=None):
    timeline = Timeline(MS, rate=rate, leap_s=leap_s)
    places = []
    for i, pts in enumerate(stamps):
        place = timeline.place(pts, None, durations[i - 1] if durations and i else 0)
        places.append((place.epoch, place.pts))
    return places


@pytest.mark.parametrize("value", [Fraction(30000, 1001), AVRational(30000, 1001)])
def test_rates_are_exact_in_either_class(value):
    assert fraction(value) == Fraction(30000, 1001)


@pytest.mark.parametrize("value", [None, AVRational(0, 1), AVRational(0, 0)])
def test_an_unknown_rate_is_nothing(value):
    assert not fraction(value)


@pytest.mark.parametrize("start", [0, 5500, -3000])
def test_rising_time_stamps_are_kept(start):
    stamps = [start + t for t in (0, 5, 20, 45, 80, 60_080)]
    assert placed(stamps) == [(0, t) for t in stamps]


def test_missing_time_stamps_follow_by_what_a_frame_lasts():
    assert placed([None, None, None]) == [(0, 0), (0, 40), (0, 80)]
    assert placed([0, 20, 40, None]) == [(0, 0), (0, 20), (0, 40), (0, 60)]
    assert placed([0, None, 100], durations=[33, 33, 33]) == [(0, 0), (0, 33), (0, 100)]


def test_a_clock_that_stands_still_is_helped_on():
    assert placed([0, 0, 0, 120]) == [(0, 0), (0, 40), (0, 80), (0, 120)]


def test_a_small_step_back_is_bad_writing():
    assert placed([0, 40, 80, 60, 120, 160]) == [(0, 0), (0, 40), (0, 80), (0, 81), (0, 120), (0, 160)]


def test_a_clock_that_begins_anew_is_a_new_epoch_and_time_goes_on():
    assert placed([5000, 5040, 5080, 0, 40]) == [(0, 5000), (0, 5040), (0, 5080), (1, 5120), (1, 5160)]


def test_a_leap_ahead_is_a_new_epoch_only_where_leaps_are_known():
    assert placed([0, 40, 20_000]) == [(0, 0), (0, 40), (0, 20_000)]
    assert placed([0, 40, 20_000, 20_040], leap_s=10) == [(0, 0), (0, 40), (1, 80), (1, 120)]


def test_one_wild_time_stamp_leaves_no_trace_in_the_times():
    assert [pts for _, pts in placed([0, 40, 90_000_000, 120, 160], leap_s=10)] == [0, 40, 80, 120, 160]


def test_decoding_times_help_out_where_presentation_times_are_in_disorder():
    timeline = Timeline(MS)
    pairs = zip([40, 160, 120, 200, 80, 320, 280], [80, 120, 160, 200, 240, 280, 320], strict=True)
    times = [timeline.place(pts, dts) for pts, dts in pairs]
    assert [place.epoch for place in times] == [0] * 7
    assert times[-1].pts == 320
    assert all(later.pts > earlier.pts for earlier, later in pairwise(times))


@pytest.mark.parametrize(
    ("time_s", "shown"),
    [(0.0, "0:00.00"), (59.996, "1:00.00"), (61.5, "1:01.50"), (3661.5, "1:01:01.50"), (-0.5, "−0:00.50")],
)
def test_times_are_shown_as_a_clock_shows_them(time_s, shown):
    assert face(time_s) == shown
