"""Clocks of live sources: media time, lateness and UTC, with simulated arrival times."""

import random
import time

import pytest

from stream_ocr.sources.live_clock import Lateness, LiveTimeline, SenderReport, UtcClock

TICKS = 90_000
FRAME = 3600  # 1/25 s


def placed(timeline, raws, start_s=100.0, arrivals=None):
    """Return the positions of frames that arrive every 1/25 s, or at ``arrivals``."""
    arrivals = arrivals or [start_s + 0.04 * n for n in range(len(raws))]
    return [timeline.place(raw, arrived_s) for raw, arrived_s in zip(raws, arrivals, strict=True)]


def test_timeline_follows_the_time_stamps_from_the_first_frame_on():
    jitter = random.Random(1)
    raws = [7_000 + FRAME * n for n in range(50)]
    arrivals = [100 + 0.04 * n + jitter.random() * 0.03 for n in range(50)]
    places = placed(LiveTimeline(), raws, arrivals=arrivals)
    assert [place.pts for place in places] == [FRAME * n for n in range(50)]
    assert {place.epoch for place in places} == {0}
    assert places[-1].step == FRAME


def test_timeline_starts_at_a_given_origin():
    assert placed(LiveTimeline(origin_s=97.5), [5, 5 + FRAME])[0].pts == 2.5 * TICKS


def test_timeline_ends_at_the_current_time_before_the_first_frame():
    assert LiveTimeline(origin_s=40.0).end_s(52.5) == 12.5
    assert LiveTimeline().end_s(52.5) == 0.0


def test_timeline_accepts_a_first_frame_without_a_time_stamp():
    places = placed(LiveTimeline(), [None, 3600, 7200, 10800])
    assert [place.pts for place in places] == [0, 3600, 7200, 10800]


def test_timeline_continues_at_the_current_time_after_reconnecting():
    timeline = LiveTimeline(epoch=5)
    placed(timeline, [FRAME * n for n in range(25)])
    assert timeline.end_s(99.0) == pytest.approx(1.0)
    timeline.reconnected()
    places = placed(timeline, [9, 9 + FRAME], start_s=107.0)
    assert [(place.epoch, place.pts) for place in places] == [(6, 7 * TICKS), (6, 7 * TICKS + FRAME)]


def test_timeline_does_not_go_back_when_a_fast_camera_reconnects():
    timeline = LiveTimeline()
    places = placed(timeline, [4500 * n for n in range(100)])  # 5 s by its clock, 4 s here
    timeline.reconnected()
    after = placed(timeline, [0], start_s=104.0)
    assert after[0].pts > places[-1].pts


@pytest.mark.parametrize("jump_s", [-5.0, -0.5, 3.0, 86_400.0])
def test_timeline_starts_an_epoch_where_time_stamps_jump(jump_s):
    raws = [500_000 + FRAME * n + (round(jump_s * TICKS) if n >= 25 else 0) for n in range(50)]
    places = placed(LiveTimeline(), raws)
    assert [place.epoch for place in places] == [0] * 25 + [1] * 25
    assert [place.pts for place in places] == pytest.approx([FRAME * n for n in range(50)], abs=2)


def test_timeline_continues_the_epoch_after_a_pause():
    raws = [0, FRAME, 20 * TICKS, 20 * TICKS + FRAME]
    places = placed(LiveTimeline(), raws, arrivals=[100.0, 100.04, 120.0, 120.04])
    assert [(place.epoch, place.pts) for place in places] == [(0, raw) for raw in raws]


def test_timeline_increases_for_unordered_time_stamps():
    places = placed(LiveTimeline(), [0, FRAME, 3 * FRAME, 2 * FRAME, 4 * FRAME])
    assert [place.pts for place in places] == [0, FRAME, 3 * FRAME, 3 * FRAME + 1, 4 * FRAME]
    assert {place.epoch for place in places} == {0}


@pytest.mark.parametrize("raw", [0, None])
def test_timeline_places_frames_without_time_stamps_by_arrival(raw):
    places = placed(LiveTimeline(), [raw] * 50)
    assert [place.pts for place in places] == pytest.approx([FRAME * n for n in range(50)], abs=2)
    assert {place.epoch for place in places} == {0}


