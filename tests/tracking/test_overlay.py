"""Detection of overlays and scene changes."""

import numpy as np

from stream_ocr.core.geometry import rectangle
from stream_ocr.tracking.overlay import PersistenceCheck, SceneCounter

LOGO = rectangle(500, 20, 80, 30)


def scene_image(seed: int) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(0, 256, (9, 16), dtype=np.uint8)
    return np.kron(blocks, np.ones((40, 40), dtype=np.uint8))


def detect_overlay(seeds: list[int], step_s: float, *, moves_px: float = 0.0) -> list[bool]:
    scenes, check, found = SceneCounter(), PersistenceCheck(LOGO, 0.0, 0), []
    for n, seed in enumerate(seeds):
        scenes.update(scene_image(seed))
        check.update(LOGO + [n * moves_px, 0], n * step_s, scenes.scene_count)
        found.append(check.is_overlay)
    return found


def test_persistence_check_detects_an_overlay_after_two_scenes_and_ten_seconds() -> None:
    assert detect_overlay([1, 2, 3, 4, 5], 4.0) == [False, False, False, True, True]


def test_persistence_check_ignores_a_text_without_scene_changes() -> None:
    assert not any(detect_overlay([1] * 10, 4.0))


def test_persistence_check_ignores_a_subtitle_that_spans_a_cut() -> None:
    assert not any(detect_overlay([1, 1, 2, 2], 2.0))


def test_persistence_check_ignores_a_text_that_moves() -> None:
    assert not any(detect_overlay(list(range(10)), 4.0, moves_px=20))


def test_scene_counter_ignores_noise_and_brightness() -> None:
    scenes, rng = SceneCounter(), np.random.default_rng(0)
    for gain in (1.0, 0.9, 0.6, 0.8):
        grain = rng.normal(0, 8, (360, 640))
        scenes.update(np.clip(scene_image(1) * gain + grain, 0, 255).astype(np.uint8))
    assert scenes.scene_count == 0
