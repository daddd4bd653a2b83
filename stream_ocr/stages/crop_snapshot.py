"""Pictures of crops that are stored with events."""

import cv2
import numpy as np

from stream_ocr.stages.thresholds import SNAPSHOT


class CropSnapshot:
    """The latest crop of one text whose reading agrees with the combined one."""

    def __init__(self) -> None:
        self._crop: np.ndarray | None = None

    def add(self, crop: np.ndarray, text: str, combined: str) -> None:
        """Keep a crop, (H, W) uint8, if it was read as ``text`` and all readings so far combine to the same words."""
        if text.split() == combined.split():
            self._crop = crop.copy()  # its slot is reused

    def take(self) -> bytes | None:
        """Return the crop as WebP, once; None if there is no new one."""
        if self._crop is None:
            return None
        done, data = cv2.imencode(".webp", self._crop, [cv2.IMWRITE_WEBP_QUALITY, SNAPSHOT.webp_quality])
        assert done, "uint8 can be encoded"
        self._crop = None
        return data.tobytes()
