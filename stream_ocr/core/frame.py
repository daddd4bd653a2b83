"""Frames as decoded: planes of YUV 4:2:0, which need half the bytes of RGB."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

_MAX_SIDE = 0xFFFF  # 16 bits of the header
HEADER_WRAP_MS = 1 << 31  # 31 bits of the header


@dataclass(frozen=True, slots=True)
class Frame:
    """Planes of one picture, usually views into a slot of shared memory.

    y: (H, W) uint8. u, v: (ceil(H/2), ceil(W/2)) uint8. full_range: luma is 0–255 rather than 16–235.
    """

    y: np.ndarray
    u: np.ndarray
    v: np.ndarray
    full_range: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Return (width, height)."""
        return self.y.shape[1], self.y.shape[0]

    def __repr__(self) -> str:
        return f"Frame({self.y.shape[1]}×{self.y.shape[0]})"


def chroma_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) of the chroma planes of a frame of some (width, height)."""
    return (size[0] + 1) // 2, (size[1] + 1) // 2


def byte_count(size: tuple[int, int]) -> int:
    """Return the number of bytes of the three planes of a frame of some (width, height)."""
    width, height = chroma_size(size)
    return size[0] * size[1] + 2 * width * height


def frame_in_buffer(buffer: memoryview | np.ndarray, size: tuple[int, int], *, full_range: bool = False) -> Frame:
    """Return a frame whose planes follow each other in ``buffer``, without copying."""
    pixels = np.frombuffer(buffer, dtype=np.uint8, count=byte_count(size))
    width, height = chroma_size(size)
    luma, chroma = size[0] * size[1], width * height
    return Frame(
        y=pixels[:luma].reshape(size[1], size[0]),
        u=pixels[luma : luma + chroma].reshape(height, width),
        v=pixels[luma + chroma :].reshape(height, width),
        full_range=full_range,
    )


def pack_header(frame: Frame, time_s: float) -> int:
    """Return size, range and time of a frame as a 64-bit header; 0 if the frame is too large for it.

    Layout: width (16 bits), height (16), full range (1), milliseconds (31). time_s: media time; it wraps every 24 days.
    """
    width, height = frame.size
    if max(width, height) > _MAX_SIDE:
        return 0
    return width << 48 | height << 32 | frame.full_range << 31 | round(time_s * 1000) % HEADER_WRAP_MS


def frame_from_header(buffer: memoryview, header: int) -> Frame:
    """Return the frame in a buffer, with size and range from its header."""
    return frame_in_buffer(buffer, (header >> 48, header >> 32 & _MAX_SIDE), full_range=bool(header >> 31 & 1))


def header_time_ms(header: int) -> int:
    """Return the media time of a header in milliseconds, modulo ``HEADER_WRAP_MS``."""
    return header % HEADER_WRAP_MS


def crop_rows(frame: Frame, top: int, bottom: int) -> Frame:
    """Return rows ``top`` (even) to ``bottom`` (exclusive) of a frame, without copying."""
    chroma = slice(top // 2, (bottom + 1) // 2)
    return Frame(frame.y[top:bottom], frame.u[chroma], frame.v[chroma], frame.full_range)


def write_frame(frame: Frame, buffer: memoryview) -> None:
    """Copy the planes of a frame into a buffer, in the layout of ``frame_in_buffer``."""
    target = frame_in_buffer(buffer, frame.size)
    np.copyto(target.y, frame.y)
    np.copyto(target.u, frame.u)
    np.copyto(target.v, frame.v)


def halve(plane: np.ndarray, times: int) -> np.ndarray:
    """Halve width and height of a plane, ``times`` times. An odd last row or column is dropped.

    OpenCV is many times slower for any other factor.
    """
    for _ in range(times):
        height, width = plane.shape[0] // 2, plane.shape[1] // 2
        plane = cv2.resize(plane[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return plane


def ncc(one: np.ndarray, other: np.ndarray) -> float:
    """Return the normalised cross-correlation of two planes of equal shape, -1 to 1; 0 if one of them is uniform."""
    a, b = one.astype(np.float32) - one.mean(), other.astype(np.float32) - other.mean()
    power = math.sqrt(dot_product(a, a) * dot_product(b, b))
    return dot_product(a, b) / power if power > one.size else 0.0


def dot_product(one: np.ndarray, other: np.ndarray) -> float:
    """Return the sum of the products of all pixels of two planes of equal shape."""
    # BLAS is faster, but for planes of this size OpenBLAS wakes a second thread, which then spins for 25 ms.
    return float(np.einsum("ij,ij", one, other))
