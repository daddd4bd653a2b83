"""A copy of a video with the texts that were read drawn into it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stream_ocr.errors import SinkError, SourceError
from stream_ocr.frames import Frame
from stream_ocr.settings import Settings
from stream_ocr.sinks.base import reason, refuse_directory
from stream_ocr.sources.files import open_file
from stream_ocr.spans import Span

Colour = tuple[int, int, int]  # Y, U, V

# Orange, sky, green, yellow, blue, vermilion, purple: told apart by the colour-blind, too (Okabe and Ito).
_RGB = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
_FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "LiberationSans-Regular.ttf")
_SHIFT = 4  # binary places below the pixel that OpenCV draws with
_ROUNDING_S = 1e-6  # events are rounded to this


def annotate(
    video: Path,
    spans: Iterable[Span],
    target: Path,
    settings: Settings,
    *,
    progress: Callable[[float], None] = lambda _time_s: None,
) -> int:
    """Write ``video`` to ``target`` (.mp4, H.264) with polygon, text and confidence of each span; its frame count.

    Frames keep their times; there is no sound. progress: told the media time of every frame.
    Raises SourceError when the video cannot be read and SinkError when the target cannot be written.
    """
    check_target(video, target)
    live = Live(spans)
    count = 0
    decode = settings.decode
    with open_file(video, stream=video.name, max_pixels=decode.max_pixels, threads=decode.threads) as source:
        encoder = Encoder(target)
        try:
            for picture in source:
                frame = _own(picture.frame)
                for span in live.at(picture.stamp.time_s):
                    draw(frame, span, picture.stamp.time_s)
                encoder.write(frame, picture.stamp.pts, Fraction(*picture.stamp.time_base))
                progress(picture.stamp.time_s)
                count += 1
        finally:
            encoder.close()
    if not count:
        target.unlink(missing_ok=True)
        raise SourceError(f"{video} has no picture to draw on.")
    return count


def check_target(video: Path, target: Path) -> None:
    """Raise SinkError where ``annotate`` could not write, before time is spent on reading."""
    refuse_directory(target)
    if target.suffix.lower() != ".mp4":
        raise SinkError(f"{target} cannot be written: annotated videos are MP4; give it the suffix .mp4.")
    if target.exists() and video.exists() and target.samefile(video):
        raise SinkError(f"{target} is the video itself; name another file.")


class Live:
    """Which spans are on screen at times that only grow."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._coming = sorted(spans, key=lambda span: span.start, reverse=True)
        self._here: list[Span] = []

    def at(self, time_s: float) -> Sequence[Span]:
        """Those that are shown at that time, by track, so that what lies on top does not flicker."""
        time_s += _ROUNDING_S
        while self._coming and self._coming[-1].start <= time_s:
            self._here.append(self._coming.pop())
        self._here = sorted((span for span in self._here if span.end > time_s), key=lambda span: span.track)
        return self._here


