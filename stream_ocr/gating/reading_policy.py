"""Which texts are read: new ones, changed ones, and those seen clearly better than before. Nothing else."""

from dataclasses import dataclass

import numpy as np

from stream_ocr.core.geometry import side_lengths

_BETTER_AREA = 1.5
_BURST = 4.0  # views that are read one after the other before a text that goes on changing must wait


@dataclass(slots=True)
class _Looks:
    view: int
    taken: int
    last_s: float
    area: float
    drifts: int
    credit: float  # views that may be read at viewed_s
    viewed_s: float  # when this view was first read


class ReadingPolicy:
    """Counts the looks at each view of each text."""

    def __init__(self, looks: int, pause_s: float, views_per_s: float) -> None:
        """looks: at most so many of one view. pause_s: between the first two; it doubles with each.

        views_per_s: of a text that never comes to rest, such as a counter of frames.
        """
        self._most, self._pause_s, self._views_per_s = looks, pause_s, views_per_s
        self._looks: dict[int, _Looks] = {}

    def wants(self, track: int, view: int, drifts: int, quad: np.ndarray, time_s: float) -> bool:
        """Whether a settled text is to be read now; counts it as read when it is.

        view: the last one. drifts: how often the text has come to look different little by little.
        """
        width, height = side_lengths(quad)
        area = width * height
        known = self._looks.get(track)
        if known is None:
            self._looks[track] = _Looks(view, 1, time_s, area, drifts, _BURST - 1, time_s)
            return True
        if known.view != view:
            credit = min(_BURST, known.credit + (time_s - known.viewed_s) * self._views_per_s)
            if credit < 1:
                return False
            self._looks[track] = _Looks(view, 1, time_s, area, drifts, credit - 1, time_s)
            return True
        pause_s = self._pause_s * 2 ** min(known.taken - 1, self._most)
        again = known.taken < self._most or drifts > known.drifts
        if (again and time_s - known.last_s >= pause_s) or area > _BETTER_AREA * known.area:
            known.taken, known.last_s, known.drifts = known.taken + 1, time_s, drifts
            known.area = max(area, known.area)
            return True
        return False

    def knows(self, track: int) -> bool:
        """Whether the text has been read."""
        return track in self._looks

    def forget(self, track: int) -> None:
        """The text is gone."""
        self._looks.pop(track, None)

    def forget_all(self) -> None:
        """What was read is not known any more."""
        self._looks.clear()
