"""Recent frames, downscaled, and the backward search for the frame in which a text first appeared.

Detection runs a few times per second, so a text appeared in some frame before the one in which it was detected. Its
template is matched in earlier frames, one by one, until it is not found.
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from stream_ocr.core.geometry import is_inside
from stream_ocr.tracking.local_motion import local_shift
from stream_ocr.tracking.template_matching import TemplateMatch, block_residuals, match_template
from stream_ocr.tracking.thresholds import FRAME_HISTORY, TEMPLATE


@dataclass(frozen=True, slots=True)
class FirstAppearance:
    """The first frame that shows a text.

    time_s: its media time. quad: place of the text in it, (4, 2). velocity: mean velocity since, (x, y) in pixels per
    second; None if no earlier frame than the last one shows it.
    """

    time_s: float
    quad: np.ndarray
    velocity: np.ndarray | None


class FrameHistory:
    """Keeps downscaled copies of recent luma planes with their media times."""

    def __init__(self) -> None:
        self._frames: deque[tuple[float, np.ndarray]] = deque()
        self._scale = 1.0

    def add(self, time_s: float, luma: np.ndarray | None) -> None:
        """Add a frame. luma: (H, W) uint8, kept without a copy if it is small; None: the frame before again."""
        if luma is not None:
            # Averaging by a whole factor is many times faster than by any other.
            factor = -(-luma.shape[0] // FRAME_HISTORY.max_height)
            self._scale = 1 / factor
            whole = luma[: luma.shape[0] // factor * factor, : luma.shape[1] // factor * factor]
            size = (luma.shape[1] // factor, luma.shape[0] // factor)
            small = luma if factor == 1 else cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
        elif self._frames:
            small = self._frames[-1][1]
        else:
            return
        self._frames.append((time_s, small))
        # The frame before the first one that is young enough stays: a single frame may last for longer.
        while len(self._frames) > 1 and time_s - self._frames[1][0] > FRAME_HISTORY.length_s:
            self._frames.popleft()

    @property
    def scale(self) -> float:
        """Size of the copies relative to the frames, at most 1."""
        return self._scale

    @property
    def oldest_s(self) -> float:
        """Media time of the first frame that is kept."""
        return self._frames[0][0]

    @property
    def latest_s(self) -> float:
        """Media time of the last frame."""
        return self._frames[-1][0]

    @property
    def frame_s(self) -> float:
        """Mean time between two frames in seconds; 0 for fewer than two."""
        steps = len(self._frames) - 1
        return (self.latest_s - self.oldest_s) / steps if steps > 0 else 0.0

    def distinct_frames(self) -> list[tuple[float, np.ndarray]]:
        """Return (media time, luma) of the copies, without repeated frames."""
        kept: list[tuple[float, np.ndarray]] = []
        for time_s, luma in self._frames:
            if not kept or kept[-1][1] is not luma:
                kept.append((time_s, luma))
        return kept

    def count_since(self, time_s: float) -> int:
        """Return the number of frames from ``time_s`` on, without the last one."""
        return sum(frame_s >= time_s for frame_s, _ in self._frames) - 1

    def find_first_appearance(
        self,
        quad: np.ndarray,
        template: np.ndarray,
        tolerance: np.ndarray,
        within_s: float = float("inf"),
        reach: int = FRAME_HISTORY.unknown_reach,
        before_s: float = float("inf"),
    ) -> FirstAppearance:
        """Return the first of the consecutive frames, up to the last one before ``before_s``, that show a text.

        quad: its place in that last frame, (4, 2). template, tolerance: as of its ``AppearanceModel``. within_s:
        maximum age of the frame in seconds. reach: radius of the search in the frame before the last, in patch pixels.
        """
        frames = [frame for frame in self._frames if frame[0] < before_s] or [self._frames[0]]
        now_s, luma = frames[-1]
        place = quad * self._scale
        pixels = float(np.linalg.norm(place[3] - place[0])) / TEMPLATE.patch_height_px
        axes = np.stack([_unit(place[1] - place[0]), _unit(place[3] - place[0])])
        first_s, moved, step = now_s, np.zeros(2), np.zeros(2)
        contrast = 1.0
        if self._scale < 1 and before_s == float("inf"):  # reducing has taken contrast from small letters
            contrast = min(match_template(luma, place, template, FRAME_HISTORY.known_reach).gain, 1.0)
        complete = is_inside(place, (luma.shape[1], luma.shape[0]))
        for time_s, earlier in frames[-2::-1]:
            if now_s - time_s > within_s:
                break
            if earlier is not luma:
                predicted = place + moved + step
                if complete and not is_inside(predicted, (earlier.shape[1], earlier.shape[0])):
                    break
                match = match_template(earlier, predicted, template, reach)
                if not _is_shown(match, template, tolerance, contrast):
                    shift = local_shift(luma, earlier, place) if first_s == now_s else None
                    if shift is None or np.linalg.norm(shift) < reach * pixels:
                        break
                    step, predicted = shift, place + shift
                    match = match_template(earlier, predicted, template, FRAME_HISTORY.known_reach)
                    if match.score < FRAME_HISTORY.min_far_score or not _is_shown(match, template, tolerance, contrast):
                        break
                step = step + np.array(match.shift) * pixels @ axes
                moved = moved + step
                luma, reach = earlier, min(reach, FRAME_HISTORY.known_reach)
            else:
                step = np.zeros(2)
            first_s = time_s
        moved = moved / self._scale
        velocity = -moved / (now_s - first_s) if now_s > first_s else None
        return FirstAppearance(first_s, quad + moved, velocity)

    def clear(self) -> None:
        """Remove all frames, at a break in the stream."""
        self._frames.clear()


def _is_shown(match: TemplateMatch, template: np.ndarray, tolerance: np.ndarray, contrast: float) -> bool:
    """Return True if a text was found in an earlier frame, and is the same. contrast: its gain in the last frame."""
    far = max(map(abs, match.shift)) > FRAME_HISTORY.max_rest_shift
    min_score = FRAME_HISTORY.min_far_score if far else FRAME_HISTORY.min_score
    if match.score < min_score or match.gain < FRAME_HISTORY.min_gain * contrast:
        return False
    return bool(block_residuals(match.patch, template, tolerance).max() <= FRAME_HISTORY.max_residual)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
