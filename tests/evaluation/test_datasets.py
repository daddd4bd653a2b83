import json
from pathlib import Path

import numpy as np
import pytest

from stream_ocr.errors import SourceError
from stream_ocr.evaluation.datasets import labelled

QUAD = [[1, 2], [30, 2], [30, 12], [1, 12]]


def test_icdar_2015_corners_with_a_mark_at_the_beginning_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "img_1.jpg").touch()
    (tmp_path / "gt_img_1.txt").write_bytes(
        b"\xef\xbb\xbf1,2,30,2,30,12,1,12,Genaxis Theatre, 12\r\n5,5,9,5,9,9,5,9,###\r\n"
    )
    (picture,) = labelled(tmp_path)
    assert picture.image == tmp_path / "img_1.jpg"
    np.testing.assert_array_equal(picture.quads[0], QUAD)
    assert picture.cares == [True, False]


@pytest.mark.parametrize("line", ['1, 2, 30, 12, "12, Main"', '1 2 30 12 "12, Main"', "1,2,30,12"])
def test_icdar_2013_boxes(tmp_path: Path, line: str) -> None:
    (tmp_path / "truth").mkdir()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "img_1.png").touch()
    (tmp_path / "truth" / "gt_img_1.txt").write_text(line)
    (picture,) = labelled(tmp_path)
    np.testing.assert_array_equal(picture.quads[0], QUAD)
    assert picture.cares == [True]


@pytest.mark.parametrize("style", ["lines", "list"])
def test_json_as_detect_writes_it_with_texts_and_more(tmp_path: Path, style: str) -> None:
    entries = [
        {"image": "a.png", "quads": [QUAD, QUAD], "texts": ["GATE", "###"], "ignored": [QUAD]},
        {"image": "b/c.png", "quads": [], "scores": []},
    ]
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(entries) if style == "list" else "\n".join(map(json.dumps, entries)))
    first, second = labelled(path)
    assert (first.image, second.image) == (tmp_path / "a.png", tmp_path / "b" / "c.png")
    assert first.cares == [True, False, False]
    assert (second.quads, second.cares) == ([], [])


def test_what_is_no_set_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no pictures"):
        labelled(tmp_path)
    (tmp_path / "gt_lost.txt").write_text("1,2,3,4")
    with pytest.raises(SourceError, match="0 pictures named lost"):
        labelled(tmp_path)
    (tmp_path / "lost.jpg").touch()
    (tmp_path / "gt_lost.txt").write_text("one,two")
    with pytest.raises(SourceError, match="numbers of a box"):
        labelled(tmp_path)
    for content, said in (("{", "no list"), ('{"image": "a", "quads": [], "texts": ["A"]}', "0 quads")):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(SourceError, match=said):
            labelled(tmp_path / "bad.json")
    with pytest.raises(SourceError, match="cannot be read"):
        labelled(tmp_path / "missing.json")
