"""Continuations: a text that the tracker lost for a moment and found again as another track is one text in the events.

A flash, a wipe or a graphic that flies past may change a text beyond recognition by its pixels. Its letters then tell
that it is the same.
"""

from collections.abc import Iterable

import numpy as np
from msgspec import structs

from stream_ocr.core.geometry import bounding_box, from_flat, side_lengths
from stream_ocr.core.messages import Reading
from stream_ocr.readings.similarity import without_spaces
from stream_ocr.readings.thresholds import CONTINUATION


class Continuations:
    """Event tracks that go on as other tracks of the tracker."""

    def __init__(self) -> None:
        self._event_ids: dict[int, int] = {}  # by track of the tracker
        self._left: set[int] = set()  # tracks of the tracker whose text has gone on as another one

    def keep(self, tracks: Iterable[int]) -> set[int]:
        """Forget all tracks of the tracker but these; return their ids in the events."""
        listed = set(tracks)
        self._left &= listed
        self._event_ids = {track: id_ for track, id_ in self._event_ids.items() if track in listed}
        return {self._event_ids.get(track, track) for track in listed - self._left}

    def rename(self, reading: Reading) -> Reading | None:
        """Return a reading under its id in the events; None for a track whose text goes on as another one."""
        if reading.track in self._left:
            return None
        id_ = self._event_ids.get(reading.track)
        return reading if id_ is None else structs.replace(reading, track=id_)

    def follow(self, event_id: int, track: int) -> None:
        """Let the text of a track of the events go on as another track of the tracker."""
        before = next((each for each, id_ in self._event_ids.items() if id_ == event_id), event_id)
        self._event_ids.pop(before, None)
        self._left.add(before)
        self._event_ids[track] = event_id


def is_continued_by(gone: Reading, text: str, new: Reading) -> bool:
    """Return True if a reading shows a text again that has just gone. gone: its last reading; text: as reported.

    A text that moves is expected further on, for longer than one at rest: two captions do not follow each other there.
    A long text that starts to move may jump by some heights from one frame to the next.
    """
    if gone.hidden_s is None or without_spaces(new.text) != without_spaces(text):
        return False
    gap_s, last, first = new.start_s - gone.hidden_s, from_flat(gone.quad), from_flat(new.start_quad)
    is_long = len(without_spaces(text)) >= CONTINUATION.long_text
    if abs(gap_s) <= CONTINUATION.max_gap_s and is_long and _jumped(last, first):
        return True
    moved_px = (last - from_flat(gone.start_quad)).mean(axis=0) / max(gone.hidden_s - gone.start_s, 1e-9) * gap_s
    moves = float(np.linalg.norm(moved_px)) > CONTINUATION.min_motion * side_lengths(last)[1]
    max_gap_s = CONTINUATION.max_gap_in_motion_s if moves else CONTINUATION.max_gap_s
    return abs(gap_s) <= max_gap_s and _overlap(last + moved_px, first) >= CONTINUATION.min_overlap


def _jumped(quad: np.ndarray, other: np.ndarray) -> bool:
    """Return True if two quads, (4, 2), are of about the same size, and not far from each other."""
    sizes = np.array(side_lengths(quad)) / np.array(side_lengths(other))
    distance = float(np.linalg.norm(other.mean(axis=0) - quad.mean(axis=0)))
    alike = max(sizes.max(), 1 / sizes.min()) <= CONTINUATION.max_size_ratio
    return bool(alike and distance <= CONTINUATION.max_jump * side_lengths(quad)[1])


def _overlap(quad: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection over union of the bounding boxes of two quads, (4, 2)."""
    left, top, right, bottom = bounding_box(quad)
    other_left, other_top, other_right, other_bottom = bounding_box(other)
    width = max(0.0, min(right, other_right) - max(left, other_left))
    height = max(0.0, min(bottom, other_bottom) - max(top, other_top))
    union = (right - left) * (bottom - top) + (other_right - other_left) * (other_bottom - other_top) - width * height
    return width * height / max(union, 1e-9)
