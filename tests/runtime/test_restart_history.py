import random

from stream_ocr.runtime.restart_history import RestartHistory


def delays(restarts: RestartHistory, count: int, now_s: float = 0.0) -> list[float]:
    """Return the delays of failures in a row, each at the moment of the restart before."""
    found = []
    for _ in range(count):
        due_s = restarts.failed(now_s)
        found.append(due_s - now_s)
        now_s = due_s
    return found


def test_restart_delay_doubles_from_a_quarter_second_to_30_s_with_20_percent_jitter() -> None:
    for seed in range(20):
        found = delays(RestartHistory(random.Random(seed)), 10)
        for delay_s, plain_s in zip(found, [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30, 30], strict=True):
            assert 0.8 * plain_s <= delay_s <= 1.2 * plain_s
    assert len({delays(RestartHistory(random.Random(seed)), 1)[0] for seed in range(20)}) == 20


def test_restart_delay_is_finite_after_thousands_of_failures() -> None:
    for delay_s in delays(RestartHistory(), 2000)[10:]:
        assert 24 <= delay_s <= 36


def test_restart_delay_is_reset_after_a_healthy_minute() -> None:
    restarts = RestartHistory()
    delays(restarts, 6)
    assert restarts.failed(1000.0) <= 1000.0 + 0.25 * 1.2
    assert restarts.count == 7


def test_restart_history_is_degraded_after_five_failures_within_a_minute() -> None:
    often, seldom = RestartHistory(), RestartHistory()
    for number in range(5):
        assert not often.degraded(number * 10.0)
        often.failed(number * 10.0)
        seldom.failed(number * 20.0)
    assert often.degraded(40.0)
    assert not often.degraded(70.0)
    assert not seldom.degraded(80.0)
