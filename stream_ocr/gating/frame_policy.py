"""How much of the work a picture is worth: decided once, in the stages that make frames."""

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
from stream_ocr.gating.fine_pass import LARGE, FinePassScheduler

_LARGE = 4_000_000  # pixels, from which the change map may be coarser
_TAKEN = 3  # frames in a row that are taken to go on moving


class FrameDecision(NamedTuple):
    """cut: most changed at once. rows: for the detector, from the first to the one after the last; None: all."""

    action: FrameAction
    cut: bool
    rows: tuple[int, int] | None


SKIP = FrameDecision("skip", False, None)


class FramePolicy:
    """Compares the pictures of one stream, whatever their size becomes."""

    def __init__(self, settings: Settings, source: SourceSettings | None = None) -> None:
        """source: whose regions and masks say what of the picture counts, where it has any."""
        detection = settings.detection
        most_per_s = source.max_fps or detection.max_fps if source else detection.max_fps
        self._threshold, self._most_per_s = settings.gating.change_threshold, most_per_s
        self._cadence = DetectionSchedule(detection.idle_fps, most_per_s)
        by_side = detection.long_side if detection.fine_pass == "auto" else None
        self._large = LARGE * by_side if by_side else float("inf")  # pixels of the longer side
        self._scrutiny: FinePassScheduler | None = None
        self._counts = source.includes if source is not None and (source.regions or source.masks) else None
        self._size: tuple[int, int] | None = None
        self._taken = 0  # frames since it was seen that things move

    def look(self, frame: Frame, time_s: float, *, stretch: float = 1.0) -> FrameDecision:
        """How much a frame is worth."""
        if frame.size != self._size:
            self._size = frame.size
            cell = 16 if frame.size[0] * frame.size[1] > _LARGE else 8
            self._change = ChangeDetector(cell, self._threshold)
            self._scrutiny = FinePassScheduler(self._most_per_s) if max(frame.size) >= self._large else None
            self._wanted = None if self._counts is None else _tiles_that_count(self._counts, self._change, frame)
        change = self._compared(frame)
        if self._wanted is not None:
            change = _within(self._wanted, change)
        look, rows = self._cadence.look(change, time_s, stretch=stretch)
        if self._scrutiny:
            self._scrutiny.see(change, time_s)
            if look in ("skip", "track") and (close := self._scrutiny.rows(time_s, stretch=stretch)):
                look, rows = "detect_fine", close
        return FrameDecision(look, change.cut, rows and self._pixels(rows, frame))

    def _compared(self, frame: Frame) -> FrameDiff:
        """Where everything has moved since the detector looked, it is enough to find out now and then if it still does,
        but for close looks, which are at what has come to rest."""
        if self._taken < _TAKEN and self._cadence.sated and not self._scrutiny:
            self._taken += 1
            return self._change.moving(frame)
        self._taken = 0
        return self._change.changed(frame)

    def _pixels(self, rows: Rows, frame: Frame) -> tuple[int, int] | None:
        """Rows of tiles as rows of pixels, None for all of them."""
        (first, last), tile, height = rows, self._change.tile, frame.size[1]
        return (first * tile, min(last * tile, height)) if first or last * tile < height else None

    def handed_on(self, frame: Frame) -> None:
        """A frame that was worth something goes on; the next ones are compared with it."""
        self._change.processed(frame)

    def dropped(self, look: FrameAction) -> None:
        """A frame that was worth so much could not go on."""
        if look == "detect":
            self._cadence.owe()
        elif look == "detect_fine" and self._scrutiny:
            self._scrutiny.owe()


def _within(wanted: np.ndarray, change: FrameDiff) -> FrameDiff:
    """What changed in the tiles that count; a cut only where any of them did."""
    mask = change.mask & wanted
    return replace(
        change,
        mask=mask,
        fraction=float(mask.mean()),
        cut=change.cut and bool(mask.any()),
        sudden=change.sudden & mask.any(axis=1),
    )


def _tiles_that_count(
    counts: Callable[[tuple[float, float]], bool], change: ChangeDetector, frame: Frame
) -> np.ndarray:
    """(rows, columns) bool: tiles of which the middle or a corner counts."""
    (width, height), tile = frame.size, change.tile
    rows, columns = -(-height // tile), -(-width // tile)
    wanted = np.zeros((rows, columns), dtype=bool)
    for row, column in np.ndindex(rows, columns):
        right, bottom = min((column + 1) * tile, width) - 0.5, min((row + 1) * tile, height) - 0.5
        left, top = column * tile + 0.5, row * tile + 0.5
        points = ((x, y) for x in (left, (left + right) / 2, right) for y in (top, (top + bottom) / 2, bottom))
        wanted[row, column] = any(counts((x / width, y / height)) for x, y in points)
    return wanted
