"""Overlays: texts of the channel rather than the scene, such as logos, clocks and watermarks.

An overlay keeps its place while the scenes change.
"""

import cv2
import numpy as np

from stream_ocr.core.frame import ncc
from stream_ocr.core.geometry import side_lengths
from stream_ocr.tracking.thresholds import OVERLAY

_THUMBNAIL_SIZE = (32, 18)  # width and height: too small for text and small motion to count


class SceneCounter:
    """Counts scene changes, by cuts or gradual.

    scene_count: changes so far.
    """

    def __init__(self) -> None:
        self.scene_count = 0
        self._thumbnail: np.ndarray | None = None

    def update(self, luma: np.ndarray) -> None:
        """Compare a frame with the scene. luma: (H, W) uint8; a few frames per second are enough."""
        thumbnail = cv2.resize(luma, _THUMBNAIL_SIZE, interpolation=cv2.INTER_AREA)
        if float(thumbnail.std()) < OVERLAY.min_contrast:  # a blank between two scenes
            return
        if self._thumbnail is None or ncc(thumbnail, self._thumbnail) <= OVERLAY.same_scene_score:
            self.scene_count += self._thumbnail is not None
            self._thumbnail = thumbnail


class PersistenceCheck:
    """Detects an overlay: a text that has kept its place for long enough and through enough scenes.

    is_overlay: stays true once it is.
    """

    def __init__(self, quad: np.ndarray, time_s: float, scene_count: int) -> None:
        self._quad, self._since_s, self._since_scene = quad, time_s, scene_count
        self.is_overlay = False

    def update(self, quad: np.ndarray, time_s: float, scene_count: int) -> None:
        """Take the present place of the text and the number of scenes so far into account."""
        shift = np.abs(quad.mean(axis=0) - self._quad.mean(axis=0)).max()
        if shift > OVERLAY.max_shift * side_lengths(quad)[1]:
            self._quad, self._since_s, self._since_scene = quad, time_s, scene_count
        elif scene_count - self._since_scene >= OVERLAY.min_scenes and time_s - self._since_s >= OVERLAY.min_age_s:
            self.is_overlay = True
