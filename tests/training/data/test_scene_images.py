import io
import random
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.compositing import Block, Canvas, Style, ink, paint
from stream_ocr.training.data.corpus import Corpus
from stream_ocr.training.data.degradation import capture, combed, encoded, motion
from stream_ocr.training.data.distractors import SHAPES, add_distractor
from stream_ocr.training.data.fonts import BUILT_IN
from stream_ocr.training.data.perspective import turned, view
from stream_ocr.training.data.scene import Scene
from stream_ocr.training.data.scene_images import Scenes
from stream_ocr.training.data.thresholds import SCENES
from stream_ocr.training.data.word_patches import RealWords, paste


def some_scenes(seed: int, count: int) -> list[Scene]:
    rng = random.Random(seed)
    maker = Scenes([BUILT_IN], Corpus(None, rng), Backgrounds(None, rng), rng)
    return [maker.make() for _ in range(count)]


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return some_scenes(3, 60)


def test_scene_images_are_rgb_bytes_with_clockwise_quads_inside(scenes: list[Scene]) -> None:
    for scene in scenes:
        height, width = scene.picture.shape[:2]
        assert scene.picture.dtype == np.uint8
        assert scene.picture.shape == (height, width, 3)
        assert scene.quads.shape[1:] == (4, 2)
        assert (scene.quads > -4).all()
        assert (scene.quads < (width + 4, height + 4)).all()
        for quad in scene.quads:
            edges = np.roll(quad, -1, axis=0) - quad
            turns = edges[:, 0] * np.roll(edges, -1, axis=0)[:, 1] - edges[:, 1] * np.roll(edges, -1, axis=0)[:, 0]
            assert (turns > 0).all()
            assert edges[0, 0] > 0  # no text stands on its head


def test_scene_images_mix_empty_pictures_small_lines_and_large_ones(scenes: list[Scene]) -> None:
    assert any(len(scene.quads) == 0 for scene in scenes)
    assert SCENES.text_free_share * len(scenes) * 3 > sum(len(scene.quads) == 0 for scene in scenes)
    heights = [float(np.linalg.norm(q[3] - q[0])) for scene in scenes for q in scene.quads]
    assert min(heights) < 14
    assert max(heights) > 100
    assert 2 < len(heights) / len(scenes) < 12


def test_scene_images_have_no_overlapping_lines(scenes: list[Scene]) -> None:
    for scene in scenes:
        count = np.zeros(scene.picture.shape[:2], np.uint8)
        for quad in scene.quads:
            count += cv2.fillConvexPoly(np.zeros_like(count), quad.round().astype(np.int32), 1)
        if count.any():
            assert (count > 1).sum() < 0.07 * (count > 0).sum()


def test_scene_images_depend_on_the_seed_only() -> None:
    for one, two in zip(some_scenes(8, 4), some_scenes(8, 4), strict=True):
        np.testing.assert_array_equal(one.picture, two.picture)
        np.testing.assert_array_equal(one.quads, two.quads)


def test_ink_is_cut_to_the_letters_and_painted_at_the_quad() -> None:
    mask = ink("HELLO", BUILT_IN, 40, spread=0.0, stretch=1.0)
    assert mask.shape[0] == pytest.approx(40, rel=0.3)
    assert mask[0].max() > 60
    assert mask[:, 0].max() > 60
    height, width = mask.shape
    canvas = Canvas(np.zeros((200, 400, 3), np.float32))
    corners = rectangle(100, 60, width, height)
    assert canvas.take(corners)
    assert not canvas.take(corners + 8)
    assert not canvas.take(corners - 150)
    block = Block(mask, rectangle(0, 0, width, height)[None].astype(np.float32), 40)
    paint(canvas, block, corners, Style(), random.Random(0))
    rows, columns = np.nonzero(canvas.picture.max(axis=2) > 20)
    quad = canvas.quads[0]
    np.testing.assert_allclose(
        [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], [*quad[0], *quad[2]], atol=2
    )


def test_scene_images_accept_a_text_without_ink() -> None:
    assert ink(" ", BUILT_IN, 20, spread=0.0, stretch=1.0).shape[0] >= 2


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.__name__)
@pytest.mark.parametrize("size", [(20, 30), (300, 40), (25, 300)])
def test_distractors_paint_at_every_size(shape, size: tuple[int, int]) -> None:  # type: ignore[no-untyped-def]
    for seed in range(5):
        shape(np.zeros(size, np.uint8), np.random.default_rng(seed))


