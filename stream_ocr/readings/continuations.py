"""Continuations: a text that the tracker lost for a moment and found again as another track is one text in the events.

A flash, a wipe or a graphic that flies past may change its pixels so much that the tracker does not recognise it. The
same letters in the expected place are then taken for the same text.
"""

from collections.abc import Iterable

import numpy as np
from msgspec import structs

from stream_ocr.core.geometry import from_flat, side_lengths
from stream_ocr.core.messages import Reading
from stream_ocr.readings.similarity import has_same_letters, without_spaces
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

    It must be near the place where the text is expected, all of its corners within a multiple of its height. A text
    that moves is expected further on, and for longer than one at rest: two captions do not follow each other there.
    A long text may be further off: it may start to move from one frame to the next.
    """
    letters = without_spaces(text)
    if gone.hidden_s is None or not has_same_letters(new.text, text):
        return False
    gap_s, last = new.start_s - gone.hidden_s, from_flat(gone.quad)
    height_px = side_lengths(last)[1]
    moved_px = (last - from_flat(gone.start_quad)).mean(axis=0) / max(gone.hidden_s - gone.start_s, 1e-9) * gap_s
    moves = np.linalg.norm(moved_px) > CONTINUATION.min_motion * height_px
    is_long = len(letters) >= CONTINUATION.long_text
    max_gap_s = CONTINUATION.max_gap_in_motion_s if moves else CONTINUATION.max_gap_s
    max_distance = CONTINUATION.max_distance_long if is_long else CONTINUATION.max_distance
    distances_px = np.linalg.norm(from_flat(new.start_quad) - last - moved_px, axis=1)
    return bool(abs(gap_s) <= max_gap_s and distances_px.max() <= max_distance * height_px)
