"""Detection schedule: which frames and rows the detector gets."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from stream_ocr.gating.change_detection import FrameDiff
from stream_ocr.gating.detection_schedule import DetectionSchedule, Rows


def diff(fraction: float, *, cut: bool = False, onset: bool = False) -> FrameDiff:
    return FrameDiff(np.full((1, 1), fraction > 0), fraction, cut, np.array([onset]))


STILL, MOVED = diff(0), diff(0.2)
NEW, CUT = diff(0.2, onset=True), diff(1, cut=True, onset=True)


def runs(diffs: Iterable[FrameDiff], fps: int = 25) -> list[int]:
    """Return the frames at which the detector runs."""
    schedule = DetectionSchedule(2.0, 5.0)
    return [n for n, item in enumerate(diffs) if schedule.decide(item, n / fps)[0] in ("detect_coarse", "detect")]


@pytest.mark.parametrize("fps", [24, 25, 50, 60])
@pytest.mark.parametrize(("item", "interval_s"), [(MOVED, 0.5), (NEW, 0.2)])
def test_schedule_runs_at_idle_fps_for_motion_and_at_max_fps_for_onsets(
    fps: int, item: FrameDiff, interval_s: float
) -> None:
    seen = [n / fps for n in runs([item] * (10 * fps), fps)]
    assert seen[0] == 0
    settled = [b - a for a, b in pairwise(seen[4:])]  # after the credit is spent
    assert interval_s - 1 / fps < min(settled) <= max(settled) < interval_s + 1 / fps
    assert np.mean(settled) >= interval_s - 1e-3


def test_schedule_accepts_negative_media_time() -> None:
    schedule = DetectionSchedule(2.0, 5.0)
    seen = [n for n in range(50) if schedule.decide(NEW, n / 25 - 7.0)[0] == "detect"]
    assert seen == [0, 1, 2, *range(5, 50, 5)]


def test_schedule_runs_at_once_for_each_of_a_few_texts_in_quick_succession() -> None:
    words = [NEW if n % 3 == 0 else STILL for n in range(12)]  # at 15 fps: a word every 0.2 s
    assert {0, 3, 6, 9} <= set(runs(words, fps=15))


def test_schedule_never_exceeds_max_fps_on_average() -> None:
    assert len(runs([NEW] * 1000, fps=50)) <= 5.0 * 20 + 3


def test_schedule_runs_twice_after_an_onset() -> None:
    diffs = [MOVED] * 60
    diffs[30] = NEW
    seen = runs(diffs)
    assert [n for n in seen if 30 <= n < 45] == [30, 35] or [n for n in seen if 30 <= n < 45] == [31, 36]


@pytest.mark.parametrize("frame", range(40, 66))
def test_schedule_confirms_an_onset_soon_whenever_the_full_pass_is_due(frame: int) -> None:
    """Rows 2 and 3 of 40 show a new text that moves, in a picture that moves everywhere."""
    schedule, seen = DetectionSchedule(2.0, 5.0), []
    moved = FrameDiff(np.ones((40, 1), dtype=bool), 1.0, False, np.zeros(40, dtype=bool))
    onset = moved.onset.copy()
    onset[2:4] = True
    for n in range(frame + 10):
        action, rows = schedule.decide(replace(moved, onset=onset) if n == frame else moved, n / 25)
        if action == "detect" and n >= frame:
            assert rows is not None
            seen.append((n - frame, rows[0] <= 2 <= 4 <= rows[1]))
    covering = [n for n, covers in seen if covers]
    apart = [(a, b) for a, b in combinations(covering, 2) if b - a >= 5 and b <= 6]
    assert apart, f"no two runs at least 0.2 s apart show the text within 0.24 s: {seen}"


def test_schedule_runs_at_once_on_a_cut() -> None:
    assert runs([MOVED, MOVED, CUT, MOVED, MOVED]) == [0, 2]


def test_schedule_skips_a_still_picture() -> None:
    schedule = DetectionSchedule(2.0, 5.0)
    schedule.decide(CUT, 0.0)
    assert {schedule.decide(STILL, n / 25)[0] for n in range(1, 100)} == {"skip"}


def test_schedule_runs_at_once_when_a_still_picture_moves() -> None:
    assert runs([CUT, *[STILL] * 20, MOVED, STILL]) == [0, 21]


def test_schedule_keeps_an_early_change_pending_though_the_picture_is_still_again() -> None:
    assert runs([CUT, STILL, MOVED, *[STILL] * 20]) == [0, 5]


ROWS = 20


def moved(*rows: int, new: Sequence[int] = ()) -> FrameDiff:
    """Return a diff with some changed rows of tiles; ``new``: those in which something appeared."""
    mask = np.zeros((ROWS, 3), dtype=bool)
    mask[list(rows), 1] = True
    onset = np.zeros(ROWS, dtype=bool)
    onset[list(new)] = True
    return FrameDiff(mask, float(mask.mean()), False, onset)


NOTHING, EVERYTHING = moved(), moved(*range(ROWS))


def bands(diffs: Iterable[FrameDiff]) -> dict[int, Rows]:
    """Return the rows that the detector gets, by frame."""
    schedule, seen = DetectionSchedule(2.0, 5.0), {}
    for n, item in enumerate(diffs):
        action, rows = schedule.decide(item, n / 25)
        if action in ("detect_coarse", "detect"):
            assert rows is not None
            seen[n] = rows
    return seen


def test_schedule_selects_the_band_around_a_small_change() -> None:
    clock = [moved(1) if n % 25 == 0 else NOTHING for n in range(1, 60)]
    assert bands([EVERYTHING, *clock]) == {0: (0, ROWS), 25: (0, 4), 50: (0, 4)}


def test_schedule_adds_bands_for_onsets_to_the_full_passes_over_film() -> None:
    film = [EVERYTHING] * 40
    film[24] = moved(*range(ROWS), new=[15, 16])
    seen = bands(film)
    assert {n: rows for n, rows in seen.items() if rows == (0, ROWS)}.keys() == {0, 5, 18, 31}
    assert {n: rows for n, rows in seen.items() if rows != (0, ROWS)} == {24: (13, 19), 29: (13, 19)}


def test_schedule_selects_all_rows_for_scattered_changes() -> None:
    assert bands([EVERYTHING, *[NOTHING] * 20, moved(2, 17)])[21] == (0, ROWS)


def test_reschedule_makes_a_cancelled_run_due_at_once() -> None:
    schedule = DetectionSchedule(2.0, 5.0)
    schedule.decide(EVERYTHING, 0.0)
    schedule.decide(NOTHING, 0.5)
    assert schedule.decide(moved(9), 1.0) == ("detect", (7, 12))
    schedule.reschedule()
    assert schedule.decide(NOTHING, 1.04) == ("detect", (0, ROWS))


def test_schedule_alternates_three_coarse_passes_and_a_full_one_for_motion_only() -> None:
    schedule = DetectionSchedule(2.0, 5.0)
    seen = [schedule.decide(MOVED, n / 25)[0] for n in range(125)]
    four = ["detect_coarse", "detect_coarse", "detect_coarse", "detect"]
    assert [action for action in seen if action != "track"] == ["detect", "detect", *four, *four, "detect_coarse"]
    schedule.decide(NEW, 5.0)
    assert [action for action in (schedule.decide(MOVED, 5.2 + n / 25)[0] for n in range(6)) if action != "track"] == [
        "detect"
    ]


def test_all_rows_pending_is_true_once_the_next_run_covers_everything() -> None:
    schedule = DetectionSchedule(2, 10)
    assert not schedule.all_rows_pending
    schedule.decide(EVERYTHING, 0.0)
    assert not schedule.all_rows_pending, "it has just run"
    schedule.decide(moved(5), 0.04)
    assert not schedule.all_rows_pending
    schedule.decide(EVERYTHING, 0.08)
    assert schedule.all_rows_pending
