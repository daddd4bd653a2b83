import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.evaluation.detection_metrics import DetectionCounts, heights, iou, match_deteval, match_iou

WORDS = [rectangle(0, 0, 40, 20), rectangle(50, 0, 60, 20), rectangle(0, 100, 80, 20)]
LINE = rectangle(0, 0, 110, 20)


def test_iou_of_known_overlaps() -> None:
    a = rectangle(0, 0, 10, 10)
    assert iou(a, a) == pytest.approx(1)
    assert iou(a, a + np.array([5, 0])) == pytest.approx(1 / 3, abs=1e-4)
    assert iou(a, a + np.array([20, 0])) == 0
    assert iou(a, np.zeros((4, 2))) == 0


def test_match_iou_matches_each_quad_once_best_first() -> None:
    truth = [rectangle(0, 0, 100, 20), rectangle(0, 40, 100, 20)]
    detected = [truth[0] + [10, 0], truth[0] + [2, 0], rectangle(300, 300, 50, 20)]
    assert match_iou(detected, truth) == DetectionCounts(1, 3, 1, 2)
    assert match_iou([], truth) == DetectionCounts(0, 0, 0, 2)
    assert match_iou(detected, []) == DetectionCounts(0, 3, 0, 0)


@pytest.mark.parametrize("rule", [match_iou, match_deteval])
def test_dont_care_truth_is_neither_missed_nor_a_false_positive(rule) -> None:
    cares = [True, False, False]
    assert rule(WORDS, WORDS, cares) == DetectionCounts(1, 1, 1, 1)
    assert rule([WORDS[0]], WORDS, cares) == DetectionCounts(1, 1, 1, 1)
    assert rule([WORDS[1]], WORDS, cares) == DetectionCounts(0, 0, 0, 1)
    far = rectangle(300, 300, 50, 20)
    assert rule([far], WORDS, cares) == DetectionCounts(0, 1, 0, 1)


@pytest.mark.parametrize("rule", [match_iou, match_deteval])
def test_empty_truth_and_empty_detections(rule) -> None:
    assert rule([], []) == DetectionCounts()
    assert rule([], []).f == 1
    assert rule(WORDS, []).f == rule([], WORDS).f == 0


def test_heights_returns_the_shorter_ends() -> None:
    assert heights([rectangle(0, 0, 100, 7), rectangle(3, 3, 4, 50)]).tolist() == [7, 50]


# DetEval by hand: 0.8 of the true area, 0.4 of the found one.


def test_match_deteval_matches_one_to_one_by_areas() -> None:
    truth = rectangle(0, 0, 100, 20)
    assert match_deteval([rectangle(0, 0, 80, 20)], [truth]) == DetectionCounts(1, 1, 1, 1)  # recalls 0.8
    assert match_deteval([rectangle(0, 0, 79, 20)], [truth]) == DetectionCounts(0, 1, 0, 1)
    assert match_deteval([rectangle(0, 0, 100, 50)], [truth]) == DetectionCounts(1, 1, 1, 1)  # precise to 0.4
    assert match_deteval([rectangle(0, 0, 100, 51)], [truth]) == DetectionCounts(0, 1, 0, 1)


def test_match_deteval_counts_all_words_detected_as_one_line() -> None:
    words = [rectangle(0, 0, 35, 20), rectangle(40, 0, 35, 20), rectangle(80, 0, 30, 20)]
    assert match_deteval([LINE], [*words, WORDS[2]]) == DetectionCounts(1, 1, 3, 4)
    tall = rectangle(0, 0, 110, 60)  # together the words fill less than 0.4 of it
    assert match_deteval([tall], words) == DetectionCounts(0, 1, 0, 3)


def test_match_deteval_matches_a_line_to_the_word_that_fits_it() -> None:
    # As in ICDAR's own program: the longer word, 60 of 110 pixels, is matched before words are merged.
    assert match_deteval([LINE], WORDS) == DetectionCounts(1, 1, 1, 3)
    assert match_iou([LINE], WORDS) == DetectionCounts(1, 1, 1, 3)


def test_match_deteval_gives_less_credit_for_pieces() -> None:
    pieces = WORDS[:2]  # 100 of 110 pixels
    assert match_deteval(pieces, [LINE]) == DetectionCounts(1.6, 2, 0.8, 1)
    assert match_deteval([*pieces, rectangle(300, 300, 9, 9)], [LINE]) == DetectionCounts(1.6, 3, 0.8, 1)
    assert match_deteval([WORDS[1]], [LINE]) == DetectionCounts(0, 1, 0, 1)


def test_match_deteval_takes_a_pair_before_pieces() -> None:
    assert match_deteval([LINE, rectangle(10, 5, 20, 5)], [LINE]) == DetectionCounts(1, 2, 1, 1)


def test_match_deteval_takes_two_fitting_detections_as_pieces() -> None:
    # As in ICDAR's own program: neither is the only one that fits, so together they are a split.
    assert match_deteval([LINE, LINE + [0, 1]], [LINE]) == DetectionCounts(1.6, 2, 0.8, 1)


def test_match_deteval_measures_rotated_quads() -> None:
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    halves = [rectangle(0, 0, 50, 20), rectangle(60, 0, 50, 20)]
    assert match_deteval([LINE @ turn], [half @ turn for half in halves]) == DetectionCounts(1, 1, 2, 2)
    upright = rectangle(*(LINE @ turn).min(axis=0), *np.ptp(LINE @ turn, axis=0))
    assert match_deteval([upright], [LINE @ turn]) == DetectionCounts(0, 1, 0, 1)
