"""Damaged and unusual video files, made from intact ones, for tests and demonstrations."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np

_MATRIX = {  # first four of the nine numbers of a display matrix that rotates the picture clockwise
    0: (1, 0, 0, 1),
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}


def truncate(source: Path, target: Path, fraction: float) -> Path:
    """Write only the first part of a file. fraction: of the bytes, 0 to 1."""
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * fraction)])
    return target


def damage(source: Path, target: Path, count: int, *, first: float = 0.3, last: float = 0.9, seed: int = 0) -> Path:
    """Write a file with ``count`` random bytes changed, between two fractions (0 to 1) of its length."""
    data = np.frombuffer(source.read_bytes(), dtype=np.uint8).copy()
    rng = np.random.default_rng(seed)
    positions = rng.integers(int(len(data) * first), int(len(data) * last), count)
    data[positions] ^= rng.integers(1, 256, count).astype(np.uint8)
    target.write_bytes(data.tobytes())
    return target


def concatenate(target: Path, *sources: Path) -> Path:
    """Concatenate the bytes of MPEG-TS files, so that the clock is reset at every joint."""
    target.write_bytes(b"".join(source.read_bytes() for source in sources))
    return target


def set_rotation(source: Path, target: Path, degrees: Literal[0, 90, 180, 270]) -> Path:
    """Write an MP4 file that is displayed rotated clockwise, by replacing the display matrix of its first track."""
    data = bytearray(source.read_bytes())
    header = data.index(b"tkhd") + 4
    matrix = header + (52 if data[header] else 40)
    a, b, c, d = _MATRIX[degrees]
    struct.pack_into(">9i", data, matrix, a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    target.write_bytes(data)
    return target


def write_audio_only(target: Path, *, duration_s: float = 1.0, rate: int = 16_000) -> Path:
    """Write a file with a tone and no video."""
    with av.open(str(target), "w") as container:
        stream: Any = container.add_stream("aac", rate=rate, layout="mono")
        times = np.arange(int(duration_s * rate), dtype=np.float32) / rate
        tone = (0.3 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
        for start in range(0, len(tone) - 1023, 1024):
            frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return target
