"""Backgrounds of synthetic clips: cheap to draw and deterministic."""

from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np

from stream_ocr.synthetic.thresholds import BACKGROUNDS

BackgroundName = Literal["moving", "pan", "static", "black", "noise"]
BackgroundFactory = Callable[[tuple[int, int], int], Callable[[float], np.ndarray]]
"""Maps a size (width, height) and a seed to a function from the time in seconds to a new (H, W, 3) uint8 RGB
picture."""


def make_background(kind: BackgroundName, size: tuple[int, int], seed: int) -> Callable[[float], np.ndarray]:
    """Return a function from the time in seconds to a new (H, W, 3) uint8 RGB picture."""
    rng = np.random.default_rng(seed)
    width, height = size
    if kind == "black":
        return lambda _: np.zeros((height, width, 3), dtype=np.uint8)
    margin, reach = BACKGROUNDS.pan_margin_px, BACKGROUNDS.pan_margin_px // 2
    whole = texture(width + margin, height + margin, rng)
    still = whole[reach:, reach:][:height, :width]
    if kind == "static":
        return lambda _: still.copy()
    if kind == "noise":
        shift = BACKGROUNDS.noise_margin_px
        size_of_grain = (height + shift, width + shift, 1)
        grain = rng.normal(0, BACKGROUNDS.noise_levels, size=size_of_grain).astype(np.int8)

        def noisy(_: float) -> np.ndarray:
            dx, dy = rng.integers(0, shift, 2)
            grainy = still.astype(np.int16) + grain[dy : dy + height, dx : dx + width]
            picture: np.ndarray = np.clip(grainy, 0, 255).astype(np.uint8)
            return picture

        return noisy

    def panned(time_s: float) -> np.ndarray:
        dx, dy = reach * (1 + np.sin(0.21 * time_s)), reach * (1 + np.sin(0.13 * time_s + 1))
        return whole[int(dy) :, int(dx) :][:height, :width].copy()

    if kind == "pan":
        return panned
    count = BACKGROUNDS.discs
    colours = rng.integers(30, 220, (count, 3)).tolist()
    speeds, phases = rng.uniform(0.2, 0.9, (count, 2)), rng.uniform(0, 6.28, (count, 2))
    radii = (rng.uniform(0.05, 0.14, count) * height).astype(int)

    def moving(time_s: float) -> np.ndarray:
        picture = panned(time_s)
        centres = (0.5 + 0.45 * np.sin(speeds * time_s + phases)) * (width, height)
        for (x, y), radius, colour in zip(centres.astype(int).tolist(), radii.tolist(), colours, strict=True):
            cv2.circle(picture, (x, y), radius, colour, cv2.FILLED, cv2.LINE_AA)
        return picture

    return moving


def texture(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Return a picture with statistics similar to a photograph: noise at all scales and some hard edges."""
    picture: np.ndarray = np.zeros((height, width, 3), dtype=np.float32)
    for cells in (3, 6, 12, 25, 50, 100, 200):
        grey = rng.normal(size=(cells * height // width + 2, cells, 1))
        tint = rng.normal(size=(cells * height // width + 2, cells, 3)) * 0.35
        clouds = (grey + tint).astype(np.float32) / cells**0.85
        picture += cv2.resize(clouds, (width, height), interpolation=cv2.INTER_CUBIC)
    picture = np.clip(105 + 42 * (picture - picture.mean()) / picture.std(), 0, 255).astype(np.uint8)
    for _ in range(24):
        x, y, w, h = (int(v) for v in rng.integers((0, 0, 10, 10), (width, height, width // 5, height // 3)))
        patch = picture[y : y + h, x : x + w]
        cv2.addWeighted(patch, 0.45, np.full_like(patch, rng.integers(20, 220, 3)), 0.55, 0, patch)
    return picture
