"""``read_image`` and ``ImageReader``: text lines of still images."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import stream_ocr
from stream_ocr import ImageReader, Settings, SourceError, read_image

SETTINGS = Settings.load(overrides=["models=builtin", "device=cpu", "threads=1"])
TEXTS = {"Platform 7": (40, 60), "To the coast": (380, 62), "Good morning": (40, 200), "Exit": (420, 300)}


def picture(size: tuple[int, int] = (360, 640), scale: float = 1.0) -> np.ndarray:
    image = np.full((*size, 3), (90, 60, 40), np.uint8)
    for text, at in TEXTS.items():
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_DUPLEX, scale, (240, 240, 240), 2, cv2.LINE_AA)
    return image


def test_read_image_returns_lines_in_reading_order():
    lines = read_image(picture(), SETTINGS)
    assert [line.text for line in lines] == [*TEXTS]
    assert all(0.5 < line.confidence <= 1 for line in lines)
    for line, (x, y) in zip(lines, TEXTS.values(), strict=True):
        (left, top), _, (right, bottom), _ = line.polygon
        assert left == pytest.approx(x, abs=8)
        assert top < y - 10 < bottom
        assert right > left + 50


def test_image_reader_takes_paths_and_arrays_in_either_order(tmp_path):
    cv2.imwrite(str(tmp_path / "sign.png"), picture())
    reader = ImageReader(SETTINGS)
    expected = reader.read(picture())
    assert reader.read(tmp_path / "sign.png") == expected
    assert reader.read(str(tmp_path / "sign.png")) == expected
    flipped = np.ascontiguousarray(picture()[..., ::-1])
    assert ImageReader(SETTINGS, color="rgb").read(flipped) == expected
    grey = reader.read(cv2.cvtColor(picture(), cv2.COLOR_BGR2GRAY))
    assert [line.text for line in grey] == [*TEXTS]


def test_image_reader_finds_small_lines_of_a_large_picture():
    page = np.full((2000, 3000, 3), 245, np.uint8)
    cv2.putText(page, "A small line", (300, 1500), cv2.FONT_HERSHEY_DUPLEX, 0.9, (20, 20, 20), 2, cv2.LINE_AA)
    cv2.putText(page, "HEADLINE", (300, 400), cv2.FONT_HERSHEY_DUPLEX, 6, (20, 20, 20), 14, cv2.LINE_AA)
    assert [line.text for line in read_image(page, SETTINGS)] == ["HEADLINE", "A small line"]


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 5), (1, 16000, 3), (64, 64)])
def test_image_without_text_has_no_lines(shape):
    assert read_image(np.full(shape, 120, np.uint8), SETTINGS) == []


def test_unreadable_image_is_a_source_error(tmp_path):
    (tmp_path / "noise.png").write_bytes(b"no image at all")
    reader = ImageReader(SETTINGS)
    with pytest.raises(SourceError, match=r"noise.png is not an image that can be decoded"):
        reader.read(tmp_path / "noise.png")
    with pytest.raises(SourceError, match=r"missing.png cannot be read: No such file"):
        reader.read(Path("missing.png"))


def test_image_reader_says_what_an_image_is():
    with pytest.raises(TypeError, match=r"A frame is a NumPy array or an av.VideoFrame, not list"):
        ImageReader(SETTINGS).read([1, 2])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"settings is a stream_ocr.Settings, not dict"):
        stream_ocr.read_image(picture(), {})  # type: ignore[arg-type]


def test_image_reader_applies_regions_limits_and_corrections():
    overrides = [
        "detection.regions=[[[0, 0], [0.5, 0], [0.5, 1], [0, 1]]]",
        "events.replacements=[{regex: 'Platform (\\d)', text: 'Gleis \\1'}]",
        "events.ignore=['Good .*']",
    ]
    reader = ImageReader(Settings.load(overrides=["models=builtin", "device=cpu", "threads=1", *overrides]))
    assert [line.text for line in reader.read(picture())] == ["Gleis 7"]
