"""A frame as the decoder made it: planes of YUV 4:2:0, half the bytes of RGB."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

_MOST = 0xFFFF
WRAP_MS = 1 << 31


@dataclass(frozen=True, slots=True)
class Frame:
    """Planes of one picture; views into a slot where possible, never copied without need.

    y: (H, W) uint8. u, v: (ceil(H/2), ceil(W/2)) uint8. full_range: luma 0–255 rather than 16–235.
    """

    y: np.ndarray
    u: np.ndarray
    v: np.ndarray
    full_range: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        return self.y.shape[1], self.y.shape[0]

    def __repr__(self) -> str:
        return f"Frame({self.y.shape[1]}×{self.y.shape[0]})"


def chroma_size(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of the chroma planes of a frame of that size."""
    return (size[0] + 1) // 2, (size[1] + 1) // 2


def byte_count(size: tuple[int, int]) -> int:
    """Bytes of the three planes of a frame of that size."""
    width, height = chroma_size(size)
    return size[0] * size[1] + 2 * width * height


def planes_in(buffer: memoryview | np.ndarray, size: tuple[int, int], *, full_range: bool = False) -> Frame:
    """A frame whose planes lie one after the other in ``buffer``, without a copy."""
    pixels = np.frombuffer(buffer, dtype=np.uint8, count=byte_count(size))
    width, height = chroma_size(size)
    luma, chroma = size[0] * size[1], width * height
    return Frame(
        y=pixels[:luma].reshape(size[1], size[0]),
        u=pixels[luma : luma + chroma].reshape(height, width),
        v=pixels[luma + chroma :].reshape(height, width),
        full_range=full_range,
    )


def note(frame: Frame, time_s: float) -> int:
    """What has to be known of a frame in a buffer, in 64 bits; 0 for a frame that is too large for that.

    time_s: media time; it begins anew every 24 days.
    """
    width, height = frame.size
    if max(width, height) > _MOST:
        return 0
    return width << 48 | height << 32 | frame.full_range << 31 | round(time_s * 1000) % WRAP_MS


def noted(buffer: memoryview, note: int) -> Frame:
    """The frame in a buffer whose ``note`` that is."""
    return planes_in(buffer, (note >> 48, note >> 32 & _MOST), full_range=bool(note >> 31 & 1))


def noted_ms(note: int) -> int:
    """Media time, up to ``WRAP_MS``."""
    return note % WRAP_MS


def band(frame: Frame, top: int, bottom: int) -> Frame:
    """The rows of a frame from ``top``, which is even, to before ``bottom``, without a copy."""
    colours = slice(top // 2, (bottom + 1) // 2)
    return Frame(frame.y[top:bottom], frame.u[colours], frame.v[colours], frame.full_range)


def write(frame: Frame, buffer: memoryview) -> None:
    """Copy the planes of ``frame`` into ``buffer`` in the layout of ``planes_in``."""
    target = planes_in(buffer, frame.size)
    np.copyto(target.y, frame.y)
    np.copyto(target.u, frame.u)
    np.copyto(target.v, frame.v)


def halved(plane: np.ndarray, times: int) -> np.ndarray:
    """Half the width and height, ``times`` times; an odd last row or column is left out.

    Any other factor takes many times as long.
    """
    for _ in range(times):
        height, width = plane.shape[0] // 2, plane.shape[1] // 2
        plane = cv2.resize(plane[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return plane


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two planes of one shape, -1 to 1; 0 when one of them is flat."""
    a, b = one.astype(np.float32) - one.mean(), other.astype(np.float32) - other.mean()
    power = math.sqrt(product(a, a) * product(b, b))
    return product(a, b) / power if power > one.size else 0.0


def product(one: np.ndarray, other: np.ndarray) -> float:
    """The sum of the products of all pixels of two planes of one shape."""
    # Faster in BLAS, but for planes as large as these OpenBLAS wakes a second thread, which then spins for 25 ms.
    return float(np.einsum("ij,ij", one, other))
