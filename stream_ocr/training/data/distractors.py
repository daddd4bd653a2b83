"""Negatives that resemble text: bars, lattices, windows, bricks, foliage, shelves, arrows."""

from collections.abc import Callable

import cv2
import numpy as np

Shape = Callable[[np.ndarray, np.random.Generator], None]


def add_distractor(picture: np.ndarray, rng: np.random.Generator) -> None:
    """Blend one such texture into a part of ``picture``, (H, W, 3) float32 RGB 0–255, in place."""
    height, width = picture.shape[:2]
    h, w = int(height * rng.uniform(0.06, 0.8)), int(width * rng.uniform(0.08, 0.95))
    top, left = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
    mask = np.zeros((h, w), np.uint8)
    SHAPES[int(rng.integers(len(SHAPES)))](mask, rng)
    if rng.random() < 0.5:
        turn = cv2.getRotationMatrix2D((w / 2, h / 2), rng.uniform(-30, 30), rng.uniform(0.8, 1.2))
        mask = np.asarray(cv2.warpAffine(mask, turn, (w, h)), np.uint8)
    if rng.random() < 0.4:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 2)), np.uint8)
    part, opacity = picture[top : top + h, left : left + w], rng.uniform(0.25, 1.0)
    _blend(part, mask, opacity, rng)
    if rng.random() < 0.3:
        thick = int(rng.integers(3, 8))
        _blend(part, cv2.dilate(mask, np.ones((thick, thick), np.uint8)) - mask, opacity, rng)


def _blend(part: np.ndarray, mask: np.ndarray, opacity: float, rng: np.random.Generator) -> None:
    """Blend towards any colour, or in half of the cases a grey."""
    colour = rng.uniform(0, 255, 3) if rng.random() < 0.5 else np.full(3, rng.uniform(0, 255))
    part += mask.astype(np.float32)[..., None] * (opacity / 255) * (colour.astype(np.float32) - part)


def bars(mask: np.ndarray, rng: np.random.Generator) -> None:
    """Paint a bar code, fence or crossing: upright strokes of even or uneven pitch, as dense as letters."""
    thick, even, x = int(rng.integers(1, 8 if rng.random() < 0.7 else 20)), rng.random() < 0.6, 0
    while x < mask.shape[1]:
        stroke = thick if even else int(rng.integers(1, thick + 1))
        mask[:, x : x + stroke] = 255
        x += 2 * thick + 1 if even else stroke + int(rng.integers(1, 2 * thick + 2))
    if rng.random() < 0.4:
        y = int(rng.integers(0, mask.shape[0]))
        mask[y : y + thick] = 255


def lattice(mask: np.ndarray, rng: np.random.Generator) -> None:
    """Paint a grille, railing or scaffolding: uprights with short bars between them, in rows."""
    height, width = mask.shape
    step, thick = int(rng.integers(5, 26)), int(rng.integers(1, 4))
    tall = step * int(rng.integers(2, 7))
    for x in range(0, width, step):
        cv2.line(mask, (x, 0), (x, height), 255, thick)
    share, slant = rng.uniform(0.2, 1), step if rng.random() < 0.5 else 0
    for y in range(int(rng.integers(tall)), height, tall):
        for x in range(0, width, step):
            if rng.random() < share:
                cv2.line(mask, (x, y), (x + step, y + int(rng.integers(-slant, slant + 1))), 255, thick)
        if rng.random() < 0.5:
            cv2.line(mask, (0, y), (width, y), 255, thick)


def shelf(mask: np.ndarray, rng: np.random.Generator) -> None:
    """Paint upright things of uneven width and height on a common base, in rows: books, bottles, people."""
    height, width = mask.shape
    tall, gap = int(rng.integers(8, 60)), int(rng.integers(1, 8))
    for base in range(tall, height + tall, int(tall * rng.uniform(1.1, 2.5))):
        x = int(rng.integers(0, 10))
        while x < width:
            wide = max(1, int(tall * rng.uniform(0.1, 0.7)))
            top = base - int(tall * rng.uniform(0.6, 1))
            mask[max(top, 0) : base, x : x + wide] = 255
            x += wide + int(rng.integers(1, gap + 1))


