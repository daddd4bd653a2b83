"""How our own recogniser wants its lines: 32 pixels high, resized to one of a few widths. Without torch."""

import cv2
import numpy as np

from stream_ocr.models.recognition.input_sizes import HEIGHT, width_for


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