def test_distractors_stay_within_the_range_of_the_picture() -> None:
    picture, rng = np.full((384, 512, 3), 128, np.float32), np.random.default_rng(0)
    for _ in range(30):
        add_distractor(picture, rng)
    assert picture.min() >= 0
    assert picture.max() <= 255
    assert (picture != 128).any()


def test_degradation_keeps_the_size_and_the_brightness() -> None:
    for seed in range(30):
        taken = capture(np.full((96, 128, 3), 100, np.float32), random.Random(seed), np.random.default_rng(seed))
        assert taken.shape == (96, 128, 3)
        assert taken.dtype == np.uint8
    for length in range(3, 11):
        assert motion(length, 37).sum() == pytest.approx(1)


def test_degradation_by_a_codec_moves_nothing(scenes: list[Scene]) -> None:
    picture = scenes[0].picture
    for quality, most in ((18, 4.0), (38, 20.0)):
        decoded = encoded(picture, quality, random.Random(quality))
        assert decoded.shape == picture.shape
        assert decoded.dtype == np.uint8
        assert 0 < np.abs(decoded.astype(int) - picture).mean() < most
    moved = np.roll(picture, 3, axis=1)
    assert (
        np.abs(encoded(picture, 18, random.Random(1)).astype(int) - moved).mean()
        > np.abs(encoded(picture, 18, random.Random(1)).astype(int) - picture).mean()
    )


def test_degradation_by_interlacing_separates_the_fields() -> None:
    picture = np.zeros((8, 20, 3), np.uint8)
    picture[:, 10] = 255
    woven = combed(picture, 4)
    assert (woven[::2, 10] == 255).all()
    assert (woven[1::2, 14] == 255).all()
    assert (woven[1::2, 10] == 0).all()


def test_perspective_shrinks_the_far_end_of_a_plane() -> None:
    straight = turned(200, 50, yaw=0, pitch=0, roll=0, distance=2)
    np.testing.assert_allclose(straight, rectangle(-100, -25, 200, 50))
    left, right = (
        lambda quad: np.linalg.norm(quad[3] - quad[0]),
        lambda quad: np.linalg.norm(quad[2] - quad[1]),
    )
    away = turned(200, 50, yaw=-0.8, pitch=0, roll=0, distance=2)
    assert right(away) < 50 < left(away)
    assert np.ptp(away[:, 0]) < 200
    for seed in range(200):
        quad = view(200, 50, random.Random(seed))
        assert cv2.contourArea(quad.astype(np.float32), oriented=True) > 0
        np.testing.assert_allclose(quad.min(axis=0), -quad.max(axis=0), atol=1e-6)


def test_word_patches_are_pasted_at_the_quad(tmp_path: Path) -> None:
    archive = tmp_path / "words.tar"
    rng = np.random.default_rng(0)
    with tarfile.open(archive, "w") as tar:
        for i in range(40):
            _, data = cv2.imencode(".png", np.full((24, 70, 3), (0, 0, 200), np.uint8))
            member = tarfile.TarInfo(f"{i:02d}.png")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data.tobytes()))
    words = RealWords([archive], random.Random(0))
    kept = RealWords([archive], random.Random(0), kept_aside=True)
    assert len(words) + len(kept) == 40
    assert 0 < len(kept) < len(words)

    for seed in range(12):
        canvas = Canvas(rng.uniform(0, 60, (200, 300, 3)).astype(np.float32))
        paste(canvas, words.draw(), random.Random(seed))
        inside = cv2.fillConvexPoly(np.zeros((200, 300), np.uint8), canvas.quads[0].round().astype(np.int32), 1)
        assert np.median(canvas.picture[inside > 0], axis=0) == pytest.approx([200, 0, 0], abs=2)
        assert canvas.taken.any()


def test_scene_images_accept_photographs_as_backgrounds() -> None:
    folder = Path(__file__).parents[4] / "shared/data/backgrounds"
    if not folder.is_dir():
        pytest.skip("no shared data")
    rng = random.Random(0)
    scene = Scenes([BUILT_IN], Corpus(None, rng), Backgrounds(folder, rng, procedural=0.0), rng).make()
    assert scene.picture.std() > 5
