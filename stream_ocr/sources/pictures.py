"""Pictures of the caller's own as frames: NumPy arrays and PyAV frames."""

from typing import Literal, get_args

import numpy as np
from av.video.frame import VideoFrame

from stream_ocr.core.color import frame_from_bgr
from stream_ocr.core.frame import Frame, chroma_size
from stream_ocr.sources.decoded_frame import FrameConverter

ColorOrder = Literal["bgr", "rgb"]

_NEUTRAL_CHROMA = 128  # U and V of grey


class PictureConverter:
    """Turns pictures into 4:2:0 frames. color: order of the channels of arrays, "bgr" as in OpenCV or "rgb"."""

    def __init__(self, color: ColorOrder = "bgr") -> None:
        if color not in get_args(ColorOrder):
            raise ValueError(f"color is {color!r}; use 'bgr' or 'rgb'.")
        self._is_bgr = color == "bgr"
        self._decoded = FrameConverter()

    def convert(self, picture: object) -> Frame:
        """Return a picture as a frame.

        picture: (H, W) or (H, W, 1) grey or (H, W, 3) colour, uint8; or a ``av.VideoFrame`` of any format. Raises
        TypeError for anything else.
        """
        if isinstance(picture, VideoFrame):
            return self._decoded.convert(picture)
        if not isinstance(picture, np.ndarray):
            raise TypeError(
                f"A frame is a NumPy array or an av.VideoFrame, not {type(picture).__name__};"
                " numpy.asarray(image) makes an array of a PIL image."
            )
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or (picture.shape[2:] or (1,))[0] not in (1, 3):
            raise TypeError(
                f"A frame is uint8 of shape (H, W) or (H, W, 3), not {picture.dtype} of shape {picture.shape}."
            )
        if not picture.size:
            raise TypeError(f"A frame of shape {picture.shape} has no pixels.")
        if picture.ndim == 3 and picture.shape[2] == 3:
            return frame_from_bgr(picture if self._is_bgr else np.ascontiguousarray(picture[..., ::-1]))
        return _from_grey(picture.reshape(picture.shape[:2]))


def _from_grey(grey_HW: np.ndarray) -> Frame:
    width, height = chroma_size((grey_HW.shape[1], grey_HW.shape[0]))
    chroma = np.full((height, width), _NEUTRAL_CHROMA, dtype=np.uint8)
    return Frame(grey_HW, chroma, chroma, full_range=True)