class Encoder:
    """Frames to H.264 in MP4. The first frame sets the size; others are scaled to it."""

    def __init__(self, target: Path) -> None:
        self._target = target
        try:
            self._file = av.open(str(target), "w", format="mp4")
        except OSError as error:
            raise SinkError(f"{target} cannot be written: {reason(error)}.") from error
        self._stream: av.VideoStream | None = None

    def write(self, frame: Frame, pts: int, time_base: Fraction) -> None:
        """Add a frame. Raises SinkError."""
        if self._stream is None:
            self._stream = self._start(frame, time_base)
        planes = _planes(frame, (self._stream.width, self._stream.height))
        packed = np.concatenate([plane.ravel() for plane in planes]).reshape(-1, self._stream.width)
        picture = av.VideoFrame.from_ndarray(packed, format="yuv420p")
        picture.color_range = 2 if frame.full_range else 1
        picture.pts, picture.time_base = pts, time_base
        self._mux(picture)

    def close(self) -> None:
        """Finish the file."""
        if self._stream is not None:
            self._mux(None)
        self._file.close()

    def _start(self, frame: Frame, time_base: Fraction) -> av.VideoStream:
        stream = self._file.add_stream("libx264", options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height = (side // 2 * 2 for side in frame.size)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = time_base
        stream.codec_context.color_range = 2 if frame.full_range else 1
        return stream

    def _mux(self, picture: av.VideoFrame | None) -> None:
        assert self._stream is not None
        try:
            for packet in self._stream.encode(picture):
                self._file.mux(packet)
        except OSError as error:
            raise SinkError(f"{self._target} cannot be written: {reason(error)}.") from error


def draw(frame: Frame, span: Span, time_s: float) -> None:
    """Draw a span into the planes of a frame, in place."""
    colour = _palette()[span.track % len(_RGB)]
    corners = np.array(span.polygon_at(time_s))
    thickness = max(2, frame.size[1] // 360)
    for plane, value in zip((frame.y, frame.u, frame.v), colour, strict=True):
        scale = plane.shape[0] / frame.size[1]
        points = np.round(corners * scale * 2**_SHIFT).astype(np.int32)
        cv2.polylines(plane, [points], True, value, max(1, round(thickness * scale)), cv2.LINE_AA, _SHIFT)
    label = _label(f"{span.text}  {span.confidence:.2f}", max(14, frame.size[1] // 45))
    left, top = corners.min(axis=0)
    _stick(frame, label, colour, round(left), round(top) - label.shape[0] - thickness)


def _own(frame: Frame) -> Frame:
    """A copy to draw into."""
    return Frame(frame.y.copy(), frame.u.copy(), frame.v.copy(), frame.full_range)


def _planes(frame: Frame, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """The three planes in that size, both sides even."""
    width, height = size
    cropped = tuple(side // 2 * 2 for side in frame.size) == size
    for plane, scale in ((frame.y, 1), (frame.u, 2), (frame.v, 2)):
        rows, columns = height // scale, width // scale
        if cropped:
            yield plane[:rows, :columns]
        else:
            yield cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA)


def _stick(frame: Frame, label: np.ndarray, colour: Colour, left: int, top: int) -> None:
    """Put a label of that colour on a frame, moved so that its beginning is inside."""
    width, height = (side // 2 * 2 for side in frame.size)
    left = min(max(left, 0), max(width - label.shape[1], 0)) // 2 * 2
    top = min(max(top, 0), max(height - label.shape[0], 0)) // 2 * 2
    cover = label[: height - top, : width - left]
    ink = (16 if colour[0] > 110 else 235, 128, 128)
    for plane, ground, over, scale in zip((frame.y, frame.u, frame.v), colour, ink, (1, 2, 2), strict=True):
        rows, columns = cover.shape[0] // scale, cover.shape[1] // scale
        share = cover.reshape(rows, scale, columns, scale).mean(axis=(1, 3))
        plane[top // scale :, left // scale :][:rows, :columns] = (ground + share * (over - ground)).round()


@lru_cache(maxsize=256)
def _label(text: str, height: int) -> np.ndarray:
    """(H, W) float32 cover of ink, 0 to 1, both sides even."""
    font = _font(height)
    text = " ".join(text.split())
    left, top, right, bottom = font.getbbox(text)
    pad = height // 4
    width, tall = int(right - left) + 2 * pad, int(bottom - top) + 2 * pad
    image = Image.new("L", (width + width % 2, tall + tall % 2))
    ImageDraw.Draw(image).text((pad - left, pad - top), text, fill=255, font=font)
    return np.asarray(image, dtype=np.float32) / 255


def font_name() -> str:
    """Which font the labels are written in."""
    font = _font(16)
    return " ".join(filter(None, font.getname())) if isinstance(font, ImageFont.FreeTypeFont) else "of bitmaps"


@lru_cache(maxsize=8)
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, height)
        except OSError:
            continue
    return ImageFont.load_default(height)


@lru_cache(maxsize=1)
def _palette() -> tuple[Colour, ...]:
    pixels = cv2.cvtColor(np.array([_RGB], dtype=np.uint8), cv2.COLOR_RGB2YUV)[0]
    return tuple((int(y), int(u), int(v)) for y, u, v in pixels)
