"""Decoder output as frames: planes upright, and marked where they are damaged."""

from collections import deque
from dataclasses import dataclass, replace

import cv2
import msgspec
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter

from stream_ocr.core.frame import Frame
from stream_ocr.core.messages import Stamp
from stream_ocr.sources.thresholds import CORRUPTION

_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_ROTATIONS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A decoded frame. damaged: the decoder marked it, or it may depend on something damaged."""

    stamp: Stamp
    frame: Frame
    damaged: bool


def with_duration(decoded: DecodedFrame, ticks: int) -> DecodedFrame:
    """Return the same frame with another duration."""
    return replace(decoded, stamp=msgspec.structs.replace(decoded.stamp, duration=ticks))


class CorruptionTracker:
    """Tells which frames are damaged: those from damage on until the next clean key frame.

    Damage to a packet counts in decoding order: only a key frame whose packet came after it repairs the picture.
    """

    def __init__(self) -> None:
        self._damaged = False
        self._since_s: float | None = None
        self._keyframes: deque[int | None] = deque(maxlen=CORRUPTION.pending_keyframes)

    def add_lost_packet(self) -> None:
        """Note that a packet was damaged, missing or refused by the decoder."""
        self._damaged, self._since_s = True, None
        self._keyframes.clear()

    def add_keyframe_packet(self, pts: int | None) -> None:
        """Note that a packet with a key frame was decoded."""
        self._keyframes.append(pts)

    def is_damaged(self, frame: VideoFrame, time_s: float) -> bool:
        """Return whether the next frame in presentation order is damaged. time_s: its media or arrival time."""
        if frame.is_corrupt:
            self._damaged, self._since_s = True, time_s
        elif self._damaged:
            self._since_s = time_s if self._since_s is None else self._since_s
            repaired = frame.key_frame and frame.pts in self._keyframes
            self._damaged = not repaired and time_s - self._since_s < CORRUPTION.heal_s
        return self._damaged


class FrameConverter:
    """Turns decoder output into upright 4:2:0 planes; views of the decoder's memory where possible."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()  # one for all frames: each holds megabytes

    def convert(self, decoded: VideoFrame) -> Frame:
        """Return the planes of a frame."""
        rotation = _ROTATIONS.get(decoded.rotation % 360)
        if decoded.format.name not in ("yuv420p", "yuvj420p"):
            decoded = self._reformatter.reformat(decoded, format="yuv420p")
        y, u, v = (_without_padding(plane) for plane in decoded.planes)
        if rotation is not None:
            y, u, v = (cv2.rotate(plane, rotation) for plane in (y, u, v))
        full_range = decoded.color_range == _FULL_RANGE or decoded.format.name == "yuvj420p"
        return Frame(y, u, v, full_range=full_range)


def _without_padding(plane: VideoPlane) -> np.ndarray:
    """Return the pixels of a plane, (H, W) uint8, without the padding at the end of its lines."""
    lines: np.ndarray = np.frombuffer(plane, dtype=np.uint8, count=plane.line_size * plane.height)  # type: ignore[call-overload]
    return lines.reshape(plane.height, plane.line_size)[:, : plane.width]
