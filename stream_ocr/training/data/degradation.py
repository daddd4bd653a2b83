"""Degrade pictures as light, lens, sensor and codec do."""

import random
from fractions import Fraction

import av
import cv2
import numpy as np


def capture(picture: np.ndarray, rng: random.Random, noise: np.random.Generator) -> np.ndarray:
    """Apply light, blur, low resolution, noise, gamma and compression, each at random.

    picture: (H, W, 3) float32 0–255. Returns (H, W, 3) uint8.
    """
    height, width = picture.shape[:2]
    u = rng.random()
    if u < 0.16:
        shade(picture, rng)
    elif u < 0.24:
        glare(picture, rng)
    u = rng.random()
    if u < 0.22:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.7))
    elif u < 0.34:
        picture = cv2.filter2D(picture, -1, motion(rng.randint(3, 10), rng.uniform(0, 180)))
    elif u < 0.5:
        zoom = rng.uniform(0.4, 0.85)
        small = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (width, height), interpolation=rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC)))
    if rng.random() < 0.35:
        grain = noise.standard_normal((height, width, 1 if rng.random() < 0.6 else 3), np.float32)
        picture = picture + grain * rng.uniform(2, 15)
    if rng.random() < 0.3:
        picture = 255 * (np.clip(picture, 0, 255) / 255) ** rng.uniform(0.6, 1.7)
    pixels = np.clip(picture, 0, 255).astype(np.uint8)
    u = rng.random()
    if u < 0.04:
        return combed(pixels, rng.randint(2, 8))
    if u < 0.14:
        return compressed(pixels, rng.randint(10, 40))
    if u < 0.4:
        return encoded(pixels, rng.randint(23, 40), rng)
    return pixels


def shade(picture: np.ndarray, rng: random.Random) -> None:
    """Add the edge of a shadow, in place."""
    height, width = picture.shape[:2]
    corners = [[rng.randint(-width, 2 * width) // 4, rng.randint(-height, 2 * height) // 4] for _ in range(3)]
    mask = cv2.fillPoly(np.zeros((height // 4, width // 4), np.float32), [np.array(corners)], 1.0)
    soft = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 8))
    picture *= 1 - cv2.resize(soft, (width, height))[..., None] * rng.uniform(0.2, 0.65)


def glare(picture: np.ndarray, rng: random.Random) -> None:
    """Add a soft patch of light, in place."""
    height, width = picture.shape[:2]
    centre = rng.randrange(width // 4), rng.randrange(height // 4)
    axes, mask = (rng.randint(5, 40), rng.randint(5, 40)), np.zeros((height // 4, width // 4), np.float32)
    cv2.ellipse(mask, centre, axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
    picture += cv2.resize(cv2.GaussianBlur(mask, (0, 0), 8), (width, height))[..., None] * rng.uniform(30, 130)


def motion(length: int, angle: float) -> np.ndarray:
    """Return the kernel of a straight motion of ``length`` pixels at ``angle`` degrees."""
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), angle, 1)
    turned = cv2.warpAffine(kernel, turn, (length, length))
    return turned / max(float(turned.sum()), 1e-3)


def compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    """Return the image after JPEG compression at that quality."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def combed(picture: np.ndarray, shift: int) -> np.ndarray:
    """Return two fields of an interlaced video between which everything moved by ``shift`` pixels."""
    woven = picture.copy()
    woven[1::2, shift:] = picture[1::2, :-shift]
    return woven


def encoded(picture: np.ndarray, quality: int, rng: random.Random) -> np.ndarray:
    """Return the last of a few frames of an H.264 video that pans over the image, at a constant rate factor.

    picture: (H, W, 3) uint8 with even sides.
    """
    height, width = picture.shape[:2]
    encoder = av.VideoCodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuv420p", Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = {"crf": str(quality), "preset": "veryfast", "tune": "zerolatency"}
    decoder = av.VideoCodecContext.create("h264", "r")
    decoder.thread_count = 1
    step_x, step_y = rng.randint(-6, 6), rng.randint(-2, 2)
    seen = [picture]
    for back in range(rng.randint(0, 2), -1, -1):
        frame = av.VideoFrame.from_ndarray(np.roll(picture, (back * step_y, back * step_x), (0, 1)), format="rgb24")
        for packet in encoder.encode(frame):
            seen += [decoded.to_ndarray(format="rgb24") for decoded in decoder.decode(packet)]
    for packet in encoder.encode(None):
        seen += [decoded.to_ndarray(format="rgb24") for decoded in decoder.decode(packet)]
    seen += [decoded.to_ndarray(format="rgb24") for decoded in decoder.decode(None)]
    return seen[-1]
