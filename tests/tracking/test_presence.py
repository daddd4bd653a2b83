"""Presence: the states of a text, and what its place at the edge of the frame tells."""

import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.tracking.presence import EdgeMotion, Evidence, Presence, State

SIZE = (640, 360)


def after(*evidence: Evidence, confirmed_at: int | None = None) -> Presence:
    """Return the presence after some frames, 40 ms apart. confirmed_at: the frame before which it is confirmed."""
    presence = Presence()
    for n, each in enumerate(evidence):
        if n == confirmed_at:
            presence.confirm()
        presence.observe(each, n * 0.04)
    return presence


@pytest.mark.parametrize(
    ("evidence", "state"),
    [
        ([Evidence.WHOLE], State.CANDIDATE),
        ([Evidence.COMING_IN], State.ENTERING),
        ([Evidence.COMING_IN, Evidence.WHOLE], State.CANDIDATE),
        ([Evidence.WHOLE, Evidence.NOTHING], State.HIDDEN),
        ([Evidence.WHOLE, Evidence.GOING_OUT], State.LEAVING),
    ],
)
def test_presence_of_a_candidate_follows_the_evidence(evidence: list[Evidence], state: State) -> None:
    assert after(*evidence).state is state


@pytest.mark.parametrize(
    ("evidence", "state"),
    [
        ([Evidence.WHOLE], State.PRESENT),
        ([Evidence.COMING_IN], State.PRESENT),
        ([Evidence.GOING_OUT], State.LEAVING),
        ([Evidence.GOING_OUT, Evidence.NOTHING], State.LEAVING),
        ([Evidence.NOTHING], State.HIDDEN),
        ([Evidence.NOTHING, Evidence.WHOLE], State.PRESENT),
        ([Evidence.GOING_OUT, Evidence.WHOLE], State.PRESENT),
    ],
)
def test_presence_of_a_confirmed_text_follows_the_evidence(evidence: list[Evidence], state: State) -> None:
    assert after(*evidence, confirmed_at=0).state is state


def test_presence_keeps_the_time_of_the_first_frame_without_the_text() -> None:
    presence = after(Evidence.WHOLE, Evidence.NOTHING, Evidence.NOTHING, confirmed_at=0)
    assert (presence.visible, presence.lost_s) == (False, 0.04)
    presence.observe(Evidence.WHOLE, 0.2)
    assert (presence.visible, presence.lost_s) == (True, None)


def test_presence_of_an_ended_text_never_changes() -> None:
    presence = after(Evidence.WHOLE)
    presence.end()
    presence.observe(Evidence.WHOLE, 1.0)
    assert presence.state is State.ENDED


@pytest.mark.parametrize("quad", [rectangle(200, 335, 200, 25), rectangle(0, 100, 200, 25), rectangle(200, 0, 200, 25)])
def test_text_that_stands_still_at_the_edge_is_whole(quad: np.ndarray) -> None:
    edges = EdgeMotion(quad, SIZE)
    assert {edges.evidence(quad + shift) for shift in (-1, 0, 1)} == {Evidence.WHOLE}


def test_text_that_moves_inward_from_the_edge_is_coming_in() -> None:
    edges = EdgeMotion(rectangle(200, 340, 200, 20), SIZE)
    assert edges.evidence(rectangle(200, 335, 200, 20)) is Evidence.COMING_IN
    assert edges.evidence(rectangle(180, 340, 200, 20)) is Evidence.WHOLE, "it moves along the edge"


def test_text_that_moves_across_the_edge_is_going_out() -> None:
    edges = EdgeMotion(rectangle(200, 338, 200, 20), SIZE)
    assert edges.evidence(rectangle(200, 341, 200, 20)) is Evidence.WHOLE
    assert edges.evidence(rectangle(200, 345, 200, 20)) is Evidence.GOING_OUT
