"""Words cut out of photographs and pasted onto other images."""

import random
import tarfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from stream_ocr.core.geometry import rectangle
from stream_ocr.training.data.compositing import Canvas
from stream_ocr.training.data.thresholds import COMPOSITING
from stream_ocr.training.data.word_crops import is_validation


class RealWords:
    """Draws word crops from archives with `labels.tsv`: of the part to train on, or of the part that is kept aside."""

    def __init__(self, archives: Sequence[Path], rng: random.Random, *, kept_aside: bool = False) -> None:
        self._rng = rng
        self._files: list[bytes] = []
        for archive in archives:
            with tarfile.open(archive) as tar:
                for member in tar.getmembers():
                    name = Path(member.name).as_posix()
                    file = tar.extractfile(member) if name.endswith((".jpg", ".png")) else None
                    if file is not None and is_validation(f"{archive.stem}/{name}") == kept_aside:
                        self._files.append(file.read())

    def __len__(self) -> int:
        return len(self._files)

    def draw(self) -> np.ndarray:
        """Return a word, (h, w, 3) uint8 RGB. Raise OSError for a file that is not an image."""
        word = cv2.imdecode(np.frombuffer(self._rng.choice(self._files), np.uint8), cv2.IMREAD_COLOR_RGB)
        if word is None:
            raise OSError("A word of the archives is no picture that can be read; check what real_words names.")
        return np.asarray(word)


def paste(canvas: Canvas, word: np.ndarray, rng: random.Random) -> None:
    """Paste a word at about its own size somewhere in the image, unless that place is taken.

    Round it its edges go on, blurred, and fade into the ground; or they end as a sign does.
    """
    height = word.shape[0] * rng.uniform(0.6, 1.2)
    height = min(height, canvas.size[1] * rng.uniform(0.1, 0.4))
    scale = max(height, COMPOSITING.min_word_px) / word.shape[0]
    margin = round(word.shape[0] * rng.uniform(0.15, 0.8)) + 1
    around = cv2.copyMakeBorder(word, *(margin,) * 4, cv2.BORDER_REPLICATE).astype(np.float32)
    patch = cv2.GaussianBlur(around, (0, 0), margin / 2)
    h, w = word.shape[:2]
    patch[margin : margin + h, margin : margin + w] = word
    alpha = np.ones(patch.shape[:2], np.float32)
    if rng.random() < 0.7:
        rise = np.linspace(0, 1, margin, dtype=np.float32)
        along, across = (np.concatenate([rise, np.ones(n, np.float32), rise[::-1]]) for n in (w, h))
        alpha = across[:, None] * along[None]

    size = np.array([patch.shape[1], patch.shape[0]])
    turn = np.deg2rad(rng.gauss(0, 5))
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = rectangle(0, 0, *size) @ matrix.T
    corners -= corners.min(axis=0)
    room = np.array(canvas.size) - corners.max(axis=0) - 2
    if (room <= 0).any():
        return
    corners += np.array([rng.uniform(0, room[0]), rng.uniform(0, room[1])])
    if not canvas.take(corners):
        return
    shift = corners[0]
    warp = np.column_stack([matrix, shift])
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, canvas.size)
    to_part = warp - np.array([[0, 0, left], [0, 0, top]])
    part = canvas.picture[top:bottom, left:right]
    target = (int(right - left), int(bottom - top))
    there = cv2.warpAffine(alpha, to_part, target, flags=cv2.INTER_LINEAR)[..., None]
    part += there * (cv2.warpAffine(patch, to_part, target, flags=cv2.INTER_AREA) - part)
    canvas.quads.append((rectangle(margin, margin, w, h) @ matrix.T + shift).astype(np.float32))
