"""Crops of labelled photographs and frames for the detector, varied each time."""

import random
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from stream_ocr.evaluation.datasets import load_labelled_images
from stream_ocr.training.data import degradation
from stream_ocr.training.data.sample_pool import crop
from stream_ocr.training.data.scene import NO_QUADS, Scene
from stream_ocr.training.data.thresholds import CROPS, REAL_IMAGES, RealImageRecipe


class RealPictures:
    """Draws pieces of the pictures of several sets.

    sets: lists in JSON (see ``evaluation.datasets``), and how often each is drawn from relative to the others.
    recipe: how often the pieces are varied.
    """

    def __init__(self, sets: Mapping[Path, float], recipe: RealImageRecipe = REAL_IMAGES) -> None:
        self._recipe = recipe
        self._sets = [[(p.image, *_split(p.quads, p.cares)) for p in load_labelled_images(path)] for path in sets]
        self._weights = list(sets.values())

    def __len__(self) -> int:
        return sum(map(len, self._sets))

    def draw(self, rng: random.Random, noise: np.random.Generator, side: int, scales: tuple[float, float]) -> Scene:
        """Return a square crop of a random image, scaled within ``scales``."""
        image, quads, ignored = rng.choice(rng.choices(self._sets, self._weights)[0])
        scale = scales[0] * (scales[1] / scales[0]) ** rng.random()
        # Halving while decoding is cheaper than the warp, and does not alias.
        halved = scale < CROPS.halved_below
        flags = cv2.IMREAD_REDUCED_COLOR_2 if halved else cv2.IMREAD_COLOR
        bgr = cv2.imread(str(image), flags)
        if bgr is None:
            raise OSError(f"{image} is not a readable picture; remove it from its list.")
        if halved:
            quads, ignored, scale = quads / 2, ignored / 2, scale * 2
        piece = crop(Scene(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), quads, ignored), rng, side, scale)
        return changed(piece, rng, noise, self._recipe)


def changed(
    piece: Scene, rng: random.Random, noise: np.random.Generator, recipe: RealImageRecipe = REAL_IMAGES
) -> Scene:
    """Return the crop in another light, from another camera, or rotated; its quads stay clockwise."""
    picture = piece.picture
    if rng.random() < recipe.inverted_share:
        picture = 255 - picture
    if rng.random() < recipe.grey_share:
        picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    lit = (picture.astype(np.float32) - 128) * rng.uniform(0.7, 1.25) + 128 + rng.uniform(-30, 30)
    lit += np.array([rng.gauss(0, 6) for _ in range(3)], np.float32)
    degraded = rng.random() < recipe.degraded_share
    picture = degradation.capture(lit, rng, noise) if degraded else np.clip(lit, 0, 255).astype(np.uint8)
    quads, ignored = piece.quads, piece.ignored
    if rng.random() < recipe.mirrored_share:
        picture = np.ascontiguousarray(picture[:, ::-1])
        quads, ignored = (_mirrored(q, picture.shape[1]) for q in (quads, ignored))
    if rng.random() < recipe.rotated_share:
        picture = np.ascontiguousarray(picture.transpose(1, 0, 2)[:, ::-1])
        width = picture.shape[1]
        quads, ignored = (np.stack([width - q[..., 1], q[..., 0]], axis=-1) for q in (quads, ignored))
    return Scene(picture, quads, ignored)


def _mirrored(quads: np.ndarray, width: int) -> np.ndarray:
    """Return quads mirrored left to right, clockwise again."""
    turned = quads[:, [1, 0, 3, 2]]
    return np.stack([width - turned[..., 0], turned[..., 1]], axis=-1)


def _split(quads: list[np.ndarray], cares: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 4, 2) quads that count and that do not, clockwise; polygons become minimal rectangles."""
    pairs = [(_quad(quad), care) for quad, care in zip(quads, cares, strict=True)]
    counting, ignored = ([quad for quad, care in pairs if care is wanted] for wanted in (True, False))
    return tuple(np.array(q, np.float32).reshape(-1, 4, 2) if q else NO_QUADS for q in (counting, ignored))  # type: ignore[return-value]


def _quad(polygon: np.ndarray) -> np.ndarray:
    corners = polygon if len(polygon) == 4 else cv2.boxPoints(cv2.minAreaRect(polygon.astype(np.float32)))
    x, y = corners[:, 0], corners[:, 1]
    clockwise = np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) > 0
    return np.asarray(corners if clockwise else corners[::-1], np.float32)
