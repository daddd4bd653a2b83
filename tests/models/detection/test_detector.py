from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import bounding_box, from_flat, rectangle
from stream_ocr.core.messages import Detection
from stream_ocr.models.backends.torch import TorchEngine
from stream_ocr.models.detection.dbnet import MEAN, SCALE, DBNet
from stream_ocr.models.detection.detector import Detector, Normalisation, fit_canvas, sort_reading_order
from stream_ocr.models.devices import BackendChoice, pick_device

Box = tuple[int, int, int, int]


class BrightnessEngine:
    """Engine with a known answer: bright pixels are text; its map has half the size."""

    backend = BackendChoice("torch", "cpu", "fp32", 1, "for tests")

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, x: np.ndarray) -> np.ndarray:
        self.shapes.append(x.shape)
        return (x.mean(axis=1)[:, ::2, ::2] > 0.5).astype(np.float32)


def detector(**changes) -> Detector:
    values = {
        "long_side": 640,
        "bin_thresh": 0.3,
        "box_thresh": 0.5,
        "unclip_ratio": 0.0,
        "shrink": 0.6,
        "max_boxes": 100,
        "min_height_px": 6.0,
    }
    return Detector(BrightnessEngine(), Normalisation("rgb", (127.5,) * 3, (127.5,) * 3), **values | changes)


