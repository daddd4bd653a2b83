"""Cuts of a film, found by the adaptive detector of PySceneDetect in reduced frames."""

from array import array
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scenedetect import AdaptiveDetector, FrameTimecode

from stream_ocr.core.color import frame_to_rgb
from stream_ocr.core.frame import Frame
from stream_ocr.sources.addresses import Video
from stream_ocr.sources.files import open_file
from stream_ocr.sources.thresholds import CUTS


@dataclass(frozen=True, slots=True)
class Cuts:
    """Cuts of a film. times_s: media times of the first frames after a cut. end_s: media time of the end.

    failure: sentence about a film that breaks off, or None.
    """

    times_s: tuple[float, ...]
    end_s: float
    failure: str | None


def find_cuts(
    video: Video, fps: float, max_pixels: int, progress: Callable[[float], None] = lambda _time_s: None
) -> Cuts:
    """Return the cuts of a video. fps: mean frame rate. max_pixels: largest frame size. progress: gets media times.

    Raise SourceError if nothing can be read.
    """
    detector = AdaptiveDetector(min_scene_len=CUTS.min_scene_s)
    starts_s, cuts = array("d"), []
    end_s = 0.0
    with open_file(video, stream="", max_pixels=max_pixels) as source:
        for number, decoded in enumerate(source):
            starts_s.append(decoded.stamp.time_s)
            end_s = decoded.stamp.end_s
            cuts += detector.process_frame(FrameTimecode(number, fps), _reduced(decoded.frame))
            progress(decoded.stamp.time_s)
        failure = source.failure
    return Cuts(tuple(starts_s[cut.frame_num] for cut in cuts), end_s, failure)


def _reduced(frame: Frame) -> np.ndarray:
    """Return a small picture, (H, W, 3) uint8 BGR."""
    width, height = frame.size
    scale = min(1.0, CUTS.width_px / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.ascontiguousarray(frame_to_rgb(frame, size)[..., ::-1])
