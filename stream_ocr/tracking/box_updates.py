"""Hysteresis of track boxes: what a new detection does to the box of a track that it continues.

The boxes of a detector jitter, cut letters and take in what lies beside the text, so a single detection rarely changes
the box of a confirmed track (decisions 0008, 0016 and 0017).
"""

from enum import Enum, auto

import numpy as np

from stream_ocr.core.geometry import side_lengths, uncovered_end
from stream_ocr.tracking.frame_history import FirstAppearance, FrameHistory
from stream_ocr.tracking.template_matching import extract_patch, patch_size
from stream_ocr.tracking.thresholds import APPEARANCE, BOX_UPDATE, MOTION, TEMPLATE


class BoxUpdate(Enum):
    """Effect of a detection on the box of its track."""

    KEEP = auto()
    """Nothing."""

    CORRECT = auto()
    """The same extent lies slightly elsewhere: move the box."""

    REPLACE = auto()
    """Fine detection sees more than the passes before: take its box; the text itself did not change."""

    RESTART = auto()
    """An unconfirmed text is still coming in or being written: begin again with this box."""

    RESIZE = auto()
    """The text has become longer or shorter."""

    RESIZE_IF_CALM = auto()
    """The text may have become longer by a letter: resize it if the background is calm and the change can be dated."""


class BoxHysteresis:
    """Decides, detection by detection, what happens to the box of one track."""

    def __init__(self, *, fine: bool) -> None:
        """fine: True if the first box came from fine detection, whose boxes coarser passes do not change."""
        self._fine = fine
        self.reset()

    def reset(self) -> None:
        """Forget earlier detections, because the track has got a new box."""
        self._shorter_count = self._longer_count = 0
        self._outlier: np.ndarray | None = None  # offset of the last box that lay elsewhere, (4, 2)

    def update(
        self, box: np.ndarray, detected: np.ndarray, *, fine: bool, leaving: bool, confirmed: bool, entering: bool
    ) -> BoxUpdate:
        """Return the effect of ``detected`` on the present ``box``, (4, 2) each.

        fine: it comes from fine detection. leaving: the edge of the frame now cuts the text. confirmed, entering:
        state of the track.
        """
        if self._fine and not fine:
            return BoxUpdate.KEEP
        first_fine, self._fine = fine and not self._fine, fine
        (length, height), new_length = side_lengths(box), side_lengths(detected)[0]
        margin = BOX_UPDATE.length_change * length + 2 * TEMPLATE.patch_margin_px * height / TEMPLATE.patch_height_px
        shorter = new_length < length - margin and not leaving
        self._shorter_count = self._shorter_count + 1 if shorter else 0
        longer = new_length > length + BOX_UPDATE.letter_height * height
        self._longer_count = self._longer_count + 1 if longer else 0
        offset = detected - box
        shifted = bool(np.abs(offset).max() > BOX_UPDATE.max_jitter * height)
        previous_outlier, self._outlier = self._outlier, offset if shifted else None
        if first_fine:
            return BoxUpdate.REPLACE if shifted else BoxUpdate.KEEP
        if not confirmed and (entering or longer):
            return BoxUpdate.RESTART
        if new_length > length + margin or self._longer_count > 1:
            return BoxUpdate.RESIZE
        if longer:
            return BoxUpdate.RESIZE_IF_CALM
        if self._shorter_count >= BOX_UPDATE.min_shorter_detections:
            return BoxUpdate.RESIZE
        if shifted and not shorter and not (confirmed and _is_first_outlier(offset, previous_outlier)):
            return BoxUpdate.CORRECT
        return BoxUpdate.KEEP


def find_resize_start(
    box: np.ndarray, detected: np.ndarray, luma: np.ndarray, history: FrameHistory, after_s: float
) -> FirstAppearance | None:
    """Return the first frame that shows the extent of ``detected``, or None if that was so from ``after_s`` on.

    Only the end by which ``detected`` differs from ``box``, (4, 2) each, is searched for. luma: (H, W) uint8, the last
    frame of ``history``. Also returns None if the change is older than the history.
    """
    end = uncovered_end(detected, box)
    patch = extract_patch(luma, end, patch_size(end))
    tolerance = np.full_like(patch, APPEARANCE.initial_tolerance)
    # A small reach, because similar letters may stand beside it.
    first = history.find_first_appearance(end, patch, tolerance, reach=MOTION.near_reach)
    if first.time_s <= max(after_s, history.oldest_s):
        return None
    return FirstAppearance(first.time_s, detected + (first.quad - end).mean(axis=0), first.velocity)


def _is_first_outlier(offset: np.ndarray, previous: np.ndarray | None) -> bool:
    """Return True unless the box before lay nearer to this one than to the box of the track."""
    return previous is None or bool(np.abs(offset - previous).max() > np.abs(offset).max())
