"""What belongs to the channel and not to the scene: a logo, a clock, a watermark stay when the scenes change."""

import cv2
import numpy as np

from stream_ocr.core.frame import likeness
from stream_ocr.core.geometry import extent

_SIZE = (32, 18)
_LIKE = 0.6  # correlation below which the picture has become another one
_FLAT = 1.0  # grey levels of deviation
_LASTS_S = 10.0  # longer than subtitles stand
_OUTLIVED = 2  # pictures


class Scenes:
    """Counts how often the picture has become another one, by cuts or little by little."""

    def __init__(self) -> None:
        self.passed = 0
        self._picture: np.ndarray | None = None

    def see(self, luma: np.ndarray) -> None:
        """luma: (H, W) uint8, a few times a second."""
        small = cv2.resize(luma, _SIZE, interpolation=cv2.INTER_AREA)
        if float(small.std()) < _FLAT:  # between two scenes, and none
            return
        if self._picture is None or likeness(small, self._picture) <= _LIKE:
            self.passed += self._picture is not None
            self._picture = small


class PersistenceCheck:
    """How long a text has kept its place, and how many scenes it has outlived there."""

    def __init__(self, quad: np.ndarray, time_s: float, passed: int) -> None:
        self._place, self._since_s, self._passed = quad, time_s, passed
        self.is_overlay = False

    def see(self, quad: np.ndarray, time_s: float, passed: int) -> None:
        """quad: where the text is now. passed: scenes up to now."""
        if np.abs(quad.mean(axis=0) - self._place.mean(axis=0)).max() > extent(quad)[1] / 2:
            self._place, self._since_s, self._passed = quad, time_s, passed
        elif passed - self._passed >= _OUTLIVED and time_s - self._since_s >= _LASTS_S:
            self.is_overlay = True