def windows(mask: np.ndarray, rng: np.random.Generator) -> None:
    """Paint rows of windows, often with a frame inside: what façades are mistaken for."""
    w, h, gap = int(rng.integers(5, 40)), int(rng.integers(6, 48)), int(rng.integers(2, 16))
    apart, panes = (gap, gap % 2 == 1) if rng.random() < 0.5 else (int(w * rng.uniform(0.3, 1.6)) + 1, True)
    for y in range(0, mask.shape[0], h + (gap if apart == gap else int(h * rng.uniform(0.3, 1.2)) + 1)):
        for x in range(0, mask.shape[1], w + apart):
            mask[y : y + h, x : x + w] = 255
            if w > 12 and panes:
                mask[y : y + h, x + w // 2 : x + w // 2 + 1] = 0
                mask[y + h // 2 : y + h // 2 + 1, x : x + w] = 0


def bricks(mask: np.ndarray, rng: np.random.Generator) -> None:
    """Paint the joints of a wall."""
    length, thick = int(rng.integers(12, 50)), int(rng.integers(1, 3))
    for row, y in enumerate(range(0, mask.shape[0], max(length // 2, 1))):
        mask[y : y + thick] = 255
        for x in range(row % 2 * length // 2, mask.shape[1], length):
            mask[y : y + length // 2, x : x + thick] = 255


def twigs(mask: np.ndarray, rng: np.random.Generator) -> None:
    """Paint short strokes in all directions."""
    height, width = mask.shape
    thick, reach = int(rng.integers(1, 5)), int(rng.integers(6, 60))
    for _ in range(int(rng.integers(5, 60))):
        start = rng.integers(0, (width, height))
        end = start + rng.integers(-reach, reach + 1, 2)
        cv2.line(mask, start.tolist(), end.tolist(), 255, thick, cv2.LINE_AA)


def rings(mask: np.ndarray, rng: np.random.Generator) -> None:
    """Paint discs, rings and bows: wheels, lamps, handles, which resemble the letter O."""
    for _ in range(int(rng.integers(1, 9))):
        centre, axes = rng.integers(0, mask.shape[::-1]), rng.integers(3, 50, 2)
        end, thick = (360 if rng.random() < 0.7 else int(rng.integers(60, 300))), int(rng.integers(-1, 7)) or 1
        cv2.ellipse(mask, centre.tolist(), axes.tolist(), rng.uniform(0, 180), 0, end, 255, thick, cv2.LINE_AA)


def arrows(mask: np.ndarray, rng: np.random.Generator) -> None:
    """Paint triangles, arrows and other flat polygons."""
    for _ in range(int(rng.integers(1, 6))):
        corners = rng.integers(0, mask.shape[::-1]) + rng.integers(-40, 40, (int(rng.integers(3, 7)), 2))
        cv2.fillPoly(mask, [corners.astype(np.int32)], 255, cv2.LINE_AA)


def leaves(mask: np.ndarray, rng: np.random.Generator) -> None:
    """Paint blotches at the scale of letters: foliage, gravel, fur."""
    height, width = mask.shape
    grain = int(rng.integers(2, 12))
    noise = rng.random((height // grain + 2, width // grain + 2), dtype=np.float32)
    grown = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    mask[:] = np.clip((grown - rng.uniform(0.45, 0.75)) * 1500, 0, 255)


def frame(mask: np.ndarray, rng: np.random.Generator) -> None:
    """Paint an empty box or plate: the shape of a sign is not its text."""
    height, width = mask.shape
    thick = -1 if rng.random() < 0.5 else int(rng.integers(1, 8))
    cv2.rectangle(mask, (2, 2), (width - 3, height - 3), 255, thick)


def checks(mask: np.ndarray, rng: np.random.Generator) -> None:
    """Paint square dots as in a QR code, a mosaic or a bit pattern."""
    height, width = mask.shape
    cell = int(rng.integers(2, 12))
    bits = (rng.random((height // cell + 1, width // cell + 1)) < rng.uniform(0.25, 0.6)).astype(np.uint8) * 255
    mask[:] = cv2.resize(bits, None, fx=cell, fy=cell, interpolation=cv2.INTER_NEAREST)[:height, :width]


SHAPES: tuple[Shape, ...] = (bars, lattice, shelf, windows, bricks, twigs, rings, arrows, leaves, frame, checks)
