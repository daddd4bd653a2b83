import json
from pathlib import Path

import numpy as np
import pytest

from stream_ocr.errors import SourceError
from stream_ocr.evaluation.datasets import load_labelled_images

QUAD = [[1, 2], [30, 2], [30, 12], [1, 12]]


def test_load_labelled_images_reads_icdar_2015_corners_after_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "img_1.jpg").touch()
    (tmp_path / "gt_img_1.txt").write_bytes(
        b"\xef\xbb\xbf1,2,30,2,30,12,1,12,Genaxis Theatre, 12\r\n5,5,9,5,9,9,5,9,###\r\n"
    )
    (image,) = load_labelled_images(tmp_path)
    assert image.image == tmp_path / "img_1.jpg"
    np.testing.assert_array_equal(image.quads[0], QUAD)
    assert image.cares == [True, False]


@pytest.mark.parametrize("line", ['1, 2, 30, 12, "12, Main"', '1 2 30 12 "12, Main"', "1,2,30,12"])
def test_load_labelled_images_reads_icdar_2013_boxes(tmp_path: Path, line: str) -> None:
    (tmp_path / "truth").mkdir()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "img_1.png").touch()
    (tmp_path / "truth" / "gt_img_1.txt").write_text(line)
    (image,) = load_labelled_images(tmp_path)
    np.testing.assert_array_equal(image.quads[0], QUAD)
    assert image.cares == [True]


@pytest.mark.parametrize("style", ["lines", "list"])
def test_load_labelled_images_reads_json_of_detect_with_texts_and_other_keys(tmp_path: Path, style: str) -> None:
    entries = [
        {"image": "a.png", "quads": [QUAD, QUAD], "texts": ["GATE", "###"], "ignored": [QUAD]},
        {"image": "b/c.png", "quads": [], "scores": []},
    ]
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(entries) if style == "list" else "\n".join(map(json.dumps, entries)))
    first, second = load_labelled_images(path)
    assert (first.image, second.image) == (tmp_path / "a.png", tmp_path / "b" / "c.png")
    assert first.cares == [True, False, False]
    assert (second.quads, second.cares) == ([], [])


def test_load_labelled_images_raises_source_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no labelled images"):
        load_labelled_images(tmp_path)
    (tmp_path / "gt_lost.txt").write_text("1,2,3,4")
    with pytest.raises(SourceError, match="0 images named lost"):
        load_labelled_images(tmp_path)
    (tmp_path / "lost.jpg").touch()
    (tmp_path / "gt_lost.txt").write_text("one,two")
    with pytest.raises(SourceError, match="numbers of a box"):
        load_labelled_images(tmp_path)
    for content, message in (("{", "not a list"), ('{"image": "a", "quads": [], "texts": ["A"]}', "0 quads")):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(SourceError, match=message):
            load_labelled_images(tmp_path / "bad.json")
    with pytest.raises(SourceError, match="cannot be read"):
        load_labelled_images(tmp_path / "missing.json")
