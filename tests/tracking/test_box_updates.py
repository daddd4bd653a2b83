"""Hysteresis of boxes: what single detections do to the box of a track."""

import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.tracking.box_updates import BoxHysteresis, BoxUpdate

BOX = rectangle(100, 100, 200, 20)
LONGER = rectangle(100, 100, 280, 20)
LETTER_LONGER = rectangle(100, 100, 210, 20)
SHORTER = rectangle(100, 100, 120, 20)
SHIFTED = BOX + [0, 4]


def update(hysteresis: BoxHysteresis, detected: np.ndarray, *, fine: bool = False, confirmed: bool = True) -> BoxUpdate:
    return hysteresis.update(BOX, detected, fine=fine, leaving=False, confirmed=confirmed, entering=False)


@pytest.mark.parametrize("detected", [BOX, BOX + [1, 1], SHORTER, SHIFTED, rectangle(100, 100, 204, 20)])
def test_box_hysteresis_keeps_the_box_after_one_detection(detected: np.ndarray) -> None:
    assert update(BoxHysteresis(fine=False), detected) is BoxUpdate.KEEP


def test_box_hysteresis_resizes_a_box_that_is_much_longer_at_once() -> None:
    assert update(BoxHysteresis(fine=False), LONGER) is BoxUpdate.RESIZE


def test_box_hysteresis_resizes_by_a_letter_after_two_detections() -> None:
    hysteresis = BoxHysteresis(fine=False)
    assert update(hysteresis, LETTER_LONGER) is BoxUpdate.RESIZE_IF_CALM
    assert update(hysteresis, LETTER_LONGER) is BoxUpdate.RESIZE


def test_box_hysteresis_shortens_a_box_after_three_detections() -> None:
    hysteresis = BoxHysteresis(fine=False)
    assert [update(hysteresis, SHORTER) for _ in range(3)] == [BoxUpdate.KEEP, BoxUpdate.KEEP, BoxUpdate.RESIZE]


def test_box_hysteresis_corrects_a_box_after_two_detections_elsewhere() -> None:
    hysteresis = BoxHysteresis(fine=False)
    assert [update(hysteresis, SHIFTED) for _ in range(2)] == [BoxUpdate.KEEP, BoxUpdate.CORRECT]
    assert update(BoxHysteresis(fine=False), SHIFTED, confirmed=False) is BoxUpdate.CORRECT


def test_box_hysteresis_restarts_an_unconfirmed_track_that_grows() -> None:
    assert update(BoxHysteresis(fine=False), LONGER, confirmed=False) is BoxUpdate.RESTART


def test_box_hysteresis_prefers_boxes_of_fine_detection() -> None:
    hysteresis = BoxHysteresis(fine=False)
    assert update(hysteresis, LONGER, fine=True) is BoxUpdate.REPLACE
    assert update(hysteresis, LONGER) is BoxUpdate.KEEP


def test_box_hysteresis_reset_forgets_earlier_detections() -> None:
    hysteresis = BoxHysteresis(fine=False)
    update(hysteresis, SHORTER)
    update(hysteresis, SHORTER)
    hysteresis.reset()
    assert update(hysteresis, SHORTER) is BoxUpdate.KEEP
