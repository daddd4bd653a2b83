"""Pieces of the line generator that know nothing of text: the warp to the final size, and what spoils a picture."""

import random

import cv2
import numpy as np

from stream_ocr.training.data.thresholds import LINES


def warped(mask: np.ndarray, quad: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the part of the mask inside `quad` as float 0..1 of `(height, width)`, smoothed where it shrinks much."""
    shrink = float(np.linalg.norm(quad[3] - quad[0])) / height
    if shrink > 1.5:
        size = max(2, round(shrink))
        mask = cv2.blur(mask, (size, size))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(np.ascontiguousarray(quad, np.float32), target)
    part = cv2.warpPerspective(mask, matrix, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(part, np.float32) / 255


def damaged(picture: np.ndarray, hardness: float, rng: random.Random, grain: np.ndarray) -> np.ndarray:
    """Apply blur, motion, noise and JPEG at random; return uint8. grain: standard normal noise to take pieces from."""
    u, scale = rng.random(), picture.shape[0] / LINES.effect_height_px
    if u < 0.30 * hardness:
        picture = cv2.GaussianBlur(picture, (0, 0), max(0.3, rng.uniform(0.3, 1.15) * scale))
    elif u < 0.36 * hardness:
        picture = cv2.GaussianBlur(picture, (0, 0), max(0.3, rng.uniform(1.15, 2.0) * scale))
    elif u < 0.46 * hardness:
        size = rng.choice((3, 3, 5, 7) if picture.shape[0] > 20 else (3, 3, 5))
        picture = cv2.blur(picture, (size, 1) if rng.random() < 0.7 else (1, size))
    if rng.random() < 0.4 * hardness:
        start = rng.randrange(grain.size - picture.size)
        piece = grain[start : start + picture.size].reshape(picture.shape)
        picture = picture + piece * rng.uniform(1, 11)
    image: np.ndarray = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.4 * hardness:
        _, packed = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, rng.randint(15, 80)))
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE))
    return image
