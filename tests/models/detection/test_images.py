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
    picture = Image.new("RGB", (641, 359), (40, 60, 90))
    ImageDraw.Draw(picture).text((120, 150), "PLATFORM 12", (250, 250, 240), ImageFont.load_default(56))
    path = tmp_path / "sign.png"
    picture.save(path)
    return path


def test_a_line_is_found_where_it_stands(sign: Path) -> None:
    (found,) = images.detect([sign], OWN)
    assert found.image == str(sign)
    (quad,) = found.quads
    left, top = np.min(quad, axis=0)
    right, bottom = np.max(quad, axis=0)
    assert (left, right) == pytest.approx((120, 475), abs=25)
    assert top < 170 < 190 < bottom


def test_found_is_one_json_object_an_image(sign: Path) -> None:
    import msgspec

    (found,) = images.detect([sign], OWN)
    assert set(json.loads(msgspec.json.encode(found))) == {"image", "quads", "scores"}


def test_outlines_come_along_when_they_are_asked_for(sign: Path, tmp_path: Path) -> None:
    (found,) = images.detect([sign], OWN, outlines=True)
    assert len(found.polygons) == len(found.quads) == 1
    assert iou(np.array(found.polygons[0]), np.array(found.quads[0])) > 0.7
    assert images.draw(found, tmp_path).name == "sign.png"


def test_a_drawn_picture_has_the_size_of_the_original(sign: Path, tmp_path: Path) -> None:
    (found,) = images.detect([sign], OWN)
    folder = tmp_path / "drawn"
    folder.mkdir()
    drawn = cv2.imread(str(images.draw(found, folder)))
    assert drawn is not None
    assert drawn.shape == (359, 641, 3)


def test_what_is_no_picture_is_told_in_a_sentence(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.png"
    rubbish.write_bytes(b"not a picture")
    with pytest.raises(SourceError, match="no picture"):
        list(images.detect([rubbish], OWN))
    with pytest.raises(SourceError, match="cannot be read"):
        list(images.detect([tmp_path / "missing.png"], OWN))


def test_grey_survives_the_way_through_yuv() -> None:
    picture = np.full((5, 7, 3), 128, dtype=np.uint8)
    frame = images.frame_of(picture)
    assert frame.size == (7, 5)
    assert frame.y == pytest.approx(np.full((5, 7), 126), abs=1)
