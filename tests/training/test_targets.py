import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.training.targets import make_targets
from stream_ocr.training.thresholds import TARGETS

LOW, HIGH = TARGETS.threshold_low, TARGETS.threshold_high


def test_targets_shrink_a_rectangle_by_area_over_perimeter() -> None:
    targets = make_targets(rectangle(40, 40, 160, 80)[None], (256, 192), shrink=0.6, stride=1)
    distance = 160 * 80 * (1 - 0.36) / 480
    rows, columns = np.nonzero(targets.kernel)
    np.testing.assert_allclose([columns.min(), columns.max() + 1], [40 + distance, 200 - distance], atol=0.6)
    np.testing.assert_allclose([rows.min(), rows.max() + 1], [40 + distance, 120 - distance], atol=0.6)
    assert targets.kernel.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)


def test_threshold_target_is_highest_on_the_outline() -> None:
    targets = make_targets(rectangle(40, 40, 160, 80)[None], (256, 192), shrink=0.6, stride=1)
    distance = 160 * 80 * (1 - 0.36) / 480
    column = targets.threshold[:, 120]
    assert column[39:41].min() > HIGH - 0.02
    assert column[39 - round(distance / 2)] == pytest.approx((LOW + HIGH) / 2, abs=0.03)
    assert column[40 + round(distance / 2)] == pytest.approx((LOW + HIGH) / 2, abs=0.03)
    assert targets.threshold.min() == pytest.approx(LOW)
    assert targets.threshold.max() <= HIGH
    assert targets.band[80, 120] == 0
    assert targets.band[39, 120] == 1
    assert targets.band[5, 120] == 0


def test_targets_have_the_resolution_of_the_net() -> None:
    targets = make_targets(rectangle(40, 40, 160, 80)[None], (256, 192), shrink=0.6, stride=2)
    assert all(m.shape == (96, 128) for m in (targets.kernel, targets.care, targets.threshold, targets.band))
    assert targets.kernel[40, 60] == 1


def test_targets_mask_lines_that_are_too_low() -> None:
    targets = make_targets(rectangle(40, 40, 100, 5)[None], (256, 192), shrink=0.6)
    assert targets.kernel.sum() == 0
    assert targets.care[21, 40] == 0
    assert targets.care[60, 60] == 1


def test_targets_keep_a_kernel_beside_a_masked_line() -> None:
    quads = np.stack([rectangle(40, 40, 100, 40), rectangle(40, 58, 100, 4)])
    targets = make_targets(quads, (256, 192), shrink=0.6)
    assert targets.care[targets.kernel > 0].all()


def test_targets_accept_rotated_quads_and_quads_outside_the_image() -> None:
    turned = np.array([[100.0, 40.0], [160.0, 100.0], [140.0, 120.0], [80.0, 60.0]])
    outside = np.stack([turned + 500, rectangle(-60, 100, 100, 40), rectangle(-300, -300, 20, 20)])
    kernel = make_targets(np.concatenate([turned[None], outside]), (256, 192), shrink=0.6).kernel
    assert kernel[40, 60] == 1
    assert kernel[60, 0] == 1
    assert kernel[70:].sum() == 0


def test_targets_are_empty_without_lines_and_for_degenerate_ones() -> None:
    point, crossed = np.full((4, 2), 30.0), rectangle(10, 10, 30, 20)[::-1]
    for quads in (np.zeros((0, 4, 2)), np.stack([point, crossed])):
        targets = make_targets(quads, (64, 64), shrink=0.6)
        assert targets.kernel.sum() == targets.band.sum() == 0
        assert targets.care.all()
