import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from stream_ocr.config.settings import Settings
from stream_ocr.core.geometry import rectangle
from stream_ocr.evaluation.detector import detector

OWN = Settings.load(overrides=["models=builtin"])


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """Two pictures of one line each; the truth of the second one is elsewhere."""
    font = ImageFont.load_default(56)
    box = font.getbbox("PLATFORM 12")
    entries = []
    for name in ("right.png", "wrong.png"):
        picture = Image.new("RGB", (640, 360), (40, 60, 90))
        ImageDraw.Draw(picture).text((120, 150), "PLATFORM 12", (250, 250, 240), font)
        picture.save(tmp_path / name)
        top = 150 + box[1] if name == "right.png" else 20
        entries.append({"image": name, "quads": [rectangle(120, top, box[2], box[3] - box[1]).tolist()]})
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(entries))
    return path


def test_hits_and_misses_are_counted_and_shown(signs: Path) -> None:
    report = detector(signs, OWN)
    assert (report.deteval.found, report.deteval.right) == (2, 1)
    assert (report.deteval.truth, report.deteval.met) == (2, 1)
    assert report.iou.f == report.deteval.f == 0.5
    assert report.milliseconds > 0
    assert "F 0.500" in report.lines()
    assert json.loads(json.dumps(report.values()))["deteval"]["recall"] == 0.5
    sheet = report.sheet()
    assert sheet.dtype == np.uint8
    first = sheet[:400, :640].astype(int)  # the worst case comes first: nothing green under the red
    assert (first[..., 1] - first[..., 2] > 100).any()
    assert (first[..., 2] - first[..., 1] > 100).any()
