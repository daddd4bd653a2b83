"""When the detector looks, by what changes from frame to frame."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest

from stream_ocr.sources.change import Change
from stream_ocr.stages.cadence import Cadence


def change(fraction: float, *, cut: bool = False, sudden: bool = False) -> Change:
    return Change(np.full((1, 1), fraction > 0), fraction, cut, sudden)


STILL, MOVED = change(0), change(0.2)
NEW, CUT = change(0.2, sudden=True), change(1, cut=True, sudden=True)


def looks(changes: Iterable[Change], fps: int = 25) -> list[int]:
    """The frames that the detector looks at."""
    cadence = Cadence(2.0, 5.0)
    return [n for n, change in enumerate(changes) if cadence.look(change, n / fps) == "detect"]


@pytest.mark.parametrize("fps", [24, 25, 50, 60])
@pytest.mark.parametrize(("what", "interval_s"), [(MOVED, 0.5), (NEW, 0.2)])
def test_the_detector_looks_seldom_where_things_move_and_often_where_they_appear(
    fps: int, what: Change, interval_s: float
) -> None:
    seen = [n / fps for n in looks([what] * (10 * fps), fps)]
    assert seen[0] == 0
    settled = [b - a for a, b in pairwise(seen[2:])]
    assert min(settled) >= interval_s - 1e-6
    assert max(settled) < interval_s + 1 / fps


def test_media_time_may_begin_anywhere() -> None:
    cadence = Cadence(2.0, 5.0)
    seen = [n for n in range(50) if cadence.look(NEW, n / 25 - 7.0) == "detect"]
    assert seen == list(range(0, 50, 5))


def test_what_appears_is_looked_at_soon_and_once_more() -> None:
    changes = [MOVED] * 60
    changes[30] = NEW
    seen = looks(changes)
    assert [n for n in seen if 30 <= n < 45] == [30, 35] or [n for n in seen if 30 <= n < 45] == [31, 36]


def test_a_cut_is_looked_at_at_once() -> None:
    assert looks([MOVED, MOVED, CUT, MOVED, MOVED]) == [0, 2]


def test_what_stands_still_is_passed_over() -> None:
    cadence = Cadence(2.0, 5.0)
    cadence.look(CUT, 0.0)
    assert {cadence.look(STILL, n / 25) for n in range(1, 100)} == {"skip"}


def test_a_picture_that_moves_again_is_looked_at_at_once() -> None:
    assert looks([CUT, *[STILL] * 20, MOVED, STILL]) == [0, 21]


def test_a_change_that_came_too_early_is_looked_at_in_time_though_all_is_still_again() -> None:
    assert looks([CUT, STILL, MOVED, *[STILL] * 20]) == [0, 5]
