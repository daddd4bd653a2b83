"""How our own recogniser wants its lines: 32 pixels high, resized to one of a few widths. Without torch."""

from typing import Final

import cv2
import numpy as np

HEIGHT: Final = 32
WIDTHS: Final = (32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896)
ASPECT: Final = 1.35
"""Crops are stretched by this much, so that narrow letters keep their columns."""
COLUMNS_PER_STEP: Final = 4


def width_for(height: int, width: int) -> int:
    """The bucket for a crop of this size: of `WIDTHS`, the nearest to the crop's width at height 32 times `ASPECT`."""
    wanted = HEIGHT * ASPECT * width / max(1, height)
    return min(WIDTHS, key=lambda bucket: abs(bucket - wanted))


def fit(crop_HW: np.ndarray, width: int | None = None) -> np.ndarray:
    """A grey crop resized to 32 x its bucket (or x `width`), uint8."""
    height = crop_HW.shape[0]
    size = (width or width_for(*crop_HW.shape[:2]), HEIGHT)
    if crop_HW.shape[:2] == (size[1], size[0]):
        return crop_HW
    shrinks, grows = height > 1.4 * HEIGHT, height < HEIGHT
    return cv2.resize(
        crop_HW, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC if grows else cv2.INTER_LINEAR
    )


def normalised(crops_BHW: np.ndarray) -> np.ndarray:
    """Crops of one width, 0..255, as the net's input (B, 1, H, W) float32; as ``crnn.normalise``."""
    x_BHW = crops_BHW.astype(np.float32)
    mean, deviation = x_BHW.mean(axis=(1, 2), keepdims=True), x_BHW.std(axis=(1, 2), keepdims=True)
    return np.asarray((x_BHW - mean) / (deviation + 8))[:, None]
