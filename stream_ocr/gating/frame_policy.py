"""Frame policy: how much work a frame gets. Decided once, in the stages that decode."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.config.sources import SourceSettings
from stream_ocr.core.frame import Frame
from stream_ocr.core.messages import FrameAction
from stream_ocr.gating.change_detection import ChangeDetector, FrameDiff
from stream_ocr.gating.detection_schedule import DetectionSchedule, Rows
from stream_ocr.gating.fine_pass import FinePassScheduler
from stream_ocr.gating.thresholds import CHANGE, FINE_PASS, TIME_TOLERANCE_S


class FrameDecision(NamedTuple):
    """Work for one frame.

    cut: most of the picture was replaced since the previous frame. rows: pixel rows for the detector, from the first to
    the one after the last; None: all.
    """

    action: FrameAction
    cut: bool
    rows: tuple[int, int] | None


SKIP = FrameDecision("skip", cut=False, rows=None)


class FramePolicy:
    """Decides how much work each frame of a stream gets. Frames may change their size.

    Each decision other than "skip" is followed by ``commit`` when the frame goes on, or by ``cancel`` when it cannot.
    """

    def __init__(self, settings: Settings, source: SourceSettings | None = None) -> None:
        """Create the policy. source: its regions and masks limit which parts of the frame count, if it has any."""
        detection = settings.detection
        max_fps = source.max_fps or detection.max_fps if source else detection.max_fps
        self._change_threshold, self._max_fps = settings.gating.change_threshold, max_fps
        self._schedule = DetectionSchedule(detection.idle_fps, max_fps)
        network_side = detection.long_side if detection.fine_pass == "auto" else None
        self._min_fine_side = FINE_PASS.min_downscale * network_side if network_side else float("inf")  # pixels
        self._fine_passes: FinePassScheduler | None = None
        self._includes = source.includes if source is not None and (source.regions or source.masks) else None
        self._size: tuple[int, int] | None = None
        self._compared_s = float("-inf")  # last full comparison

    def decide(self, frame: Frame, time_s: float, *, interval_scale: float = 1.0) -> FrameDecision:
        """Return the work for the next frame.

        time_s: media time. interval_scale: factor by which detector runs are further apart than usual (load shedding).
        """
        if frame.size != self._size:
            self._resize(frame)
        diff = self._compare(frame, time_s)
        if self._included_tiles is not None:
            diff = _restricted_to(self._included_tiles, diff)
        action, rows = self._schedule.decide(diff, time_s, interval_scale=interval_scale)
        if self._fine_passes:
            self._fine_passes.update(diff, time_s)
            if action in ("skip", "track") and (
                due := self._fine_passes.due_rows(time_s, interval_scale=interval_scale)
            ):
                action, rows = "detect_fine", due
        return FrameDecision(action, diff.cut, rows and self._pixel_rows(rows, frame))

    def commit(self, frame: Frame) -> None:
        """Confirm that a frame goes on: the next ones are compared with it."""
        self._change_detector.set_reference(frame)

    def cancel(self, decision: FrameDecision) -> None:
        """Take a decision back: the frame was dropped, and its detector run becomes due again."""
        if decision.action == "detect":
            self._schedule.reschedule()
        elif decision.action == "detect_fine" and self._fine_passes:
            self._fine_passes.reschedule()

    def _resize(self, frame: Frame) -> None:
        self._size = width, height = frame.size
        self._change_detector = ChangeDetector(
            16 if width * height > CHANGE.coarse_cell_pixels else 8, self._change_threshold
        )
        self._fine_passes = FinePassScheduler(self._max_fps) if max(frame.size) >= self._min_fine_side else None
        self._included_tiles = (
            None if self._includes is None else _included_tiles(self._includes, self._change_detector, frame)
        )

    def _compare(self, frame: Frame, time_s: float) -> FrameDiff:
        """Return the difference of a frame, assuming motion where the result would not matter.

        While the detector is to process all rows anyway, a full comparison now and then tells whether the picture still
        moves. Fine passes need to know what has come to rest.
        """
        due = time_s - self._compared_s >= CHANGE.full_comparison_interval_s - TIME_TOLERANCE_S
        if due or self._fine_passes or not self._schedule.all_rows_pending:
            self._compared_s = time_s
            return self._change_detector.compare(frame, time_s)
        return self._change_detector.assume_moving(frame, time_s)

    def _pixel_rows(self, rows: Rows, frame: Frame) -> tuple[int, int] | None:
        """Return rows of tiles as rows of pixels, None for all of them."""
        (first, last), tile, height = rows, self._change_detector.tile, frame.size[1]
        return (first * tile, min(last * tile, height)) if first or last * tile < height else None


def _restricted_to(tiles: np.ndarray, diff: FrameDiff) -> FrameDiff:
    """Return the difference within some tiles; a cut counts only where any of them changed."""
    mask = diff.mask & tiles
    return replace(
        diff,
        mask=mask,
        fraction=float(mask.mean()),
        cut=diff.cut and bool(mask.any()),
        onset=diff.onset & mask.any(axis=1),
    )


def _included_tiles(
    includes: Callable[[tuple[float, float]], bool], detector: ChangeDetector, frame: Frame
) -> np.ndarray:
    """Return the tiles of which the centre, an edge's middle or a corner counts, (rows, columns) bool."""
    (width, height), tile = frame.size, detector.tile
    rows, columns = -(-height // tile), -(-width // tile)
    included = np.zeros((rows, columns), dtype=bool)
    for row, column in np.ndindex(rows, columns):
        right, bottom = min((column + 1) * tile, width) - 0.5, min((row + 1) * tile, height) - 0.5
        left, top = column * tile + 0.5, row * tile + 0.5
        points = ((x, y) for x in (left, (left + right) / 2, right) for y in (top, (top + bottom) / 2, bottom))
        included[row, column] = any(includes((x / width, y / height)) for x, y in points)
    return included
