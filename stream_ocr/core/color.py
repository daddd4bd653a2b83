"""Colour conversion between YUV 4:2:0 frames and RGB or BGR images."""

from typing import Literal

import cv2
import numpy as np

from stream_ocr.core.frame import Frame, frame_in_buffer

HD_SIDE = 1280
"""Frames with a side of at least this many pixels are taken as BT.709, smaller ones as BT.601. Files seldom say."""

# Of red, green and blue, as in ITU-R BT.601 and BT.709.
_LUMA_WEIGHTS = {"bt601": (0.299, 0.587, 0.114), "bt709": (0.2126, 0.7152, 0.0722)}


def frame_to_rgb(frame: Frame, size: tuple[int, int]) -> np.ndarray:
    """Return the frame scaled to ``size`` (width, height) as (H, W, 3) uint8 RGB.

    The planes are scaled first, so that colours are converted at the smaller size.
    """
    planes = [_scaled(plane, size) for plane in (frame.y, frame.u, frame.v)]
    standard: Literal["bt601", "bt709"] = "bt709" if max(frame.size) >= HD_SIDE else "bt601"
    return cv2.transform(cv2.merge(planes), _yuv_to_rgb_matrix(standard, full_range=frame.full_range))


def frame_from_bgr(image_HW3: np.ndarray) -> Frame:
    """Convert an image, (H, W, 3) uint8 BGR, to a frame as a decoder would give it (BT.601, limited range)."""
    height, width = image_HW3.shape[:2]
    even = cv2.copyMakeBorder(image_HW3, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    planes = np.ascontiguousarray(cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420)).reshape(-1)
    frame = frame_in_buffer(planes, (even.shape[1], even.shape[0]))
    return Frame(frame.y[:height, :width], frame.u, frame.v)


def _scaled(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    # Averaging by a whole factor is 20 times faster than by any other; the rest is close to 1 and needs no averaging.
    factor = min(plane.shape[1] // size[0], plane.shape[0] // size[1])
    if factor > 1:
        whole = plane.shape[1] // factor, plane.shape[0] // factor
        plane = cv2.resize(plane, whole, interpolation=cv2.INTER_AREA)
    return cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)


def _yuv_to_rgb_matrix(standard: Literal["bt601", "bt709"], *, full_range: bool) -> np.ndarray:
    """Return the affine map (3, 4) from 8-bit YUV to 8-bit RGB (ITU-T H.273, matrix coefficients 1 and 5)."""
    red, green, blue = _LUMA_WEIGHTS[standard]
    u_blue, v_red = 2 * (1 - blue), 2 * (1 - red)
    matrix = np.array([[1, 0, v_red], [1, -u_blue * blue / green, -v_red * red / green], [1, u_blue, 0]])
    black, luma, chroma = (0, 1.0, 1.0) if full_range else (16, 255 / 219, 255 / 224)
    matrix = matrix * np.array([luma, chroma, chroma])
    return np.hstack([matrix, -matrix @ np.array([[black], [128], [128]])])
