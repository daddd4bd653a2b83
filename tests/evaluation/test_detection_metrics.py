import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.evaluation.detection_metrics import Tally, by_deteval, by_iou, heights, iou

WORDS = [rectangle(0, 0, 40, 20), rectangle(50, 0, 60, 20), rectangle(0, 100, 80, 20)]
LINE = rectangle(0, 0, 110, 20)


def test_iou_of_known_overlaps() -> None:
    a = rectangle(0, 0, 10, 10)
    assert iou(a, a) == pytest.approx(1)
    assert iou(a, a + np.array([5, 0])) == pytest.approx(1 / 3, abs=1e-4)
    assert iou(a, a + np.array([20, 0])) == 0
    assert iou(a, np.zeros((4, 2))) == 0


def test_each_quad_is_paired_once_best_first() -> None:
    truth = [rectangle(0, 0, 100, 20), rectangle(0, 40, 100, 20)]
    found = [truth[0] + [10, 0], truth[0] + [2, 0], rectangle(300, 300, 50, 20)]
    assert by_iou(found, truth) == Tally(1, 3, 1, 2)
    assert by_iou([], truth) == Tally(0, 0, 0, 2)
    assert by_iou(found, []) == Tally(0, 3, 0, 0)


@pytest.mark.parametrize("rule", [by_iou, by_deteval])
def test_truth_that_is_nobodys_business_is_neither_missed_nor_a_false_alarm(rule) -> None:
    cares = [True, False, False]
    assert rule(WORDS, WORDS, cares) == Tally(1, 1, 1, 1)
    assert rule([WORDS[0]], WORDS, cares) == Tally(1, 1, 1, 1)
    assert rule([WORDS[1]], WORDS, cares) == Tally(0, 0, 0, 1)
    far = rectangle(300, 300, 50, 20)
    assert rule([far], WORDS, cares) == Tally(0, 1, 0, 1)


@pytest.mark.parametrize("rule", [by_iou, by_deteval])
def test_nothing_to_find_and_nothing_found(rule) -> None:
    assert rule([], []) == Tally()
    assert rule([], []).f == 1
    assert rule(WORDS, []).f == rule([], WORDS).f == 0


def test_heights_are_those_of_the_shorter_ends() -> None:
    assert heights([rectangle(0, 0, 100, 7), rectangle(3, 3, 4, 50)]).tolist() == [7, 50]


# DetEval by hand: 0.8 of the true area, 0.4 of the found one.


def test_one_to_one_by_areas() -> None:
    truth = rectangle(0, 0, 100, 20)
    assert by_deteval([rectangle(0, 0, 80, 20)], [truth]) == Tally(1, 1, 1, 1)  # recalls 0.8
    assert by_deteval([rectangle(0, 0, 79, 20)], [truth]) == Tally(0, 1, 0, 1)
    assert by_deteval([rectangle(0, 0, 100, 50)], [truth]) == Tally(1, 1, 1, 1)  # precise to 0.4
    assert by_deteval([rectangle(0, 0, 100, 51)], [truth]) == Tally(0, 1, 0, 1)


def test_words_found_as_one_line_all_count() -> None:
    words = [rectangle(0, 0, 35, 20), rectangle(40, 0, 35, 20), rectangle(80, 0, 30, 20)]
    assert by_deteval([LINE], [*words, WORDS[2]]) == Tally(1, 1, 3, 4)
    tall = rectangle(0, 0, 110, 60)  # together the words fill less than 0.4 of it
    assert by_deteval([tall], words) == Tally(0, 1, 0, 3)


def test_a_line_that_fits_one_of_its_words_counts_for_that_one() -> None:
    # As in ICDAR's own program: the longer word, 60 of 110 pixels, is a pair before words are gathered.
    assert by_deteval([LINE], WORDS) == Tally(1, 1, 1, 3)
    assert by_iou([LINE], WORDS) == Tally(1, 1, 1, 3)


def test_a_line_found_in_pieces_counts_for_less() -> None:
    pieces = WORDS[:2]  # 100 of 110 pixels
    assert by_deteval(pieces, [LINE]) == Tally(1.6, 2, 0.8, 1)
    assert by_deteval([*pieces, rectangle(300, 300, 9, 9)], [LINE]) == Tally(1.6, 3, 0.8, 1)
    assert by_deteval([WORDS[1]], [LINE]) == Tally(0, 1, 0, 1)


def test_a_pair_is_taken_before_pieces_are_gathered() -> None:
    assert by_deteval([LINE, rectangle(10, 5, 20, 5)], [LINE]) == Tally(1, 2, 1, 1)


def test_two_that_fit_one_truth_are_pieces_of_it() -> None:
    # As in ICDAR's own program: neither is the only one that fits, so together they are a split.
    assert by_deteval([LINE, LINE + [0, 1]], [LINE]) == Tally(1.6, 2, 0.8, 1)


def test_turned_quads_are_measured_as_they_lie() -> None:
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    halves = [rectangle(0, 0, 50, 20), rectangle(60, 0, 50, 20)]
    assert by_deteval([LINE @ turn], [half @ turn for half in halves]) == Tally(1, 1, 2, 2)
    upright = rectangle(*(LINE @ turn).min(axis=0), *np.ptp(LINE @ turn, axis=0))
    assert by_deteval([upright], [LINE @ turn]) == Tally(0, 1, 0, 1)
