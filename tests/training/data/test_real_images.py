import json
import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.training.data.real_images import RealPictures, changed
from stream_ocr.training.data.scene import Scene
from stream_ocr.training.data.thresholds import RealImageRecipe

RED = rectangle(100, 60, 120, 40)
TURNED = RealImageRecipe(degraded_share=0.0, inverted_share=0.0, grey_share=0.0, mirrored_share=0.5, rotated_share=0.5)
"""Pieces that keep their colours."""


def picture_set(folder: Path) -> Path:
    picture = np.zeros((320, 480, 3), np.uint8)
    picture[60:100, 100:220, 2] = 255  # BGR
    cv2.imwrite(str(folder / "a.png"), picture)
    entry = {"image": "a.png", "quads": [RED[::-1].tolist()], "ignored": [rectangle(300, 200, 50, 20).tolist()]}
    path = folder / "set.jsonl"
    path.write_text(json.dumps(entry) + "\n")
    return path


@pytest.mark.parametrize("seed", range(12))
def test_real_images_keep_quads_on_their_pixels_and_clockwise(tmp_path: Path, seed: int) -> None:
    pictures = RealPictures({picture_set(tmp_path): 1.0}, TURNED)
    assert len(pictures) == 1
    piece = pictures.draw(random.Random(seed), np.random.default_rng(seed), 384, (0.45, 1.2))
    assert piece.picture.shape == (384, 384, 3)
    assert piece.ignored.shape == (1, 4, 2)
    (quad,) = piece.quads
    x, y = quad.T
    assert np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) > 0
    red = piece.picture[..., 0].astype(int) - piece.picture[..., 1] > 60
    low, high = quad.min(axis=0), quad.max(axis=0)
    if (low > 3).all() and (high < 381).all():
        rows, columns = np.nonzero(red)
        np.testing.assert_allclose([columns.min(), rows.min()], low, atol=4)
        np.testing.assert_allclose([columns.max() + 1, rows.max() + 1], high, atol=4)


def test_real_images_depend_on_the_random_states_only() -> None:
    piece = Scene(np.full((96, 96, 3), 100, np.uint8), RED[None].astype(np.float32))
    one, two = (changed(piece, random.Random(3), np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.picture, two.picture)
    np.testing.assert_array_equal(one.quads, two.quads)


def test_real_images_name_a_missing_picture(tmp_path: Path) -> None:
    path = picture_set(tmp_path)
    (tmp_path / "a.png").unlink()
    with pytest.raises(OSError, match=r"a\.png is not a readable picture"):
        RealPictures({path: 1.0}).draw(random.Random(0), np.random.default_rng(0), 96, (0.5, 1.0))
