"""Backgrounds: pieces of photographs, or generated surfaces."""

import random
from pathlib import Path

import cv2
import numpy as np

from stream_ocr.training.data.thresholds import BACKGROUNDS


class Backgrounds:
    """Draws patches of any size from a folder of photographs without text; without photographs all are generated.

    A few photographs are held at a time and changed one by one, so memory stays small and a patch costs microseconds.
    """

    def __init__(self, folder: Path | None, rng: random.Random, *, procedural: float = 0.25) -> None:
        self._rng = rng
        self._numpy = np.random.default_rng(rng.getrandbits(64))
        self._files = (
            sorted(p for p in folder.iterdir() if p.suffix in (".jpg", ".jpeg", ".png"))
            if folder and folder.is_dir()
            else []
        )
        self._procedural = procedural if self._files else 1.0
        self._pool: list[np.ndarray] = []

    def patch(self, height: int, width: int) -> np.ndarray:
        """Return a background of ``(height, width, 3)``, RGB uint8, which the caller may draw on."""
        if self._rng.random() < self._procedural:
            return self._surface(height, width)
        return self._piece(self._photo(), height, width)

    def _photo(self) -> np.ndarray:
        if (
            len(self._pool) < min(BACKGROUNDS.pool, len(self._files))
            or self._rng.random() < 1 / BACKGROUNDS.patches_per_photo
        ):
            path = self._rng.choice(self._files)
            photo = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
            if photo is None:
                raise OSError(f"{path} is not a readable picture; remove it from the folder of backgrounds")
            if len(self._pool) == BACKGROUNDS.pool:
                self._pool.pop(self._rng.randrange(BACKGROUNDS.pool))
            self._pool.append(photo)
        return self._rng.choice(self._pool)

    def _piece(self, photo: np.ndarray, height: int, width: int) -> np.ndarray:
        rng, (rows, columns) = self._rng, photo.shape[:2]
        zoom = 3 ** rng.uniform(-1, 1)
        crop_height, crop_width = min(rows, max(8, int(height * zoom))), min(columns, max(8, int(width * zoom)))
        top, left = rng.randint(0, rows - crop_height), rng.randint(0, columns - crop_width)
        crop = photo[top : top + crop_height, left : left + crop_width]
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        return cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR)

    def _surface(self, height: int, width: int) -> np.ndarray:
        """Return a plain colour with, at random, a gradient, stains, stripes and grain."""
        rng = self._rng
        ground = np.full((height, width, 3), [rng.uniform(0, 255) for _ in range(3)], np.float32)
        if rng.random() < 0.5:
            slope_y, slope_x = rng.uniform(-60, 60), rng.uniform(-60, 60)
            ramp = np.linspace(-slope_y, slope_y, height)[:, None] + np.linspace(-slope_x, slope_x, width)[None, :]
            ground += ramp[:, :, None].astype(np.float32)
        if rng.random() < 0.5:
            cells = self._numpy.normal(0, rng.uniform(4, 40), (rng.randint(2, 8), rng.randint(2, 12))).astype(
                np.float32
            )
            ground += cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)[:, :, None]
        if rng.random() < 0.2:
            period, depth = rng.uniform(4, max(8, height)), rng.uniform(5, 60)
            y, x = np.mgrid[:height, :width].astype(np.float32)
            angle = rng.uniform(0, np.pi)
            wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period))
            ground += depth * (np.sign(wave) if rng.random() < 0.5 else wave)[:, :, None]
        if rng.random() < 0.5:
            ground += self._numpy.standard_normal((height, width, 1), np.float32) * rng.uniform(1, 10)
        return np.clip(ground, 0, 255).astype(np.uint8)
