"""Which rows of a large picture are looked at closely, and when."""

from itertools import pairwise

import numpy as np
import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame
from stream_ocr.gating.change_detection import FrameDiff
from stream_ocr.gating.detection_schedule import Rows
from stream_ocr.gating.fine_pass import FinePassScheduler
from stream_ocr.gating.frame_policy import FramePolicy
from stream_ocr.testing import grey_frame

ROWS, COLUMNS = 30, 6


def change(*tiles: tuple[int, int], sudden: bool = False) -> FrameDiff:
    """Of these tiles, (row, column)."""
    mask = np.zeros((ROWS, COLUMNS), dtype=bool)
    for tile in tiles:
        mask[tile] = True
    return FrameDiff(mask, float(mask.mean()), False, mask.any(axis=1) & sudden)


EVERYTHING = FrameDiff(np.ones((ROWS, COLUMNS), dtype=bool), 1.0, True, np.ones(ROWS, dtype=bool))
STILL = change()


def given(changes: dict[int, FrameDiff], frames: int, *, otherwise: FrameDiff = STILL) -> dict[int, Rows]:
    """The rows by frame, at 25 a second; ``changes`` by frame, too."""
    scrutiny, rows = FinePassScheduler(most_per_s=5.0), {}
    for n in range(frames):
        scrutiny.see(changes.get(n, otherwise), n / 25)
        if found := scrutiny.rows(n / 25):
            rows[n] = found
    return rows


def test_a_picture_at_rest_is_looked_at_part_by_part_and_then_no_more() -> None:
    rows = given({0: EVERYTHING}, 200)
    assert list(rows) == [13, 18, 23]
    assert list(rows.values()) == [(0, 12), (8, 22), (18, 30)], "with a margin, so that no line is cut in two"


def test_what_goes_on_moving_is_not_looked_at() -> None:
    moves = change(*((row, column) for row in range(ROWS) for column in range(COLUMNS)))
    assert given({0: EVERYTHING}, 200, otherwise=moves) == {}


def test_what_rests_is_looked_at_though_something_moves_beside_it() -> None:
    assert list(given({0: EVERYTHING}, 60, otherwise=change((15, 5))).values()) == [(0, 12), (8, 22), (18, 30)]


def test_what_changes_again_and_again_is_looked_at_seldom() -> None:
    ticks = dict.fromkeys(range(25, 500, 25), change((4, 2)))
    after = [n for n in given({0: EVERYTHING} | ticks, 500) if n > 30]
    assert [b - a for a, b in pairwise(after)] == [100] * 3
    assert after[0] == 113, "four seconds after the first"


def test_what_appears_is_looked_at_as_soon_as_it_rests() -> None:
    rows = given({0: EVERYTHING, 50: change((20, 3), sudden=True)}, 100)
    assert {n: part for n, part in rows.items() if n > 30} == {63: (18, 23)}


def test_a_look_that_did_not_come_to_pass_is_owed() -> None:
    scrutiny = FinePassScheduler(most_per_s=5.0)
    scrutiny.see(EVERYTHING, 0.0)
    scrutiny.see(STILL, 1.0)
    assert scrutiny.rows(1.0) == (0, 12)
    scrutiny.owe()
    assert scrutiny.rows(1.04) == (0, 12)
    assert scrutiny.rows(1.08) is None, "not so soon"
    assert scrutiny.rows(1.24) == (8, 22)


def test_another_size_begins_anew() -> None:
    scrutiny = FinePassScheduler(most_per_s=5.0)
    scrutiny.see(EVERYTHING, 0.0)
    scrutiny.see(FrameDiff(np.ones((3, 2), dtype=bool), 1.0, True, np.ones(3, dtype=bool)), 1.0)
    assert scrutiny.rows(1.4) is None
    assert scrutiny.rows(1.5) == (0, 3)


@pytest.mark.parametrize(
    ("size", "told", "closely"),
    [
        ((1920, 1080), [], True),
        ((1280, 720), [], False),
        ((1920, 1080), ["detection.fine_pass=off"], False),
        ((1280, 720), ["detection.long_side=640"], True),
    ],
)
def test_only_pictures_that_the_network_sees_much_reduced_are_worth_it(size, told, closely) -> None:
    worth = FramePolicy(Settings.load(overrides=["detection.long_side=960", *told]))
    picture = grey_frame(np.random.default_rng(0).integers(0, 255, size[::-1], np.uint8))
    frames = [Frame(picture.y.copy(), picture.u, picture.v, full_range=True) for _ in range(2)]
    looks = []
    for n in range(50):
        work = worth.look(frames[n % 2], n / 25)
        looks.append(work.action)
        if work.action != "skip":
            worth.handed_on(frames[n % 2])
    assert ("detect_fine" in looks) == closely
    assert looks[0] == "detect"