def frame(size: tuple[int, int], boxes: Sequence[Box] = (), yuv: tuple[int, int, int] = (16, 128, 128)) -> Frame:
    y = np.full((size[1], size[0]), yuv[0], dtype=np.uint8)
    for left, top, right, bottom in boxes:
        y[top:bottom, left:right] = 235
    u, v = (np.full(((size[1] + 1) // 2, (size[0] + 1) // 2), value, dtype=np.uint8) for value in yuv[1:])
    return Frame(y, u, v)


def boxes_of(regions: Sequence[Detection]) -> list[tuple[float, ...]]:
    return [bounding_box(from_flat(region.quad)) for region in regions]


@pytest.mark.parametrize(
    ("source", "long_side", "image", "canvas"),
    [
        ((1280, 720), 640, (640, 360), (640, 384)),
        ((1920, 1080), 1280, (1280, 720), (1280, 736)),
        ((1080, 1920), 640, (360, 640), (384, 640)),
        ((641, 361), 640, (640, 360), (640, 384)),
        ((320, 240), 960, (640, 480), (640, 480)),  # at most twice its size
        ((4000, 3), 640, (640, 1), (640, 32)),
    ],
)
def test_fit_canvas_keeps_the_aspect_on_a_canvas_of_multiples_of_32(source, long_side, image, canvas) -> None:
    layout = fit_canvas(source, long_side)
    assert (layout.image, layout.canvas) == (image, canvas)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (640, 360), (641, 363), (480, 854), (320, 200)])
def test_detect_returns_boxes_in_source_pixels(size: tuple[int, int]) -> None:
    width, height = size
    box = (width // 4, height // 3, width // 4 + width // 2, height // 3 + height // 12)
    (found,) = boxes_of(detector().detect([frame(size, [box])])[0])
    np.testing.assert_allclose(found, box, atol=2 * max(size) / 640 + 0.5)


def test_detect_unclips_boxes_within_the_frame() -> None:
    (found,) = boxes_of(detector(unclip_ratio=1.1).detect([frame((640, 360), [(0, 330, 200, 360)])])[0])
    assert found[0] == 0
    assert found[3] == 360
    assert found[1] < 325
    assert found[2] > 205


def test_detect_drops_specks_and_haze() -> None:
    assert detector().detect([frame((640, 360), [(100, 100, 200, 104)])]) == [[]]
    assert detector(min_height_px=2.0).detect([frame((640, 360), [(100, 100, 200, 104)])]) != [[]]
    assert detector().detect([frame((640, 360), [(50, 50, 600, 300)])]) == [[]]
    assert detector().detect([frame((640, 360))]) == [[]]


def test_detect_keeps_a_line_that_fills_a_small_frame() -> None:
    assert len(detector().detect([frame((200, 48), [(4, 4, 196, 44)])])[0]) == 1


def test_detect_batches_frames_of_one_size_without_changing_results() -> None:
    frames = [
        frame((640, 360), [(100, 100, 200, 130)]),
        frame((480, 480), [(50, 200, 300, 230)]),
        frame((640, 360)),
        frame((640, 360), [(300, 20, 400, 60), (10, 20, 100, 60)]),
    ]
    together = detector(max_batch=2)
    found = together.detect(frames)
    assert found == [detector().detect([each])[0] for each in frames]
    assert [len(regions) for regions in found] == [1, 1, 0, 2]
    assert together.engine.shapes == [(2, 3, 384, 640), (1, 3, 384, 640), (1, 3, 640, 640)]
    assert together.detect([]) == []


def test_detector_feeds_channels_in_the_order_of_the_network() -> None:
    red = frame((64, 64), yuv=(81, 90, 240))
    layout = fit_canvas((64, 64), 64)
    for order, first in (("rgb", 1.0), ("bgr", -1.0)):
        own = detector()
        own.normalisation = Normalisation(order, (127.5,) * 3, (127.5,) * 3)
        x_CHW = np.zeros((3, 64, 64), dtype=np.float32)
        own._fill_canvas(red, layout, x_CHW)
        np.testing.assert_allclose(x_CHW[0], first, atol=0.03)
        np.testing.assert_allclose(x_CHW[2], -first, atol=0.03)


def test_sort_reading_order_sorts_by_rows() -> None:
    quads = np.stack(
        [
            rectangle(300, 104, 50, 20),  # second row, right
            rectangle(10, 300, 50, 20),
            rectangle(10, 100, 50, 20),  # second row, left
            rectangle(200, 10, 50, 40),
        ]
    )
    assert sort_reading_order(quads, [0, 1, 2, 3]) == [3, 2, 0, 1]
    assert sort_reading_order(quads, [1, 0]) == [0, 1]
    assert sort_reading_order(quads, []) == []


def test_detector_runs_dbnet_end_to_end() -> None:
    engine = TorchEngine(DBNet("small"), pick_device("cpu", threads=1))
    assert engine.run(np.zeros((1, 3, 384, 640), dtype=np.float32)).shape == (1, 192, 320)
    untrained = detector(box_thresh=0.0, bin_thresh=0.1)
    untrained.engine, untrained.normalisation = engine, Normalisation("rgb", (MEAN,) * 3, (SCALE,) * 3)
    image = frame((640, 360), [(100, 100, 300, 140)])
    first, second = untrained.detect([image, image])
    assert first == second
    for left, top, right, bottom in boxes_of(first):
        assert 0 <= left < right <= 640
        assert 0 <= top < bottom <= 360


def test_detect_polygons_follows_curved_text() -> None:
    curved = frame((640, 360))
    cv2.ellipse(curved.y, (320, 330), (200, 200), 0, 215, 325, 235, 30)
    (polygon,) = detector().detect_polygons(curved)
    (region,) = detector().detect([curved])[0]
    area = cv2.contourArea(polygon.astype(np.float32))
    assert area == pytest.approx((curved.y > 200).sum(), rel=0.1)
    assert area < 0.6 * cv2.contourArea(from_flat(region.quad).astype(np.float32))
    assert cv2.pointPolygonTest(polygon.astype(np.float32), (320.0, 130.0), measureDist=False) > 0
    assert cv2.pointPolygonTest(polygon.astype(np.float32), (320.0, 200.0), measureDist=False) < 0


def test_detect_polygons_drops_specks() -> None:
    assert detector(min_height_px=20).detect_polygons(frame((640, 360), [(100, 100, 200, 112)])) == []


def test_detect_coarse_runs_at_half_the_size() -> None:
    own = detector()
    sample = frame((640, 360), [(100, 100, 300, 140)])
    (coarse,), (full,) = boxes_of(own.detect_coarse([sample])[0]), boxes_of(own.detect([sample])[0])
    assert coarse == pytest.approx(full, abs=8)
    assert own.engine.shapes == [(1, 3, 192, 320), (1, 3, 384, 640)]


def test_detect_fine_runs_at_twice_the_size_and_returns_small_text_only() -> None:
    own = detector(long_side=320)
    sample = frame((1280, 720), [(100, 100, 300, 140), (100, 300, 500, 420)])
    assert len(own.detect([sample])[0]) == 2
    (small,) = boxes_of(own.detect_fine([sample])[0])
    assert small == pytest.approx((100, 100, 300, 140), abs=8)
    assert own.engine.shapes == [(1, 3, 192, 320), (1, 3, 384, 640)]


def test_detect_fine_does_not_enlarge_the_frame() -> None:
    own = detector(long_side=640)
    own.detect_fine([frame((640, 96), [])])
    assert own.engine.shapes == [(1, 3, 96, 640)]
