"""Negatives that resemble the letter O: balls, wheels, rings and lamps, at rest and in motion.

A detector that had been trained for longer took discs of films for a "0"; these teach it the difference. They are
shaded, spoked, banded or glowing, and two in five are blurred along their path, as a shutter blurs what moves.
"""

from collections.abc import Callable

import cv2
import numpy as np

from stream_ocr.training.data.degradation import motion
from stream_ocr.training.data.thresholds import DISCS

Kind = Callable[[np.ndarray, np.ndarray, float, np.random.Generator], None]
"""From (colour, alpha, radius, rng): paints into a square ``colour`` (multiplied by alpha) and ``alpha``, in place."""


def add_discs(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Paint one to six round things into ``picture``, (H, W, 3) float32 RGB 0–255, in place."""
    height, width = picture.shape[:2]
    kind, moving = KINDS[int(rng.integers(len(KINDS)))], rng.random() < DISCS.moving_share
    low, high = (share * height for share in DISCS.radius)
    radius = float(low * (high / low) ** rng.random())
    for _ in range(int(rng.integers(1, 7))):
        own = max(2.0, radius * float(np.exp(rng.normal(0, 0.15))))
        reach = int(2 * own) + 14
        side = 2 * reach + 1
        colour, alpha = np.zeros((side, side, 3), np.float32), np.zeros((side, side), np.float32)
        kind(colour, alpha, own, rng)
        if moving:
            blur = motion(int(rng.integers(3, max(4, int(own)))) | 1, rng.uniform(0, 180))
            colour[:], alpha[:] = cv2.filter2D(colour, -1, blur), cv2.filter2D(alpha, -1, blur)
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        left, top = max(0, x - reach), max(0, y - reach)
        right, bottom = min(width, x + reach + 1), min(height, y + reach + 1)
        there = np.s_[top - y + reach : bottom - y + reach, left - x + reach : right - x + reach]
        part = picture[top:bottom, left:right]
        part *= 1 - alpha[there][..., None]
        part += colour[there]  # already multiplied by alpha


def ball(colour: np.ndarray, alpha: np.ndarray, radius: float, rng: np.random.Generator) -> None:
    """Paint a shaded ball or an egg, with a highlight."""
    _ellipse(alpha, radius, rng, thick=-1)
    rows, columns = (np.indices(alpha.shape) / (alpha.shape[0] - 1) - 0.5).astype(np.float32)
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 160)
    shade = (np.cos(angle) * columns + np.sin(angle) * rows) * depth * alpha.shape[0] / (2 * radius)
    colour[:] = (_any_colour(rng) + shade[..., None]).clip(0, 255) * alpha[..., None]


def disc(colour: np.ndarray, alpha: np.ndarray, radius: float, rng: np.random.Generator) -> None:
    """Paint a flat disc or ellipse, at times with a rim or a hole of another colour."""
    _ellipse(alpha, radius, rng, thick=-1)
    colour[:] = _any_colour(rng)
    if rng.random() < 0.4:
        inner = np.zeros_like(alpha)
        _ellipse(inner, radius * rng.uniform(0.3, 0.85), rng, thick=-1)
        colour += inner[..., None] * (_any_colour(rng) - colour)
    colour *= alpha[..., None]


def ring(colour: np.ndarray, alpha: np.ndarray, radius: float, rng: np.random.Generator) -> None:
    """Paint a ring that is open in the middle, or a part of one."""
    _ellipse(alpha, radius, rng, thick=max(1, int(radius * rng.uniform(0.08, 0.5))))
    colour[:] = _any_colour(rng) * alpha[..., None]


def wheel(colour: np.ndarray, alpha: np.ndarray, radius: float, rng: np.random.Generator) -> None:
    """Paint a tyre, spokes and a hub."""
    _ellipse(alpha, radius, rng, thick=max(1, int(radius * rng.uniform(0.1, 0.4))))
    middle, spokes, turn = alpha.shape[0] // 2, int(rng.integers(3, 13)), rng.uniform(0, np.pi)
    for i in range(spokes):
        angle = turn + 2 * np.pi * i / spokes
        end = (round(middle + radius * np.cos(angle)), round(middle + radius * np.sin(angle)))
        cv2.line(alpha, (middle, middle), end, 1.0, max(1, int(radius * 0.06)), cv2.LINE_AA)
    cv2.circle(alpha, (middle, middle), max(1, int(radius * rng.uniform(0.1, 0.3))), 1.0, -1, cv2.LINE_AA)
    colour[:] = _any_colour(rng) * alpha[..., None]


def glow(colour: np.ndarray, alpha: np.ndarray, radius: float, rng: np.random.Generator) -> None:
    """Paint a lamp or a light out of focus."""
    _ellipse(alpha, radius, rng, thick=-1)
    alpha[:] = cv2.GaussianBlur(alpha, (0, 0), radius * rng.uniform(0.05, 0.4)) * rng.uniform(0.4, 1.0)
    colour[:] = rng.uniform((170, 150, 80), 255) * alpha[..., None]


def _ellipse(alpha: np.ndarray, radius: float, rng: np.random.Generator, *, thick: int) -> None:
    middle, mask = alpha.shape[0] // 2, np.zeros(alpha.shape, np.uint8)
    other = max(1, round(radius * (1.0 if rng.random() < 0.5 else rng.uniform(0.4, 1.0))))
    centre, axes = (middle, middle), (max(1, round(radius)), other)
    cv2.ellipse(mask, centre, axes, rng.uniform(0, 180), 0, 360, 255, thick, cv2.LINE_AA)
    alpha[:] = mask / np.float32(255)


def _any_colour(rng: np.random.Generator) -> np.ndarray:
    grey = rng.random() < 0.4
    return (np.full(3, rng.uniform(0, 255)) if grey else rng.uniform(0, 255, 3)).astype(np.float32)


KINDS: tuple[Kind, ...] = (
    ball,
    disc,
    disc,
    ring,
    wheel,
    glow,
)
