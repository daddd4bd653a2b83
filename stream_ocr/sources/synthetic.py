"""Clips that anyone can make, with the exact truth about the text in them.

A ``Scene`` says what is to be seen; ``render`` makes a video file of it and ``truth`` tells, in the format of a
truth file, which text stands where from when to when. Only Pillow's built-in font is needed. Times are those of
the frames themselves: a text starts with the first frame that shows it and ends where its last frame ends. A text
that fades counts as shown while its opacity is at least one half.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stream_ocr.sources.backdrop import Background, backdrop

__all__ = [
    "Background",
    "Codec",
    "Scene",
    "Text",
    "clock",
    "demo_scene",
    "line",
    "pictures",
    "render",
    "truth",
]

Codec = Literal["libx264", "mpeg4", "libvpx"]
Colour = tuple[int, int, int]
Point = tuple[float, float]

_TICK = Fraction(1, 30_000)  # holds 25, 29.97, 30, 50 and 60 frames a second, and milliseconds, exactly


@dataclass(frozen=True)
class Text:
    """One line of text. ``text`` and ``at`` may be functions of the time in seconds, for clocks and for motion."""

    text: str | Callable[[float], str]
    start_s: float
    end_s: float
    at: Point | Callable[[float], Point]  # of the top left corner of its box, or of the middle of the top edge
    anchor: Literal["left", "middle"] = "left"
    height: int = 36  # font size in pixels; capital letters are about 0.7 of it
    colour: Colour = (255, 255, 255)
    outline: Colour | None = (0, 0, 0)
    panel: Colour | None = None  # filled box behind the text
    fade_in_s: float = 0.0
    fade_out_s: float = 0.0
    font: str | None = None  # path of a font file; Pillow's own font, ASCII only, when None

    def opacity(self, time_s: float) -> float:
        """0 to 1 at a time."""
        if not self.start_s <= time_s < self.end_s:
            return 0.0
        rising = (time_s - self.start_s) / self.fade_in_s if self.fade_in_s else 1.0
        falling = (self.end_s - time_s) / self.fade_out_s if self.fade_out_s else 1.0
        return round(min(rising, falling, 1.0), 6)  # so that one half is one half

    def string(self, time_s: float) -> str:
        """What it says at a time."""
        return self.text if isinstance(self.text, str) else self.text(time_s)

    def box(self, time_s: float) -> tuple[int, int, int, int]:
        """(left, top, width, height) at a time: the letters with their outline, as the font measures them."""
        height, width = _bitmap(self, self.string(time_s))[0].shape[:2]
        x, y = self.at if isinstance(self.at, tuple) else self.at(time_s)
        pad = _padding(self)
        return round(x - width / 2 * (self.anchor == "middle")), round(y), width - 2 * pad, height - 2 * pad


@dataclass(frozen=True)
class Scene:
    """What is to be seen in a clip."""

    texts: tuple[Text, ...]
    duration_s: float
    size: tuple[int, int] = (1280, 720)
    fps: Fraction | int = 25
    frame_times: tuple[float, ...] | None = None  # for a variable frame rate, from 0 on; replaces fps
    start_s: float = 0.0  # media time of the first frame
    background: Background = "moving"
    seed: int = 0

    def times(self) -> list[Fraction]:
        """When each frame is shown, in whole ticks from 0 on, and last the end of the clip."""
        if self.frame_times is None:
            starts = [i / Fraction(self.fps) for i in range(round(self.duration_s * self.fps))]
            end = len(starts) / Fraction(self.fps)
        else:
            starts, end = [Fraction(t) for t in self.frame_times], Fraction(self.duration_s)
        return [round(t / _TICK) * _TICK for t in (*starts, end)]


def clock(start: str) -> Callable[[float], str]:
    """A text that reads ``start`` ("HH:MM:SS") at time 0 and ticks with each second."""
    hours, minutes, seconds = (int(part) for part in start.split(":"))

    def at(time_s: float) -> str:
        now = (hours * 60 + minutes) * 60 + seconds + int(time_s)
        return f"{now // 3600 % 24:02}:{now // 60 % 60:02}:{now % 60:02}"

    return at


def line(start_s: float, start: Point, end_s: float, end: Point) -> Callable[[float], Point]:
    """A path that goes straight from one point to another between two times."""

    def at(time_s: float) -> Point:
        share = min(max((time_s - start_s) / (end_s - start_s), 0.0), 1.0)
        return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])

    return at


def pictures(scene: Scene) -> Iterator[tuple[Fraction, np.ndarray]]:
    """The time and the (H, W, 3) uint8 RGB picture of each frame. Raises ValueError when a text leaves the picture."""
    background = backdrop(scene.background, scene.size, scene.seed)
    for time in scene.times()[:-1]:
        time_s = float(time)
        picture = background(time_s)
        for text in scene.texts:
            if opacity := text.opacity(time_s):
                _draw(picture, text, time_s, opacity)
        yield time, picture


def render(
    scene: Scene,
    path: Path | str,
    *,
    codec: Codec = "libx264",
    crf: int = 20,
    b_frames: int = 0,
    gop: int = 50,
    threads: int = 1,
) -> None:
    """Write a scene as a video file; the suffix (.mp4, .mkv, .ts, .webm, .avi) names the container.

    Times of frames are exact where the container can tell them: Matroska and WebM round them to milliseconds, AVI
    knows only whole frames, and only MPEG-TS can begin before 0.
    """
    suffix = Path(path).suffix
    tick = 1 / Fraction(scene.fps) if suffix == ".avi" else _TICK
    options = {
        "libx264": {"crf": str(crf), "preset": "veryfast"},
        "libvpx": {"crf": str(crf), "deadline": "realtime", "cpu-used": "8"},
        "mpeg4": {"flags": "+qscale", "global_quality": str(118 * max(crf // 6, 1))},
    }
    muxing = {
        ".ts": {"mpegts_copyts": "1", "avoid_negative_ts": "disabled"},  # it would begin at 1.4 s otherwise
        ".mp4": {"movflags": "faststart"},
    }
    with av.open(str(path), "w", options=muxing.get(suffix, {})) as container:
        stream: Any = container.add_stream(codec, rate=Fraction(scene.fps), options=options[codec])
        stream.width, stream.height = scene.size
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = tick
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        stream.codec_context.thread_count = threads
        if codec == "libvpx":
            stream.bit_rate = 20_000_000
        for time, picture in pictures(scene):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = round((time + Fraction(scene.start_s)) / tick)
            frame.time_base = tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def truth(scene: Scene, video: str = "") -> dict[str, Any]:
    """The truth about a scene: {"video", "width", "height", "duration_s", "segments"}.

    A segment is one text in one place or on its way: {"text", "start_s", "end_s"} with "box" [x, y, width, height]
    when it stands still and "boxes" [[time_s, x, y, width, height], ...] when it moves. Times are media times.
    """
    times = [float(t) for t in scene.times()]
    segments = [segment for text in scene.texts for segment in _segments(text, times, scene.start_s)]
    return {
        "video": video,
        "width": scene.size[0],
        "height": scene.size[1],
        "duration_s": times[-1] + scene.start_s,
        "segments": sorted(segments, key=lambda segment: segment["start_s"]),
    }


def demo_scene() -> Scene:
    """Twenty-two seconds with one of everything: subtitles, a clock, a sign that moves, a title that fades."""
    subtitles = (
        (3.0, 5.4, "Good morning"),
        (5.4, 8.0, "The train to the coast is late"),  # back to back with the one before
        (9.0, 12.2, "Nobody knows when it will come today"),
        (12.6, 15.0, "Then we walk"),
        (16.2, 20.4, "It is not far and the weather is fine"),
    )
    return Scene(
        texts=(
            *(Text(text, start, end, (640, 630), "middle", height=44) for start, end, text in subtitles),
            Text(clock("12:34:56"), 0.0, 22.0, (1070, 40), height=38, outline=None, panel=(20, 20, 28)),
            Text(
                "PLATFORM 7",
                4.0,
                13.0,
                line(4.0, (70, 330), 13.0, (930, 250)),
                height=46,
                colour=(250, 225, 60),
                outline=None,
                panel=(28, 52, 110),
            ),
            Text("A DAY BY THE SEA", 0.4, 3.6, (640, 180), "middle", height=84, fade_in_s=0.8, fade_out_s=0.8),
            Text("THE END", 20.0, 22.0, (640, 200), "middle", height=84, fade_in_s=0.6),
        ),
        duration_s=22.0,
    )


def _segments(text: Text, times: Sequence[float], offset_s: float) -> Iterator[dict[str, Any]]:
    """Runs of frames that show the same string."""
    first = 0
    shown = [text.string(t) if text.opacity(t) >= 0.5 else None for t in times[:-1]]
    for last in range(1, len(shown) + 1):
        if last < len(shown) and shown[last] == shown[first]:
            continue
        if shown[first]:
            boxes = [(round(t + offset_s, 6), *text.box(t)) for t in times[first:last]]
            still = all(box[1:] == boxes[0][1:] for box in boxes)
            yield {
                "text": shown[first],
                "start_s": round(times[first] + offset_s, 6),
                "end_s": round(times[last] + offset_s, 6),
                **({"box": list(boxes[0][1:])} if still else {"boxes": [list(box) for box in boxes]}),
            }
        first = last


def _padding(text: Text) -> int:
    """Pixels of panel round the ink."""
    return text.height // 3 if text.panel else 0


@lru_cache(maxsize=256)
def _bitmap(text: Text, string: str) -> tuple[np.ndarray, np.ndarray]:
    """Colour (H, W, 3) and opacity (H, W, 1), float32, the latter 0 to 1; as large as the ink and its panel."""
    if text.font is None and not string.isascii():
        raise ValueError(f"The built-in font has no letters for {string!r}; name a font file in Text.font.")
    font = ImageFont.truetype(text.font, text.height) if text.font else ImageFont.load_default(text.height)
    stroke = max(text.height // 14, 1) if text.outline else 0
    left, top, right, bottom = (round(v) for v in font.getbbox(string, stroke_width=stroke))
    pad = _padding(text)
    ground = (*text.panel, 255) if text.panel else (*(text.outline or text.colour), 0)
    image = Image.new("RGBA", (right - left + 2 * pad, bottom - top + 2 * pad), ground)
    ImageDraw.Draw(image).text(
        (pad - left, pad - top), string, text.colour, font, stroke_width=stroke, stroke_fill=text.outline
    )
    pixels = np.asarray(image, dtype=np.float32)
    return pixels[..., :3], pixels[..., 3:] / 255


def _draw(picture: np.ndarray, text: Text, time_s: float, opacity: float) -> None:
    string = text.string(time_s)
    colour, cover = _bitmap(text, string)
    x, y = (v - _padding(text) for v in text.box(time_s)[:2])
    height, width = cover.shape[:2]
    if x < 0 or y < 0 or y + height > picture.shape[0] or x + width > picture.shape[1]:
        raise ValueError(f"The text {string!r} leaves the picture at {time_s:g} s; its place is ({x}, {y}).")
    under = picture[y : y + height, x : x + width]
    alpha = cover * np.float32(opacity)
    under[:] = np.rint(under + (colour - under) * alpha).astype(np.uint8)
