"""Video files with something wrong in them, made from good ones, for tests and demonstrations."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np

_MATRIX = {  # the first four of the nine numbers of a display matrix that turns the picture clockwise
    0: (1, 0, 0, 1),
    90: (0, 1, -1, 0),
    180: (-1, 0, 0, -1),
    270: (0, -1, 1, 0),
}


def truncate(source: Path, target: Path, share: float) -> Path:
    """Only the first ``share`` (0 to 1) of the bytes."""
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def damage(source: Path, target: Path, count: int, *, first: float = 0.3, last: float = 0.9, seed: int = 0) -> Path:
    """``count`` bytes changed at random, between two shares (0 to 1) of the file."""
    data = np.frombuffer(source.read_bytes(), dtype=np.uint8).copy()
    rng = np.random.default_rng(seed)
    places = rng.integers(int(len(data) * first), int(len(data) * last), count)
    data[places] ^= rng.integers(1, 256, count).astype(np.uint8)
    target.write_bytes(data.tobytes())
    return target


def concatenate(target: Path, *sources: Path) -> Path:
    """The bytes of several files one after the other, as MPEG-TS allows: their clocks begin anew in the middle."""
    target.write_bytes(b"".join(source.read_bytes() for source in sources))
    return target


def turned(source: Path, target: Path, degrees: Literal[0, 90, 180, 270]) -> Path:
    """An MP4 file that asks to be shown turned clockwise: the display matrix of its first track is replaced."""
    data = bytearray(source.read_bytes())
    header = data.index(b"tkhd") + 4
    matrix = header + (52 if data[header] else 40)
    a, b, c, d = _MATRIX[degrees]
    struct.pack_into(">9i", data, matrix, a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    target.write_bytes(data)
    return target


def sound_only(target: Path, *, duration_s: float = 1.0, rate: int = 16_000) -> Path:
    """A file with a tone and no picture."""
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
