"""Encoding of pictures as a video file with exact frame times."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import av
import numpy as np
from av.video.frame import PictureType

Codec = Literal["libx264", "libx265", "libvpx-vp9", "libvpx", "mpeg4"]

TICK = Fraction(1, 30_000)  # seconds; exact for 25, 29.97, 30, 50 and 60 frames per second and for milliseconds


class Encoding(TypedDict, total=False):
    """Keyword arguments of ``encode``."""

    codec: Codec
    crf: int
    b_frames: int
    gop: int
    threads: int


_MUXING = {
    ".ts": {"mpegts_copyts": "1", "avoid_negative_ts": "disabled"},  # otherwise the first frame is at 1.4 s
    ".mp4": {"movflags": "faststart"},
}


def encode(
    pictures: Iterable[tuple[Fraction, np.ndarray]],
    path: Path | str,
    size: tuple[int, int],
    fps: Fraction | int,
    **encoding: Unpack[Encoding],
) -> None:
    """Write pictures (time in seconds, (H, W, 3) uint8 RGB) to a video file; see ``encode_frames``."""
    frames = ((time, av.VideoFrame.from_ndarray(picture, format="rgb24")) for time, picture in pictures)
    encode_frames(frames, path, size, fps, **encoding)


def encode_frames(
    frames: Iterable[tuple[Fraction, av.VideoFrame]],
    path: Path | str,
    size: tuple[int, int],
    fps: Fraction | int,
    *,
    codec: Codec = "libx264",
    crf: int = 20,
    b_frames: int = 0,
    gop: int = 50,
    threads: int = 1,
) -> None:
    """Write frames with their times in seconds to a video file.

    The suffix (.mp4, .mkv, .ts, .webm, .avi) selects the container. Times are as exact as it allows: Matroska and WebM
    round to milliseconds, AVI stores only whole frames, and only MPEG-TS can start before 0.
    """
    suffix = Path(path).suffix
    tick = 1 / Fraction(fps) if suffix == ".avi" else TICK
    with av.open(str(path), "w", options=_MUXING.get(suffix, {})) as container:
        stream: Any = container.add_stream(codec, rate=Fraction(fps), options=_options(codec, crf, b_frames))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = tick
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        stream.codec_context.thread_count = threads
        if codec == "libvpx":
            stream.bit_rate = 20_000_000
        for time, frame in frames:
            frame.pts = round(time / tick)
            frame.time_base = tick
            frame.pict_type = PictureType.NONE  # a decoded frame carries its own, which encoders would keep
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _options(codec: Codec, crf: int, b_frames: int) -> dict[str, str]:
    """Return fast encoder options: clips are generated often and rarely kept."""
    match codec:
        case "libx264":
            return {"crf": str(crf), "preset": "veryfast"}
        case "libx265":
            quiet = f"log-level=error:bframes={b_frames}:pools=none:frame-threads=1"
            return {"crf": str(crf + 4), "preset": "ultrafast", "x265-params": quiet}
        case "libvpx-vp9":
            return {"crf": str(crf + 10), "b": "0", "deadline": "realtime", "cpu-used": "8"}
        case "libvpx":
            return {"crf": str(crf), "deadline": "realtime", "cpu-used": "8"}
        case "mpeg4":
            return {"flags": "+qscale", "global_quality": str(118 * max(crf // 6, 1))}
