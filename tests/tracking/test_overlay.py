"""What belongs to the channel is told from what belongs to the scene."""

import numpy as np

from stream_ocr.core.geometry import rectangle
from stream_ocr.tracking.overlay import PersistenceCheck, Scenes

LOGO = rectangle(500, 20, 80, 30)


def picture(seed: int) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(0, 256, (9, 16), dtype=np.uint8)
    return np.kron(blocks, np.ones((40, 40), dtype=np.uint8))


def watched(seeds: list[int], step_s: float, *, moves_px: float = 0.0) -> list[bool]:
    scenes, stay, known = Scenes(), PersistenceCheck(LOGO, 0.0, 0), []
    for n, seed in enumerate(seeds):
        scenes.see(picture(seed))
        stay.see(LOGO + [n * moves_px, 0], n * step_s, scenes.passed)
        known.append(stay.is_overlay)
    return known


def test_what_outlives_scenes_in_its_place_is_an_overlay_once_it_has_stood_for_ten_seconds() -> None:
    assert watched([1, 2, 3, 4, 5], 4.0) == [False, False, False, True, True]


def test_a_sign_before_a_camera_that_rests_is_none() -> None:
    assert not any(watched([1] * 10, 4.0))


def test_a_subtitle_that_stands_through_a_cut_is_none() -> None:
    assert not any(watched([1, 1, 2, 2], 2.0))


def test_what_moves_with_the_camera_is_none() -> None:
    assert not any(watched(list(range(10)), 4.0, moves_px=20))


def test_noise_and_light_are_no_other_scene() -> None:
    scenes, rng = Scenes(), np.random.default_rng(0)
    for gain in (1.0, 0.9, 0.6, 0.8):
        grain = rng.normal(0, 8, (360, 640))
        scenes.see(np.clip(picture(1) * gain + grain, 0, 255).astype(np.uint8))
    assert scenes.passed == 0
