import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from stream_ocr.core.geometry import rectangle
from stream_ocr.evaluation.detector_by_source import Found, measure, net_finder, validation_sets
from stream_ocr.evaluation.thresholds import BY_SOURCE

LINE = rectangle(40, 40, 100, 30)


def sets(folder: Path) -> Path:
    cv2.imwrite(str(folder / "a-0.png"), np.zeros((200, 320, 3), np.uint8))
    entry = {"image": "a-0.png", "quads": [LINE.tolist()], "ignored": []}
    (folder / "signs.jsonl").write_text(json.dumps(entry) + "\n")
    (folder / "film.jsonl").write_text(json.dumps(entry | {"quads": []}) + "\n")
    return folder


def test_measure_chooses_one_box_thresh_for_all_sets_by_the_mean(tmp_path: Path) -> None:
    def find(_: np.ndarray) -> Found:
        return [(LINE, 0.72), (rectangle(200, 100, 60, 20), 0.42)]

    report = measure(find, validation_sets(sets(tmp_path)))
    assert BY_SOURCE.box_thresholds[report.best] == 0.45
    values = report.values()
    assert values["mean_f"] == values["signs"]["f"] == 1.0
    assert values["film"] == {"false_boxes_per_picture": 1.0}
    assert report.values(0)["film"] == {"false_boxes_per_picture": 2.0}
    assert values["recall_by_height_px"]["32-64"] == 1.0, "a picture of 320 pixels is seen at twice its size"
    assert "film" in report.table()


def test_measure_weighs_clips_equally_whatever_their_number_of_stills(tmp_path: Path) -> None:
    rows = []
    for name, found in (("one-0", True), ("two-0", False), ("two-1", False), ("two-2", False)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((200, 320, 3), 255 * found, np.uint8))
        rows.append(json.dumps({"image": f"{name}.png", "quads": [LINE.tolist()]}))
    (tmp_path / "clips.jsonl").write_text("\n".join(rows))

    def find(bgr: np.ndarray) -> Found:
        return [(LINE, 0.9)] if bgr.any() else []

    assert measure(find, validation_sets(tmp_path)).values()["clips"]["f"] == 0.5


class MarkedNet:
    """Find text in the top left corner of its input, (width, height) pixels, and keep the inputs."""

    stride = 2

    def __init__(self, corner: tuple[float, float] = (0, 0)) -> None:
        self._columns, self._rows = (round(side / self.stride) for side in corner)
        self.inputs: list[torch.Tensor] = []

    def __call__(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        self.inputs.append(x_BCHW)
        p_BHW = torch.zeros(1, *(side // self.stride for side in x_BCHW.shape[-2:]))
        p_BHW[:, : self._rows, : self._columns] = 0.9
        return p_BHW


@pytest.mark.parametrize("size", [(320, 200), (1000, 700)])
def test_net_finder_returns_quads_in_pixels_of_the_image(size: tuple[int, int]) -> None:
    width, height = size
    scale = min(480 / width, 2.0)
    net = MarkedNet((width * scale / 2, height * scale / 2))
    ((quad, score),) = net_finder(net, long_side=480, unclip_ratio=0.0)(np.zeros((height, width, 3), np.uint8))
    assert score == pytest.approx(0.9)
    np.testing.assert_allclose(quad.max(axis=0), [width / 2, height / 2], rtol=0.02)


def test_net_finder_passes_rgb_to_the_net(tmp_path: Path) -> None:
    cv2.imwrite(str(sets(tmp_path) / "a-0.png"), np.full((200, 320, 3), (0, 0, 255), np.uint8))
    net = MarkedNet()
    measure(net_finder(net), validation_sets(tmp_path))
    assert net.inputs[0][0, :, 10, 10].tolist() == pytest.approx([127.5 / 64, -127.5 / 64, -127.5 / 64])
