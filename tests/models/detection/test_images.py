import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SourceError
from stream_ocr.evaluation.detection_metrics import iou
from stream_ocr.models.detection import images

OWN = Settings.load(overrides=["models=builtin"])


@pytest.fixture
def sign(tmp_path: Path) -> Path:
    image = Image.new("RGB", (641, 359), (40, 60, 90))
    ImageDraw.Draw(image).text((120, 150), "PLATFORM 12", (250, 250, 240), ImageFont.load_default(56))
    path = tmp_path / "sign.png"
    image.save(path)
    return path


def test_detect_images_finds_a_line_at_its_place(sign: Path) -> None:
    (found,) = images.detect_images([sign], OWN)
    assert found.image == str(sign)
    (quad,) = found.quads
    left, top = np.min(quad, axis=0)
    right, bottom = np.max(quad, axis=0)
    assert (left, right) == pytest.approx((120, 475), abs=25)
    assert top < 170 < 190 < bottom


def test_image_detections_encode_as_one_json_object_per_image(sign: Path) -> None:
    import msgspec

    (found,) = images.detect_images([sign], OWN)
    assert set(json.loads(msgspec.json.encode(found))) == {"image", "quads", "scores"}


def test_detect_images_adds_polygons_on_request(sign: Path, tmp_path: Path) -> None:
    (found,) = images.detect_images([sign], OWN, polygons=True)
    assert len(found.polygons) == len(found.quads) == 1
    assert iou(np.array(found.polygons[0]), np.array(found.quads[0])) > 0.7
    assert images.draw_detections(found, tmp_path).name == "sign.png"


def test_draw_detections_keeps_the_size_of_the_image(sign: Path, tmp_path: Path) -> None:
    (found,) = images.detect_images([sign], OWN)
    folder = tmp_path / "drawn"
    folder.mkdir()
    drawn = cv2.imread(str(images.draw_detections(found, folder)))
    assert drawn is not None
    assert drawn.shape == (359, 641, 3)


def test_detect_images_raises_source_error_for_a_file_that_is_not_an_image(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.png"
    rubbish.write_bytes(b"not an image")
    with pytest.raises(SourceError, match="not an image"):
        list(images.detect_images([rubbish], OWN))
    with pytest.raises(SourceError, match="cannot be read"):
        list(images.detect_images([tmp_path / "missing.png"], OWN))
