"""When the detector looks, by what changes from frame to frame."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pytest

from stream_ocr.gating.change_detection import FrameDiff
from stream_ocr.gating.detection_schedule import DetectionSchedule, Rows


def change(fraction: float, *, cut: bool = False, sudden: bool = False) -> FrameDiff:
    return FrameDiff(np.full((1, 1), fraction > 0), fraction, cut, np.array([sudden]))


STILL, MOVED = change(0), change(0.2)
NEW, CUT = change(0.2, sudden=True), change(1, cut=True, sudden=True)


def looks(changes: Iterable[FrameDiff], fps: int = 25) -> list[int]:
    """The frames that the detector looks or glances at."""
    cadence = DetectionSchedule(2.0, 5.0)
    return [n for n, change in enumerate(changes) if cadence.look(change, n / fps)[0] in ("detect_coarse", "detect")]


@pytest.mark.parametrize("fps", [24, 25, 50, 60])
@pytest.mark.parametrize(("what", "interval_s"), [(MOVED, 0.5), (NEW, 0.2)])
def test_the_detector_looks_seldom_where_things_move_and_often_where_they_appear(
    fps: int, what: FrameDiff, interval_s: float
) -> None:
    seen = [n / fps for n in looks([what] * (10 * fps), fps)]
    assert seen[0] == 0
    settled = [b - a for a, b in pairwise(seen[2:])]
    assert min(settled) >= interval_s - 1e-6
    assert max(settled) < interval_s + 1 / fps


def test_media_time_may_begin_anywhere() -> None:
    cadence = DetectionSchedule(2.0, 5.0)
    seen = [n for n in range(50) if cadence.look(NEW, n / 25 - 7.0)[0] == "detect"]
    assert seen == list(range(0, 50, 5))


def test_what_appears_is_looked_at_soon_and_once_more() -> None:
    changes = [MOVED] * 60
    changes[30] = NEW
    seen = looks(changes)
    assert [n for n in seen if 30 <= n < 45] == [30, 35] or [n for n in seen if 30 <= n < 45] == [31, 36]


def test_a_cut_is_looked_at_at_once() -> None:
    assert looks([MOVED, MOVED, CUT, MOVED, MOVED]) == [0, 2]


def test_what_stands_still_is_passed_over() -> None:
    cadence = DetectionSchedule(2.0, 5.0)
    cadence.look(CUT, 0.0)
    assert {cadence.look(STILL, n / 25)[0] for n in range(1, 100)} == {"skip"}


def test_a_picture_that_moves_again_is_looked_at_at_once() -> None:
    assert looks([CUT, *[STILL] * 20, MOVED, STILL]) == [0, 21]


def test_a_change_that_came_too_early_is_looked_at_in_time_though_all_is_still_again() -> None:
    assert looks([CUT, STILL, MOVED, *[STILL] * 20]) == [0, 5]


ROWS = 20


def moved(*rows: int, new: Sequence[int] = ()) -> FrameDiff:
    """Some rows of tiles have changed; in some of them something appeared."""
    mask = np.zeros((ROWS, 3), dtype=bool)
    mask[list(rows), 1] = True
    sudden = np.zeros(ROWS, dtype=bool)
    sudden[list(new)] = True
    return FrameDiff(mask, float(mask.mean()), False, sudden)


NOTHING, EVERYTHING = moved(), moved(*range(ROWS))


def bands(changes: Iterable[FrameDiff]) -> dict[int, Rows]:
    """The rows that are looked at, by frame."""
    cadence, seen = DetectionSchedule(2.0, 5.0), {}
    for n, change in enumerate(changes):
        look, rows = cadence.look(change, n / 25)
        if look in ("detect_coarse", "detect"):
            assert rows is not None
            seen[n] = rows
    return seen


def test_where_little_changes_only_the_rows_round_it_are_looked_at() -> None:
    clock = [moved(1) if n % 25 == 0 else NOTHING for n in range(1, 60)]
    assert bands([EVERYTHING, *clock]) == {0: (0, ROWS), 25: (0, 4), 50: (0, 4)}


def test_what_appears_before_a_picture_that_moves_is_looked_at_beside_the_looks_at_all_of_it() -> None:
    film = [EVERYTHING] * 40
    film[24] = moved(*range(ROWS), new=[15, 16])
    seen = bands(film)
    assert {n: rows for n, rows in seen.items() if rows == (0, ROWS)}.keys() == {0, 5, 18, 31}
    assert {n: rows for n, rows in seen.items() if rows != (0, ROWS)} == {24: (13, 19), 29: (13, 19)}


def test_changes_all_over_the_picture_are_looked_at_as_a_whole() -> None:
    assert bands([EVERYTHING, *[NOTHING] * 20, moved(2, 17)])[21] == (0, ROWS)


def test_a_look_that_did_not_come_to_pass_is_owed() -> None:
    cadence = DetectionSchedule(2.0, 5.0)
    cadence.look(EVERYTHING, 0.0)
    cadence.look(NOTHING, 0.5)
    assert cadence.look(moved(9), 1.0) == ("detect", (7, 12))
    cadence.owe()
    assert cadence.look(NOTHING, 1.04) == ("detect", (0, ROWS))


def test_what_only_moves_gets_three_glances_and_a_look_in_turn_and_what_appears_only_looks() -> None:
    cadence = DetectionSchedule(2.0, 5.0)
    seen = [cadence.look(MOVED, n / 25)[0] for n in range(125)]
    four = ["detect_coarse", "detect_coarse", "detect_coarse", "detect"]
    assert [look for look in seen if look != "track"] == ["detect", "detect", *four, *four, "detect_coarse"]
    cadence.look(NEW, 5.0)
    assert [look for look in (cadence.look(MOVED, 5.2 + n / 25)[0] for n in range(6)) if look != "track"] == ["detect"]


def test_once_it_owes_a_look_at_everything_it_need_not_know_more() -> None:
    cadence = DetectionSchedule(2, 10)
    assert not cadence.sated
    cadence.look(EVERYTHING, 0.0)
    assert not cadence.sated, "it has just looked"
    cadence.look(moved(5), 0.04)
    assert not cadence.sated
    cadence.look(EVERYTHING, 0.08)
    assert cadence.sated
