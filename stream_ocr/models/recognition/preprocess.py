"""Preprocessing of line crops: resizing to the inputs of a network. Free of torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from stream_ocr.models.recognition.input_sizes import ASPECT, CONTRAST_FLOOR, HEIGHT, WIDTHS, width_for
from stream_ocr.models.recognition.thresholds import THRESHOLDS

ModelInput = tuple[np.ndarray, int]
"""A grey crop (H, W) uint8, and the input width in pixels to which it is resized."""


class LineResizer(Protocol):
    """Resizes line crops to the inputs of a recogniser network."""

    @property
    def height(self) -> int:
        """Height of the input, in pixels."""
        ...

    @property
    def max_aspect(self) -> float:
        """Width of the longest line that is read in one piece, in heights."""
        ...

    def input_width(self, crop: np.ndarray) -> int:
        """Return the width of the input for a crop, in pixels."""
        ...

    def content_share(self, crop: np.ndarray) -> float:
        """Return the share of its input that a crop takes; the rest on the right is padding."""
        ...

    def retry_inputs(self, crop: np.ndarray) -> list[ModelInput]:
        """Return the inputs for further attempts at an unsure crop; none where they do not help."""
        ...

    def batch(self, crops: Sequence[np.ndarray], width: int) -> np.ndarray:
        """Return the network's input (B, C, height, width) float32 for crops of one input width."""
        ...


@dataclass(frozen=True, slots=True)
class PaddingResizer:
    """Keeps the aspect of lines and pads them on the right by ``margin`` pixels or more; values -1 to 1, padding 0.

    PP-OCR models are trained so. Without the margin they misread the last character.
    """

    height: int
    widths: tuple[int, ...]
    channels: int = 3
    margin: int = 16

    @property
    def max_aspect(self) -> float:
        return (self.widths[-1] - self.margin) / self.height

    def input_width(self, crop: np.ndarray) -> int:
        needed = self._scaled_width(crop) + self.margin
        return next((width for width in self.widths if width >= needed), self.widths[-1])

    def content_share(self, crop: np.ndarray) -> float:
        width = self.input_width(crop)
        return min(self._scaled_width(crop), width - self.margin) / width

    def retry_inputs(self, crop: np.ndarray) -> list[ModelInput]:  # noqa: ARG002 - no further input is known to help
        return []

    def batch(self, crops: Sequence[np.ndarray], width: int) -> np.ndarray:
        x_BCHW = np.zeros((len(crops), self.channels, self.height, width), dtype=np.float32)
        for x_CHW, crop in zip(x_BCHW, crops, strict=True):
            used = min(self._scaled_width(crop), width - self.margin)
            interpolation = cv2.INTER_AREA if crop.shape[0] > self.height else cv2.INTER_LINEAR
            resized = cv2.resize(crop, (used, self.height), interpolation=interpolation)
            x_CHW[:, :, :used] = resized.astype(np.float32) / 127.5 - 1.0
        return x_BCHW

    def _scaled_width(self, crop: np.ndarray) -> int:
        return max(1, round(crop.shape[1] * self.height / crop.shape[0]))


@dataclass(frozen=True, slots=True)
class StretchingResizer:
    """Stretches lines to the nearest of a few widths and never pads them, as the built-in network was trained."""

    height: int = HEIGHT
    max_aspect: float = WIDTHS[-1] / ASPECT / HEIGHT

    def input_width(self, crop: np.ndarray) -> int:
        return width_for(crop.shape[0], crop.shape[1])

    def content_share(self, crop: np.ndarray) -> float:  # noqa: ARG002 - crops are never padded
        return 1.0

    def retry_inputs(self, crop: np.ndarray) -> list[ModelInput]:
        """Return the crop trimmed on every side and stretched, in several ways; none for a crop too small to trim."""
        height, width = crop.shape
        if min(crop.shape) <= THRESHOLDS.retry_min_side_px:
            return []
        inputs: list[ModelInput] = []
        for trim_ratio, stretch in THRESHOLDS.retry_trims_and_stretches:
            edge = round(trim_ratio * height)
            trimmed = crop[edge : height - edge, edge : width - edge]
            if trimmed.shape[1] > 1:
                inputs.append((trimmed, width_for(trimmed.shape[0], round(trimmed.shape[1] * stretch))))
        return inputs

    def batch(self, crops: Sequence[np.ndarray], width: int) -> np.ndarray:
        return normalise_batch(np.stack([resize_line(crop, width) for crop in crops]))


def resize_line(crop_HW: np.ndarray, width: int | None = None) -> np.ndarray:
    """Return a grey crop resized to (32, ``width``) uint8; the width defaults to that of ``width_for``."""
    height = crop_HW.shape[0]
    size = (width or width_for(*crop_HW.shape[:2]), HEIGHT)
    if crop_HW.shape[:2] == (size[1], size[0]):
        return crop_HW
    shrinks, grows = height > THRESHOLDS.area_min_scale * HEIGHT, height < HEIGHT
    return cv2.resize(
        crop_HW, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC if grows else cv2.INTER_LINEAR
    )


def normalise_batch(crops_BHW: np.ndarray) -> np.ndarray:
    """Normalise crops of one width, 0 to 255, to (B, 1, H, W) float32, as ``crnn.normalise`` does."""
    x_BHW = crops_BHW.astype(np.float32)
    mean, deviation = x_BHW.mean(axis=(1, 2), keepdims=True), x_BHW.std(axis=(1, 2), keepdims=True)
    return np.asarray((x_BHW - mean) / (deviation + CONTRAST_FLOOR))[:, None]
