import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from stream_ocr.config.settings import Settings
from stream_ocr.core.geometry import rectangle
from stream_ocr.evaluation.detector import evaluate_detector

OWN = Settings.load(overrides=["models=builtin"])


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """Return the truth of two images of one line each; that of the second one is misplaced."""
    font = ImageFont.load_default(56)
    box = font.getbbox("PLATFORM 12")
    entries = []
    for name in ("right.png", "wrong.png"):
        image = Image.new("RGB", (640, 360), (40, 60, 90))
        ImageDraw.Draw(image).text((120, 150), "PLATFORM 12", (250, 250, 240), font)
        image.save(tmp_path / name)
        top = 150 + box[1] if name == "right.png" else 20
        entries.append({"image": name, "quads": [rectangle(120, top, box[2], box[3] - box[1]).tolist()]})
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(entries))
    return path


def test_evaluate_detector_counts_and_shows_matches_and_errors(signs: Path) -> None:
    report = evaluate_detector(signs, OWN)
    assert (report.deteval.detections, report.deteval.matched_detections) == (2, 1)
    assert (report.deteval.truth, report.deteval.matched_truth) == (2, 1)
    assert report.iou.f == report.deteval.f == 0.5
    assert report.milliseconds > 0
    assert "F 0.500" in report.as_text()
    assert json.loads(json.dumps(report.to_dict()))["deteval"]["recall"] == 0.5
    sheet = report.contact_sheet()
    assert sheet.dtype == np.uint8
    first = sheet[:400, :640].astype(int)  # the worst case comes first: nothing green under the red
    assert (first[..., 1] - first[..., 2] > 100).any()
    assert (first[..., 2] - first[..., 1] > 100).any()
