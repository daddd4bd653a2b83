"""The picture behind a reading, for those who keep it."""

import cv2
import numpy as np

_QUALITY = 75


class Evidence:
    """The latest crop of one text that was read as it is believed to read."""

    def __init__(self) -> None:
        self._fresh: np.ndarray | None = None

    def add(self, crop_HW: np.ndarray, text: str, believed: str) -> None:
        """A crop, uint8, that was read as ``text``; of the looks so far ``believed`` came."""
        if text.split() == believed.split():
            self._fresh = crop_HW.copy()  # its slot goes back

    def take(self) -> bytes | None:
        """As WebP, once."""
        if self._fresh is None:
            return None
        done, data = cv2.imencode(".webp", self._fresh, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
        assert done, "uint8 can be encoded"
        self._fresh = None
        return data.tobytes()