def test_timeline_increases_for_random_time_stamps():
    wild = random.Random(4)
    timeline, arrived_s, before = LiveTimeline(), 50.0, -1
    for _ in range(3000):
        arrived_s += wild.choice([0.0, 0.001, 0.04, 3.0])
        raw = wild.choice([None, 0, wild.randrange(-(2**40), 2**40), round(arrived_s * TICKS)])
        if wild.random() < 0.01:
            timeline.reconnected()
        pts = timeline.place(raw, arrived_s).pts
        assert pts > before
        before = pts


def late(lateness, frames):
    """Return the lateness of frames, each (media time, arrival, seconds waited)."""
    return [arrived_s - lateness.due_s(time_s, arrived_s, waited_s) for time_s, arrived_s, waited_s in frames]


def test_lateness_measures_jitter():
    frames = [(0.04 * n, 10 + 0.04 * n + (0.03 if n % 5 == 4 else 0), 0.03) for n in range(50)]
    found = late(Lateness(), frames)
    assert max(found[4::5]) == pytest.approx(0.03, abs=0.001)
    assert max(found[0::5]) == pytest.approx(0, abs=0.001)


def test_lateness_of_a_backlog_lasts_until_it_has_been_read():
    before = [(0.04 * n, 10 + 0.04 * n, 0.03) for n in range(25)]
    backlog = [(1 + 0.04 * n, 19 + 0.002 * n, 8.0 if n == 0 else 0.0) for n in range(200)]  # this process was stopped
    after = [(9 + 0.04 * n, 19.4 + 0.04 * n, 0.03) for n in range(25)]
    found = late(Lateness(), before + backlog + after)
    assert found[25] == pytest.approx(8.0, abs=0.01)
    assert found[125] == pytest.approx(8 - 3.8, abs=0.1)
    assert max(found[-20:]) < 0.45


def test_lateness_grows_in_a_process_that_cannot_keep_up():
    found = late(Lateness(), [(0.04 * n, 10 + 0.042 * n, 0.0) for n in range(500)])
    assert found[-1] == pytest.approx(1.0, abs=0.05)


def test_lateness_ends_soon_after_a_camera_paused():
    before = [(0.04 * n, 10 + 0.04 * n, 0.03) for n in range(25)]
    after = [(1 + 0.04 * n, 13 + 0.04 * n, 0.03) for n in range(50)]
    found = late(Lateness(), before + after)
    assert found[25] == pytest.approx(2.0, abs=0.01)
    assert max(found[-25:]) == pytest.approx(0, abs=0.001)


def test_utc_clock_uses_arrival_until_the_first_sender_report():
    utc = UtcClock()
    unix_ns, clock = utc.at(3600, 0.5)
    assert clock == "arrival"
    assert unix_ns / 1e9 == pytest.approx(time.time() - 0.5, abs=0.1)
    utc.update(SenderReport(9000, 1_700_000_000_000_000_000, fresh=True), 50.0)
    assert utc.at(9000 + TICKS, 0.0) == (1_700_000_001_000_000_000, "rtcp")


def test_utc_clock_follows_a_camera_that_sets_its_clock():
    utc = UtcClock()
    utc.update(SenderReport(0, 1_000_000_000_000, fresh=True), 50.0)
    utc.update(SenderReport(TICKS, 1_700_000_000_000_000_000, fresh=True), 51.0)
    assert utc.at(TICKS, 0.0) == (1_700_000_000_000_000_000, "rtcp")


def test_utc_clock_ignores_reports_that_jump_with_the_time_stamps():
    utc = UtcClock()
    utc.update(SenderReport(0, 1_700_000_000_000_000_000, fresh=True), 50.0)
    utc.reset()
    assert utc.at(0, 0.0)[1] == "arrival"
    utc.update(SenderReport(-3 * TICKS, 1_699_999_998_000_000_000, fresh=True), 51.0)
    assert utc.at(-3 * TICKS, 0.0)[1] == "arrival"
    utc.update(SenderReport(TICKS, 1_700_000_002_000_000_000, fresh=True), 52.0)
    assert utc.at(TICKS, 0.0) == (1_700_000_002_000_000_000, "rtcp")
