"""Which texts are read: new ones, changed ones, and those seen clearly better than before. Nothing else."""

from dataclasses import dataclass

import numpy as np

from stream_ocr.geometry import extent

_BETTER_AREA = 1.5


@dataclass(slots=True)
class _Looks:
    view: int
    taken: int
    last_s: float
    area: float


class ReadingGate:
    """Counts the looks at each view of each text."""

    def __init__(self, looks: int, pause_s: float) -> None:
        """looks: at most so many of one view. pause_s: between the first two; it doubles with each."""
        self._most, self._pause_s = looks, pause_s
        self._looks: dict[int, _Looks] = {}

    def wants(self, track: int, view: int, quad: np.ndarray, time_s: float) -> bool:
        """Whether a settled text is to be read now; counts it as read when it is."""
        width, height = extent(quad)
        area = width * height
        known = self._looks.get(track)
        if known is None or known.view != view:
            self._looks[track] = _Looks(view, 1, time_s, area)
            return True
        again = known.taken < self._most and time_s - known.last_s >= self._pause_s * 2 ** (known.taken - 1)
        if again or area > _BETTER_AREA * known.area:
            self._looks[track] = _Looks(view, known.taken + 1, time_s, max(area, known.area))
            return True
        return False

    def forget(self, track: int) -> None:
        """The text is gone."""
        self._looks.pop(track, None)
