import random

from stream_ocr.core.backoff import Backoff


def test_delay_doubles_up_to_the_longest() -> None:
    backoff = Backoff(0.5, 60.0, jitter=(1.0, 1.0))
    assert [backoff.delay_s(failures) for failures in (0, 1, 2, 3, 8, 9, 10_000)] == [0.5, 0.5, 1, 2, 60, 60, 60]
    assert backoff.longest_delay_s() == 60


def test_jitter_spreads_delays_within_its_range() -> None:
    backoff = Backoff(1.0, 30.0, jitter=(0.5, 1.0), rng=random.Random(0))
    delays = [backoff.delay_s(1) for _ in range(100)]
    assert 0.5 <= min(delays) < 0.6
    assert 0.9 < max(delays) <= 1.0
