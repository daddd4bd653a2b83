"""Confirmation of candidates: detections, rest, growth and fades."""

import pytest

from stream_ocr.tracking.confirmation import Confirmation

MIN_AGE_S = 0.2


def is_complete(confirmation: Confirmation, time_s: float, *, entering: bool = False) -> bool:
    return confirmation.is_complete(time_s, MIN_AGE_S, entering=entering)


def test_candidate_is_confirmed_by_a_second_detection() -> None:
    confirmation = Confirmation(0.0)
    confirmation.see_change(0.2, 1.0)
    assert not is_complete(confirmation, 0.2)
    confirmation.count_detection(0.2)
    assert is_complete(confirmation, 0.2)


@pytest.mark.parametrize("frame_s", [1 / 60, 1 / 25])
def test_detections_that_follow_at_once_count_as_one(frame_s: float) -> None:
    confirmation = Confirmation(0.0)
    for n in range(1, 4):
        confirmation.see_change(n * frame_s, 1.0)
        confirmation.count_detection(n * frame_s)
    assert not is_complete(confirmation, 3 * frame_s)


def test_candidate_is_confirmed_by_rest() -> None:
    confirmation = Confirmation(0.0)
    confirmation.see_change(0.1, 1.0)
    assert [is_complete(confirmation, time_s) for time_s in (0.2, 0.32)] == [False, True]


def test_growing_candidate_must_rest_for_longer() -> None:
    confirmation = Confirmation(0.0)
    confirmation.restart(0.2)
    confirmation.see_change(0.2, 1.0)
    assert [is_complete(confirmation, time_s) for time_s in (0.4, 0.62)] == [False, True]


def test_candidate_that_fades_in_waits() -> None:
    confirmation = Confirmation(0.0)
    confirmation.count_detection(0.2)
    confirmation.see_change(0.2, 1.1)
    assert not is_complete(confirmation, 0.2)
    confirmation.see_rest()
    assert is_complete(confirmation, 0.24)


def test_candidate_at_the_edge_waits_while_it_comes_in() -> None:
    confirmation = Confirmation(0.0)
    confirmation.count_detection(0.2)
    assert not is_complete(confirmation, 0.2, entering=True)
    assert is_complete(confirmation, 2.0, entering=True)
