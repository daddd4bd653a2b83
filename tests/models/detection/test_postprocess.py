import cv2
import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.evaluation.detection_metrics import iou
from stream_ocr.models.detection.postprocess import find_boxes, find_polygons, unclip_distance
from stream_ocr.training.targets import make_targets


def rotated(quad: np.ndarray, degrees: float) -> np.ndarray:
    centre, angle = quad.mean(axis=0), np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (quad - centre) @ matrix + centre


def kernels_of(*quads: np.ndarray, size: tuple[int, int] = (640, 384)) -> np.ndarray:
    return make_targets(np.array(quads), size, shrink=0.6).kernel * 0.9


def test_unclip_distance_is_the_exact_inverse_of_the_shrinking() -> None:
    sizes = np.array([[400.0, 12.0], [60.0, 60.0], [30.0, 90.0], [9.0, 7.0]])
    shrunken_by = sizes.prod(axis=1) * (1 - 0.6**2) / (2 * sizes.sum(axis=1))
    kernels = sizes - 2 * shrunken_by[:, None]
    np.testing.assert_allclose(unclip_distance(kernels, 0.6), shrunken_by, rtol=1e-9)


@pytest.mark.parametrize("degrees", [0, -5, 12, -30, 44, 60])
@pytest.mark.parametrize(("width", "height"), [(220, 24), (200, 60), (40, 12)])
def test_find_boxes_recovers_the_quads_behind_training_targets(width: float, height: float, degrees: float) -> None:
    quad = rotated(rectangle(210, 180, width, height), degrees)
    ((found, score),) = find_boxes(kernels_of(quad), unclip_ratio=1.0)
    assert score == pytest.approx(0.9, abs=1e-3)
    assert iou(found * 2, quad) > {60: 0.9, 24: 0.8, 12: 0.65}[height]  # the map knows two pixels as one
    assert np.abs(found * 2 - quad).max() < 4


def test_find_boxes_returns_the_best_max_boxes() -> None:
    p_HW = kernels_of(rectangle(20, 20, 200, 30), rectangle(20, 80, 200, 30), rectangle(20, 140, 200, 30))
    p_HW[35:50] *= 0.9
    boxes = find_boxes(p_HW, max_boxes=2)
    assert len(boxes) == 2
    assert all(score == pytest.approx(0.9, abs=1e-3) for _, score in boxes)


def test_find_boxes_drops_boxes_below_box_thresh() -> None:
    p_HW = kernels_of(rectangle(20, 20, 200, 30)) * 0.6
    assert find_boxes(p_HW, box_thresh=0.6) == []
    assert len(find_boxes(p_HW, box_thresh=0.5)) == 1


def test_find_boxes_finds_text_inside_a_rectangle_but_not_the_rectangle() -> None:
    p_HW = kernels_of(rectangle(120, 100, 200, 30))
    cv2.rectangle(p_HW, (20, 20), (250, 150), 0.9, 3)
    ((quad, _),) = find_boxes(p_HW)
    assert quad[:, 0].max() < 170


@pytest.mark.parametrize("find", [find_boxes, find_polygons])
def test_find_functions_accept_degenerate_maps(find) -> None:  # type: ignore[no-untyped-def]
    assert find(np.zeros((0, 0), np.float32)) == []
    assert find(np.zeros((40, 60), np.float32)) == []
    dot = np.zeros((40, 60), np.float32)
    dot[10, 10] = 1
    assert find(dot) == []
    row = np.zeros((40, 60), np.float32)
    row[10, 5:50] = 1
    assert find(row) == []
    ((everything, _),) = find(np.ones((40, 60), np.float32))
    assert np.isfinite(everything).all()
    assert all(np.isfinite(quad).all() for quad, _ in find(np.full((40, 60), np.nan, np.float32)))


def test_find_boxes_bounds_ten_thousand_specks() -> None:
    p_HW = np.zeros((400, 400), np.float32)
    for y, x in ((y, x) for y in range(3) for x in range(3)):
        p_HW[y::4, x::4] = 0.9
    assert len(find_boxes(p_HW, max_boxes=300)) == 300


def test_find_boxes_keeps_fifty_lines_apart() -> None:
    lines = [rectangle(30 + 240 * (i % 5), 20 + 70 * (i // 5), 150, 28) for i in range(50)]
    assert len(find_boxes(kernels_of(*lines, size=(1280, 736)))) == 50


def test_find_polygons_follows_curved_text() -> None:
    p_HW = np.zeros((200, 300), np.float32)
    cv2.ellipse(p_HW, (150, 180), (110, 110), 0, 200, 340, 0.9, 10)
    ((polygon, score),) = find_polygons(p_HW)
    assert score > 0.8
    assert len(polygon) > 6
    bent = cv2.contourArea(polygon.astype(np.float32))
    ((quad, _),) = find_boxes(p_HW)
    assert 110 * np.deg2rad(140) * 10 < bent < 0.7 * cv2.contourArea(quad.astype(np.float32))


def test_find_polygons_returns_the_quad_of_a_straight_line() -> None:
    line = rectangle(100, 100, 200, 30)
    ((polygon, _),) = find_polygons(kernels_of(line), unclip_ratio=1.0)
    hull = cv2.boxPoints(cv2.minAreaRect((polygon * 2).astype(np.float32)))
    assert iou(hull, line) > 0.85
