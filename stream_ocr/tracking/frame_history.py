"""The last second or so of pictures, small, to find the frame at which a text first showed.

Detection runs a few times a second; the frame at which a text appeared lies somewhere before. The text's own
picture is looked for in the frames before, one by one, until it is not there.
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from stream_ocr.core.geometry import inside
from stream_ocr.tracking.template_matching import HEIGHT, find, residuals

_MAX_HEIGHT = 720
_SAME_SCORE = 0.5
_SAME_GAIN = 0.5
_SAME_RESIDUAL = 0.5
UNKNOWN_REACH, _KNOWN_REACH = 20, 6  # pixels of the view to search, before and once the velocity is known


@dataclass(frozen=True, slots=True)
class FirstSight:
    """The first frame that shows a text: its time, the quad there, and the mean velocity since in pixels a second."""

    time_s: float
    quad: np.ndarray
    velocity: np.ndarray


class FrameHistory:
    """Small copies of recent luma planes with their media times."""

    def __init__(self, length_s: float = 1.5) -> None:
        self._length_s = length_s
        self._frames: deque[tuple[float, np.ndarray]] = deque()
        self._scale = 1.0

    def add(self, time_s: float, luma: np.ndarray | None) -> None:
        """Remember a frame; None where nothing changed. luma is kept without a copy where it is small."""
        if luma is not None:
            # Averaging by a whole factor is many times faster than by any other.
            factor = -(-luma.shape[0] // _MAX_HEIGHT)
            self._scale = 1 / factor
            whole = luma[: luma.shape[0] // factor * factor, : luma.shape[1] // factor * factor]
            size = (luma.shape[1] // factor, luma.shape[0] // factor)
            small = luma if factor == 1 else cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
        elif self._frames:
            small = self._frames[-1][1]
        else:
            return
        self._frames.append((time_s, small))
        while time_s - self._frames[0][0] > self._length_s:
            self._frames.popleft()

    @property
    def scale(self) -> float:
        """Of the pictures, against the frames."""
        return self._scale

    def pictures(self) -> list[tuple[float, np.ndarray]]:
        """Those that are remembered with their times, without repetitions."""
        kept: list[tuple[float, np.ndarray]] = []
        for time_s, picture in self._frames:
            if not kept or kept[-1][1] is not picture:
                kept.append((time_s, picture))
        return kept

    def frames_since(self, time_s: float) -> int:
        """How many of those that are remembered are from ``time_s`` on, without the last one."""
        return sum(since_s >= time_s for since_s, _ in self._frames) - 1

    @property
    def since_s(self) -> float:
        """Time of the first frame that is remembered."""
        return self._frames[0][0]

    @property
    def now_s(self) -> float:
        """Time of the last frame."""
        return self._frames[-1][0]

    def first_sight(
        self,
        quad: np.ndarray,
        template: np.ndarray,
        noise: np.ndarray,
        within_s: float = float("inf"),
        reach: int = UNKNOWN_REACH,
    ) -> FirstSight:
        """Since when the text that now stands in ``quad`` has been there, at most ``within_s`` ago.

        template, noise: its view and what each pixel of it usually differs by, as in ``appearance``. reach: pixels of
        the view in which it is searched in the frame before.
        """
        now_s, picture = self._frames[-1]
        place = quad * self._scale
        pixels = float(np.linalg.norm(place[3] - place[0])) / HEIGHT
        axes = np.stack([_unit(place[1] - place[0]), _unit(place[3] - place[0])])
        first_s, moved, step = now_s, np.zeros(2), np.zeros(2)
        whole = inside(place, (picture.shape[1], picture.shape[0]))
        for time_s, earlier in list(self._frames)[-2::-1]:
            if now_s - time_s > within_s:
                break
            if earlier is not picture:
                guess = place + moved + step
                if whole and not inside(guess, (earlier.shape[1], earlier.shape[0])):
                    break
                match = find(earlier, guess, template, reach)
                gone = match.score < _SAME_SCORE or match.gain < _SAME_GAIN
                if gone or residuals(match.view, template, noise).max() > _SAME_RESIDUAL:
                    break
                step = step + np.array(match.shift) * pixels @ axes
                moved = moved + step
                picture, reach = earlier, min(reach, _KNOWN_REACH)
            else:
                step = np.zeros(2)
            first_s = time_s
        moved = moved / self._scale
        velocity = -moved / (now_s - first_s) if now_s > first_s else np.zeros(2)
        return FirstSight(first_s, quad + moved, velocity)

    def clear(self) -> None:
        """Forget everything, at a break in the stream."""
        self._frames.clear()


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
