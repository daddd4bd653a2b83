"""Variations of real word crops, and the split by which `recognizer-small` and the detector keep some aside."""

import hashlib
import random

import cv2
import numpy as np

from stream_ocr.evaluation.recognition_metrics import Sample
from stream_ocr.models.recognition.preprocess import resize_line
from stream_ocr.training.data.thresholds import SPLITS


def is_validation(name: str) -> bool:
    """Return whether a crop is kept for validation; its name alone decides, for one in five."""
    return hashlib.sha256(name.encode()).digest()[0] < 256 * SPLITS.word_share


def augment(sample: Sample, rng: random.Random) -> Sample:
    """Return the crop as another camera and detector might have given it, resized to a width of the net."""
    image, text = sample
    if min(image.shape) >= 12:
        image = _seen_again(image, rng)
    stretched = cv2.resize(image, (max(4, round(image.shape[1] * float(np.exp(rng.gauss(0, 0.15))))), image.shape[0]))
    if rng.random() < 0.2:
        smaller = rng.uniform(10, 24) / stretched.shape[0]
        if smaller < 1 and stretched.shape[1] * smaller >= 4:
            stretched = cv2.resize(stretched, None, fx=smaller, fy=smaller, interpolation=cv2.INTER_AREA)
    image = resize_line(stretched).astype(np.float32)
    if rng.random() < 0.3:
        image = 255 - image
    if rng.random() < 0.3:
        image = (image - 128) * rng.uniform(0.4, 1.3) + 128 + rng.uniform(-40, 40)
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.0))
    if rng.random() < 0.3:
        slope, shift = rng.gauss(0, 0.12), rng.uniform(-1.5, 1.5)
        rows, columns = image.shape
        matrix = np.array([[1, slope, -slope * rows / 2], [rng.gauss(0, 0.01), 1, shift]], np.float32)
        image = cv2.warpAffine(image, matrix, (columns, rows), borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.3:
        noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(image.shape, np.float32)
        image = image + noise * rng.uniform(1, 8)
    return Sample(np.clip(image, 0, 255).astype(np.uint8), text)


def _seen_again(image: np.ndarray, rng: random.Random) -> np.ndarray:
    """Return the crop through another quad: closer or looser, each corner for itself, turned a little."""
    height, width = image.shape
    left, right = (rng.gauss(0.01, 0.04) * height for _ in range(2))
    top, bottom = (rng.gauss(0.01, 0.04) * height for _ in range(2))
    quad = np.array(
        [[left, top], [width - right, top], [width - right, height - bottom], [left, height - bottom]], np.float32
    )
    if rng.random() < 0.5:
        quad += np.array([[rng.gauss(0, 0.04) * height for _ in range(2)] for _ in range(4)], np.float32)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad, target)
    return np.asarray(cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))
