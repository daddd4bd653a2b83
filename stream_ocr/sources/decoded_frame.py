"""From what a decoder hands out to pictures: planes upright, and marked where they cannot be believed."""

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

_HEALED_S = 10.0  # damage is taken to be gone by then in streams that refresh their pictures without key frames
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A decoded frame. damaged: the decoder marked it, or it may inherit from something damaged."""

    stamp: Stamp
    frame: Frame
    damaged: bool


def lasting(picture: DecodedFrame, ticks: int) -> DecodedFrame:
    """The same picture with another duration."""
    return replace(picture, stamp=msgspec.structs.replace(picture.stamp, duration=ticks))


class CorruptionTracker:
    """Whether a frame can be believed: not from damage on until the next clean key frame.

    Damage to a packet counts in the order of decoding: only a key frame whose packet came after it is a cure.
    """

    def __init__(self) -> None:
        self._damaged = False
        self._since_s: float | None = None
        self._keys: deque[int | None] = deque(maxlen=16)  # more than any decoder holds back

    def lost_packet(self) -> None:
        """A packet was damaged, missing or refused."""
        self._damaged, self._since_s = True, None
        self._keys.clear()

    def key_packet(self, pts: int | None) -> None:
        """A packet with a key frame was decoded."""
        self._keys.append(pts)

    def of_frame(self, frame: VideoFrame, time_s: float) -> bool:
        """Whether a frame, the next one in the order of showing, is to be called damaged."""
        if frame.is_corrupt:
            self._damaged, self._since_s = True, time_s
        elif self._damaged:
            self._since_s = time_s if self._since_s is None else self._since_s
            cured = frame.key_frame and frame.pts in self._keys
            self._damaged = not cured and time_s - self._since_s < _HEALED_S
        return self._damaged


class FrameConverter:
    """Turns decoded frames into planes of 4:2:0 as they are to be seen; views of the decoder's where that will do."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()  # one for all frames: each holds megabytes

    def frame(self, decoded: VideoFrame) -> Frame:
        """The planes of a frame."""
        turn = _TURNS.get(decoded.rotation % 360)
        if decoded.format.name not in ("yuv420p", "yuvj420p"):
            decoded = self._reformatter.reformat(decoded, format="yuv420p")
        y, u, v = (_view(plane) for plane in decoded.planes)
        if turn is not None:
            y, u, v = (cv2.rotate(plane, turn) for plane in (y, u, v))
        full_range = decoded.color_range == _FULL_RANGE or decoded.format.name == "yuvj420p"
        return Frame(y, u, v, full_range=full_range)


def _view(plane: VideoPlane) -> np.ndarray:
    """The pixels of a plane, without the padding at the end of its lines."""
    lines: np.ndarray = np.frombuffer(plane, dtype=np.uint8, count=plane.line_size * plane.height)  # type: ignore[call-overload]
    return lines.reshape(plane.height, plane.line_size)[:, : plane.width]
