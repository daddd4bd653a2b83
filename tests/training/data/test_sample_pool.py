import random
from pathlib import Path

import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.training.data.sample_pool import Pool, crop
from stream_ocr.training.data.scene import Scene


def marked(x: int, y: int, width: int = 120, height: int = 40) -> Scene:
    """A black picture with one red rectangle for a line."""
    picture = np.zeros((320, 480, 3), np.uint8)
    picture[y : y + height, x : x + width, 0] = 255
    return Scene(picture, rectangle(x, y, width, height)[None].astype(np.float32))


@pytest.mark.parametrize("scale", [0.3, 0.7, 1.0, 1.6])
def test_sample_pool_keeps_quads_on_their_pixels_through_the_crop(scale: float) -> None:
    for seed in range(8):
        piece = crop(marked(200, 100), random.Random(seed), 384, scale)
        red = (piece.picture[..., 0] > 128) & (piece.picture[..., 1] < 64)
        rows, columns = np.nonzero(red)
        low, high = piece.quads[0].min(axis=0), piece.quads[0].max(axis=0)
        if (low > 2).all() and (high < 382).all():
            np.testing.assert_allclose([columns.min(), rows.min()], low, atol=2.5)
            np.testing.assert_allclose([columns.max() + 1, rows.max() + 1], high, atol=2.5)


def test_sample_pool_draws_mostly_pieces_with_a_line() -> None:
    rng, scene, shown = random.Random(0), marked(20, 20), 0
    for _ in range(40):
        shown += bool((crop(scene, rng, 96, 1.0).picture[..., 0] > 128).any())
    assert shown >= 15


def test_sample_pool_is_resumed_with_the_images_of_its_checkpoint(tmp_path: Path) -> None:
    pool = Pool(tmp_path, capacity=10)
    for i in range(5):
        pool.add(marked(40 * i, 100), quality=90)
    assert len(Pool(tmp_path, capacity=10)) == 5
    again = Pool(tmp_path, capacity=10, count=3)
    assert len(again) == 3
    again.add(Scene(np.zeros((64, 64, 3), np.uint8), np.zeros((0, 4, 2), np.float32)), quality=90)
    assert len(Pool(tmp_path, capacity=10)) == 4


def test_sample_pool_drops_old_images(tmp_path: Path) -> None:
    pool = Pool(tmp_path, capacity=3, spare=0)
    for i in range(6):
        pool.add(marked(40 * i, 100), quality=90)
    assert sorted(p.name for p in tmp_path.glob("*.jpg")) == ["000003.jpg", "000004.jpg", "000005.jpg"]
    for seed in range(20):
        assert pool.draw(random.Random(seed), 64, (0.4, 1.6)).picture.shape == (64, 64, 3)


def test_sample_pool_draws_only_existing_images_after_a_resume(tmp_path: Path) -> None:
    pool = Pool(tmp_path, capacity=4, spare=2)
    for i in range(9):
        pool.add(marked(20 * i, 100), quality=90)
    cut = Pool(tmp_path, capacity=4, count=6)
    for seed in range(20):
        assert cut.draw(random.Random(seed), 64, (0.4, 1.6)).picture.shape == (64, 64, 3)


def test_sample_pool_depends_on_the_random_state_only(tmp_path: Path) -> None:
    pool = Pool(tmp_path, capacity=3)
    pool.add(marked(100, 100), quality=90)
    one, two = (pool.draw(random.Random(7), 96, (0.4, 1.6)) for _ in range(2))
    np.testing.assert_array_equal(one.picture, two.picture)
    np.testing.assert_array_equal(one.quads, two.quads)
