from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import bounds, rectangle, unflat
from stream_ocr.core.messages import Detection
from stream_ocr.models.backends.base import TorchEngine
from stream_ocr.models.detection.dbnet import MEAN, SCALE, DBNet
from stream_ocr.models.detection.detector import Detector, Normalisation, in_reading_order, lay_out, picture_of
from stream_ocr.models.devices import Picked, pick_device

Box = tuple[int, int, int, int]


class BrightIsText:
    """An engine for pictures of which the exact answer is known, with a map of half the size."""

    picked = Picked("torch", "cpu", "fp32", 1, "for tests")

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, x: np.ndarray) -> np.ndarray:
        self.shapes.append(x.shape)
        return (x.mean(axis=1)[:, ::2, ::2] > 0.5).astype(np.float32)


def detector(**changes) -> Detector:
    values = {
        "long_side": 640,
        "binarise": 0.3,
        "score": 0.5,
        "unclip": 0.0,
        "shrink": 0.6,
        "max_boxes": 100,
        "min_height_px": 6.0,
    }
    return Detector(BrightIsText(), Normalisation("rgb", (127.5,) * 3, (127.5,) * 3), **values | changes)


def frame(size: tuple[int, int], boxes: Sequence[Box] = (), yuv: tuple[int, int, int] = (16, 128, 128)) -> Frame:
    y = np.full((size[1], size[0]), yuv[0], dtype=np.uint8)
    for left, top, right, bottom in boxes:
        y[top:bottom, left:right] = 235
    u, v = (np.full(((size[1] + 1) // 2, (size[0] + 1) // 2), value, dtype=np.uint8) for value in yuv[1:])
    return Frame(y, u, v)


def boxes_of(regions: Sequence[Detection]) -> list[tuple[float, ...]]:
    return [bounds(unflat(region.quad)) for region in regions]


@pytest.mark.parametrize(
    ("source", "long_side", "picture", "canvas"),
    [
        ((1280, 720), 640, (640, 360), (640, 384)),
        ((1920, 1080), 1280, (1280, 720), (1280, 736)),
        ((1080, 1920), 640, (360, 640), (384, 640)),
        ((641, 361), 640, (640, 360), (640, 384)),
        ((320, 240), 960, (640, 480), (640, 480)),  # at most twice its size
        ((4000, 3), 640, (640, 1), (640, 32)),
    ],
)
def test_pictures_keep_their_aspect_on_a_canvas_of_multiples_of_32(source, long_side, picture, canvas) -> None:
    layout = lay_out(source, long_side)
    assert (layout.picture, layout.canvas) == (picture, canvas)


@pytest.mark.parametrize(
    ("yuv", "height", "full_range", "rgb"),
    [
        ((81, 90, 240), 360, False, (255, 0, 0)),  # BT.601, limited range
        ((145, 54, 34), 360, False, (0, 255, 0)),
        ((63, 102, 240), 720, False, (255, 0, 0)),  # BT.709
        ((32, 240, 118), 720, False, (0, 0, 255)),
        ((16, 128, 128), 360, False, (0, 0, 0)),
        ((235, 128, 128), 720, False, (255, 255, 255)),
        ((76, 85, 255), 360, True, (254, 0, 0)),
        ((235, 128, 128), 360, True, (235, 235, 235)),
    ],
)
def test_colours_are_those_of_the_standard(yuv, height, full_range, rgb) -> None:
    plain = frame((2 * height, height), yuv=yuv)
    picture = picture_of(Frame(plain.y, plain.u, plain.v, full_range=full_range), (96, 48))
    assert picture.shape == (48, 96, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_allclose(picture.reshape(-1, 3), np.tile(rgb, (48 * 96, 1)), atol=2)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (640, 360), (641, 363), (480, 854), (320, 200)])
def test_boxes_come_back_in_pixels_of_the_source(size: tuple[int, int]) -> None:
    width, height = size
    box = (width // 4, height // 3, width // 4 + width // 2, height // 3 + height // 12)
    (found,) = boxes_of(detector().detect([frame(size, [box])])[0])
    np.testing.assert_allclose(found, box, atol=2 * max(size) / 640 + 0.5)


def test_regions_grow_but_not_beyond_the_frame() -> None:
    (found,) = boxes_of(detector(unclip=1.1).detect([frame((640, 360), [(0, 330, 200, 360)])])[0])
    assert found[0] == 0
    assert found[3] == 360
    assert found[1] < 325
    assert found[2] > 205


def test_specks_and_haze_are_no_text() -> None:
    assert detector().detect([frame((640, 360), [(100, 100, 200, 104)])]) == [[]]
    assert detector(min_height_px=2.0).detect([frame((640, 360), [(100, 100, 200, 104)])]) != [[]]
    assert detector().detect([frame((640, 360), [(50, 50, 600, 300)])]) == [[]]
    assert detector().detect([frame((640, 360))]) == [[]]


def test_a_line_may_fill_a_small_picture() -> None:
    assert len(detector().detect([frame((200, 48), [(4, 4, 196, 44)])])[0]) == 1


def test_frames_of_one_size_share_a_batch_and_company_changes_nothing() -> None:
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


def test_a_network_gets_the_channels_in_its_own_order() -> None:
    red = frame((64, 64), yuv=(81, 90, 240))
    layout = lay_out((64, 64), 64)
    for order, first in (("rgb", 1.0), ("bgr", -1.0)):
        own = detector()
        own.normalisation = Normalisation(order, (127.5,) * 3, (127.5,) * 3)
        x_CHW = np.zeros((3, 64, 64), dtype=np.float32)
        own._lay(red, layout, x_CHW)
        np.testing.assert_allclose(x_CHW[0], first, atol=0.03)
        np.testing.assert_allclose(x_CHW[2], -first, atol=0.03)


def test_reading_order_is_by_rows() -> None:
    quads = np.stack(
        [
            rectangle(300, 104, 50, 20),  # second row, right
            rectangle(10, 300, 50, 20),
            rectangle(10, 100, 50, 20),  # second row, left
            rectangle(200, 10, 50, 40),
        ]
    )
    assert in_reading_order(quads, [0, 1, 2, 3]) == [3, 2, 0, 1]
    assert in_reading_order(quads, [1, 0]) == [0, 1]
    assert in_reading_order(quads, []) == []


def test_a_net_of_our_own_from_end_to_end() -> None:
    engine = TorchEngine(DBNet("small"), pick_device("cpu", threads=1))
    assert engine.run(np.zeros((1, 3, 384, 640), dtype=np.float32)).shape == (1, 192, 320)
    untrained = detector(score=0.0, binarise=0.1)
    untrained.engine, untrained.normalisation = engine, Normalisation("rgb", (MEAN,) * 3, (SCALE,) * 3)
    picture = frame((640, 360), [(100, 100, 300, 140)])
    first, second = untrained.detect([picture, picture])
    assert first == second
    for left, top, right, bottom in boxes_of(first):
        assert 0 <= left < right <= 640
        assert 0 <= top < bottom <= 360


def test_outlines_follow_curved_text() -> None:
    curved = frame((640, 360))
    cv2.ellipse(curved.y, (320, 330), (200, 200), 0, 215, 325, 235, 30)
    (polygon,) = detector().outlines(curved)
    (region,) = detector().detect([curved])[0]
    area = cv2.contourArea(polygon.astype(np.float32))
    assert area == pytest.approx((curved.y > 200).sum(), rel=0.1)
    assert area < 0.6 * cv2.contourArea(unflat(region.quad).astype(np.float32))
    assert cv2.pointPolygonTest(polygon.astype(np.float32), (320.0, 130.0), measureDist=False) > 0
    assert cv2.pointPolygonTest(polygon.astype(np.float32), (320.0, 200.0), measureDist=False) < 0


def test_outlines_of_specks_are_dropped_as_their_boxes_are() -> None:
    assert detector(min_height_px=20).outlines(frame((640, 360), [(100, 100, 200, 112)])) == []


def test_a_glance_sees_half_of_it() -> None:
    seer = detector()
    shown = frame((640, 360), [(100, 100, 300, 140)])
    (glimpsed,), (seen,) = boxes_of(seer.glance([shown])[0]), boxes_of(seer.detect([shown])[0])
    assert glimpsed == pytest.approx(seen, abs=8)
    assert seer.engine.shapes == [(1, 3, 192, 320), (1, 3, 384, 640)]


def test_a_close_look_sees_twice_as_much_and_tells_of_small_text_only() -> None:
    seer = detector(long_side=320)
    shown = frame((1280, 720), [(100, 100, 300, 140), (100, 300, 500, 420)])
    assert len(seer.detect([shown])[0]) == 2
    (small,) = boxes_of(seer.closely([shown])[0])
    assert small == pytest.approx((100, 100, 300, 140), abs=8)
    assert seer.engine.shapes == [(1, 3, 192, 320), (1, 3, 384, 640)]


def test_a_close_look_enlarges_nothing() -> None:
    seer = detector(long_side=640)
    seer.closely([frame((640, 96), [])])
    assert seer.engine.shapes == [(1, 3, 96, 640)]
