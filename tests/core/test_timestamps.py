"""The timeline is exact where time stamps are valid and never goes backwards."""

from fractions import Fraction
from itertools import pairwise

import pytest
from av import AVRational

from stream_ocr.core.timestamps import Timeline, format_timestamp, to_fraction

MS = Fraction(1, 1000)


def placed(stamps, *, max_forward_s=None, rate=Fraction(25), durations=None):
    timeline = Timeline(MS, rate=rate, max_forward_s=max_forward_s)
    places = []
    for i, pts in enumerate(stamps):
        place = timeline.place(pts, None, durations[i - 1] if durations and i else 0)
        places.append((place.epoch, place.pts))
    return places


@pytest.mark.parametrize("value", [Fraction(30000, 1001), AVRational(30000, 1001)])
def test_to_fraction_is_exact_for_every_rational_class(value):
    assert to_fraction(value) == Fraction(30000, 1001)


@pytest.mark.parametrize("value", [None, AVRational(0, 1), AVRational(0, 0)])
def test_to_fraction_is_zero_for_unknown_rates(value):
    assert not to_fraction(value)


@pytest.mark.parametrize("start", [0, 5500, -3000])
def test_timeline_keeps_increasing_time_stamps(start):
    stamps = [start + t for t in (0, 5, 20, 45, 80, 60_080)]
    assert placed(stamps) == [(0, t) for t in stamps]


def test_timeline_fills_missing_time_stamps_by_frame_duration():
    assert placed([None, None, None]) == [(0, 0), (0, 40), (0, 80)]
    assert placed([0, 20, 40, None]) == [(0, 0), (0, 20), (0, 40), (0, 60)]
    assert placed([0, None, 100], durations=[33, 33, 33]) == [(0, 0), (0, 33), (0, 100)]


def test_timeline_advances_repeated_time_stamps():
    assert placed([0, 0, 0, 120]) == [(0, 0), (0, 40), (0, 80), (0, 120)]


def test_timeline_corrects_a_small_step_back():
    assert placed([0, 40, 80, 60, 120, 160]) == [(0, 0), (0, 40), (0, 80), (0, 81), (0, 120), (0, 160)]


def test_timeline_starts_an_epoch_when_the_clock_is_reset():
    assert placed([5000, 5040, 5080, 0, 40]) == [(0, 5000), (0, 5040), (0, 5080), (1, 5120), (1, 5160)]


def test_timeline_starts_an_epoch_at_a_step_ahead_beyond_the_limit():
    assert placed([0, 40, 20_000]) == [(0, 0), (0, 40), (0, 20_000)]
    assert placed([0, 40, 20_000, 20_040], max_forward_s=10) == [(0, 0), (0, 40), (1, 80), (1, 120)]


def test_timeline_recovers_from_a_single_wrong_time_stamp():
    assert [pts for _, pts in placed([0, 40, 90_000_000, 120, 160], max_forward_s=10)] == [0, 40, 80, 120, 160]


def test_timeline_uses_decoding_times_if_presentation_times_are_disordered():
    timeline = Timeline(MS)
    pairs = zip([40, 160, 120, 200, 80, 320, 280], [80, 120, 160, 200, 240, 280, 320], strict=True)
    times = [timeline.place(pts, dts) for pts, dts in pairs]
    assert [place.epoch for place in times] == [0] * 7
    assert times[-1].pts == 320
    assert all(later.pts > earlier.pts for earlier, later in pairwise(times))


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0.0, "0:00.00"), (59.996, "1:00.00"), (61.5, "1:01.50"), (3661.5, "1:01:01.50"), (-0.5, "−0:00.50")],
)
def test_format_timestamp(time_s, text):
    assert format_timestamp(time_s) == text
