import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import rectangle, to_flat
from stream_ocr.core.messages import Detection
from stream_ocr.training.data.coarse_teacher import Thresholds, coarse_lines
from stream_ocr.training.data.detector_sets import Lines, with_large


class FakeDetector:
    """Reports the same detections for every frame."""

    def __init__(self, *detections: tuple[np.ndarray, float]) -> None:
        self._detections = [Detection(to_flat(quad), score) for quad, score in detections]

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        return [self._detections for _ in frames]


TITLE, SQUARE, SMALL = rectangle(10, 10, 200, 40), rectangle(10, 80, 60, 60), rectangle(10, 160, 80, 8)


@pytest.mark.parametrize(("score", "lines"), [(0.9, 1), (0.7, 0)])
def test_coarse_teacher_keeps_sure_long_boxes_ignores_others_and_drops_small_ones(
    tmp_path: Path, score: float, lines: int
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((200, 300, 3), np.uint8))
    detector = FakeDetector((TITLE, score), (SQUARE, 0.95), (SMALL, 0.95))
    (row,) = coarse_lines(tmp_path, detector, Thresholds())
    assert row["image"] == "a.png"
    assert len(row["quads"]) == lines
    assert len(row["ignored"]) == 2 - lines


def test_coarse_teacher_adds_large_text_that_the_teacher_missed(tmp_path: Path) -> None:
    (tmp_path / "coarse").mkdir()
    found = {"image": "a.png", "quads": [TITLE.tolist(), (TITLE + [0, 60]).tolist()], "ignored": [SQUARE.tolist()]}
    nothing = {"image": "b.png", "quads": [], "ignored": []}
    (tmp_path / "coarse/posters.jsonl").write_text(json.dumps(found) + "\n" + json.dumps(nothing) + "\n")
    added = with_large({"a.png": Lines([TITLE], []), "c.png": Lines([SMALL], [])}, tmp_path, "posters")
    assert [len(added["a.png"].quads), len(added["a.png"].ignored)] == [2, 0], "the square lies in the second line"
    assert [len(added["c.png"].quads), len(added)] == [1, 2]
