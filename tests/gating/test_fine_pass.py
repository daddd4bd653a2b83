"""Fine passes: which rows of a large frame, and when."""

from itertools import pairwise

import numpy as np

from stream_ocr.gating.change_detection import FrameDiff
from stream_ocr.gating.detection_schedule import Rows
from stream_ocr.gating.fine_pass import FinePassScheduler

ROWS, COLUMNS = 30, 6


def diff(*tiles: tuple[int, int], onset: bool = False) -> FrameDiff:
    """Return a diff in which these tiles, (row, column), changed."""
    mask = np.zeros((ROWS, COLUMNS), dtype=bool)
    for tile in tiles:
        mask[tile] = True
    return FrameDiff(mask, float(mask.mean()), False, mask.any(axis=1) & onset)


EVERYTHING = FrameDiff(np.ones((ROWS, COLUMNS), dtype=bool), 1.0, True, np.ones(ROWS, dtype=bool))
STILL = diff()


def passes(diffs: dict[int, FrameDiff], frames: int, *, otherwise: FrameDiff = STILL) -> dict[int, Rows]:
    """Return the rows by frame, at 25 fps. diffs: by frame."""
    scheduler, rows = FinePassScheduler(max_fps=5.0), {}
    for n in range(frames):
        scheduler.update(diffs.get(n, otherwise), n / 25)
        if found := scheduler.due_rows(n / 25):
            rows[n] = found
    return rows


def test_fine_pass_covers_a_resting_picture_once_part_by_part() -> None:
    rows = passes({0: EVERYTHING}, 200)
    assert list(rows) == [13, 18, 23]
    assert list(rows.values()) == [(0, 12), (8, 22), (18, 30)], "with a margin, so that no line is cut in two"


def test_fine_pass_ignores_what_keeps_moving() -> None:
    moves = diff(*((row, column) for row in range(ROWS) for column in range(COLUMNS)))
    assert passes({0: EVERYTHING}, 200, otherwise=moves) == {}


def test_fine_pass_covers_resting_rows_beside_motion() -> None:
    assert list(passes({0: EVERYTHING}, 60, otherwise=diff((15, 5))).values()) == [(0, 12), (8, 22), (18, 30)]


def test_fine_pass_repeats_rarely_for_what_changes_again_and_again() -> None:
    ticks = dict.fromkeys(range(25, 500, 25), diff((4, 2)))
    after = [n for n in passes({0: EVERYTHING} | ticks, 500) if n > 30]
    assert [b - a for a, b in pairwise(after)] == [100] * 3
    assert after[0] == 113, "four seconds after the first"


def test_fine_pass_follows_an_onset_as_soon_as_it_rests() -> None:
    rows = passes({0: EVERYTHING, 50: diff((20, 3), onset=True)}, 100)
    assert {n: part for n, part in rows.items() if n > 30} == {63: (18, 23)}


def test_reschedule_makes_a_cancelled_fine_pass_due_at_once() -> None:
    scheduler = FinePassScheduler(max_fps=5.0)
    scheduler.update(EVERYTHING, 0.0)
    scheduler.update(STILL, 1.0)
    assert scheduler.due_rows(1.0) == (0, 12)
    scheduler.reschedule()
    assert scheduler.due_rows(1.04) == (0, 12)
    assert scheduler.due_rows(1.08) is None, "not so soon"
    assert scheduler.due_rows(1.24) == (8, 22)


def test_fine_pass_restarts_at_another_frame_size() -> None:
    scheduler = FinePassScheduler(max_fps=5.0)
    scheduler.update(EVERYTHING, 0.0)
    scheduler.update(FrameDiff(np.ones((3, 2), dtype=bool), 1.0, True, np.ones(3, dtype=bool)), 1.0)
    assert scheduler.due_rows(1.4) is None
    assert scheduler.due_rows(1.5) == (0, 3)
