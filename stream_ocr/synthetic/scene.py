"""Synthetic clips with exact ground truth.

A ``Scene`` describes a clip. ``render`` writes it as a video file; ``truth`` returns the position and times of every
text in the format of a truth file. Only the built-in font of Pillow is needed. Times are frame times: a text starts at
the first frame that shows it and ends when its last frame ends. A text counts as visible while it is complete: inside
its window, fully wiped in, and with at least half of its opacity.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from stream_ocr.synthetic.backgrounds import BackgroundFactory, BackgroundName, make_background
from stream_ocr.synthetic.encode import TICK, Codec, Encoding, encode
from stream_ocr.synthetic.text import Box, Text, VisibleLine, clock, linear_path

__all__ = [
    "BackgroundName",
    "Codec",
    "Cover",
    "Scene",
    "Text",
    "VisibleLine",
    "clock",
    "demo_scene",
    "draw_frames",
    "linear_path",
    "render",
    "truth",
    "visible_lines",
]


@dataclass(frozen=True)
class Cover:
    """A noisy grey rectangle that covers texts for some time."""

    box: Box
    start_s: float
    end_s: float

    def draw(self, picture: np.ndarray, time_s: float) -> None:
        """Draw the cover into an (H, W, 3) uint8 picture."""
        if self.start_s <= time_s < self.end_s:
            x, y, width, height = self.box
            grain = np.random.default_rng(width).integers(40, 190, (height, width, 1), dtype=np.uint8)
            picture[y : y + height, x : x + width] = grain


@dataclass(frozen=True)
class Scene:
    """Description of a clip."""

    texts: tuple[Text, ...]
    duration_s: float
    size: tuple[int, int] = (1280, 720)
    fps: Fraction | int = 25
    frame_times: tuple[float, ...] | None = None  # for a variable frame rate, starting at 0; replaces fps
    start_s: float = 0.0  # media time of the first frame
    background: BackgroundName | BackgroundFactory = "moving"
    covers: tuple[Cover, ...] = ()
    post_process: Callable[[np.ndarray, float], None] | None = None  # edits the picture of a time in place
    seed: int = 0

    def times(self) -> list[Fraction]:
        """Return the time of each frame in seconds, rounded to ticks and starting at 0, and the end of the clip."""
        if self.frame_times is None:
            starts = [i / Fraction(self.fps) for i in range(round(self.duration_s * self.fps))]
            end = len(starts) / Fraction(self.fps)
        else:
            starts, end = [Fraction(t) for t in self.frame_times], Fraction(self.duration_s)
        return [round(t / TICK) * TICK for t in (*starts, end)]


def draw_frames(scene: Scene) -> Iterator[tuple[Fraction, np.ndarray]]:
    """Yield the time and the (H, W, 3) uint8 RGB picture of each frame.

    Raises ValueError if a text without a window leaves the picture.
    """
    kind = scene.background
    background = kind(scene.size, scene.seed) if callable(kind) else make_background(kind, scene.size, scene.seed)
    for time in scene.times()[:-1]:
        time_s = float(time)
        picture = background(time_s)
        for text in scene.texts:
            text.draw(picture, time_s)
        for cover in scene.covers:
            cover.draw(picture, time_s)
        if scene.post_process:
            scene.post_process(picture, time_s)
        yield time, picture


def render(scene: Scene, path: Path | str, **encoding: Unpack[Encoding]) -> None:
    """Write a scene as a video file; see ``encode``."""
    start = Fraction(scene.start_s)
    encode(((time + start, picture) for time, picture in draw_frames(scene)), path, scene.size, scene.fps, **encoding)


def truth(scene: Scene, video: str = "") -> dict[str, Any]:
    """Return the ground truth of a scene: {"video", "width", "height", "duration_s", "segments"}.

    A segment is one text: {"text", "start_s", "end_s"} with "box" [x, y, width, height] if it is static and "boxes"
    [[time_s, x, y, width, height], ...] if it moves. Times are media times in seconds, boxes are in pixels.
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


def visible_lines(scene: Scene, time_s: float) -> list[VisibleLine]:
    """Return the visible parts of the texts at a media time. Covers are ignored."""
    lines = (text.visible_part(time_s - scene.start_s) for text in scene.texts)
    return [line for line in lines if line is not None]


def demo_scene() -> Scene:
    """Return a scene of 22 seconds with subtitles, a clock, a moving sign and a fading title."""
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
                linear_path(4.0, (70, 330), 13.0, (930, 250)),
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
    """Yield the runs of frames that show the same string."""
    first = 0
    shown = [text.string(t) if text.start_s <= t < text.end_s and text.is_visible(t) else None for t in times[:-1]]
    for last in range(1, len(shown) + 1):
        if last < len(shown) and shown[last] == shown[first]:
            continue
        if shown[first]:
            boxes = [(round(t + offset_s, 6), *_box(text, t)) for t in times[first:last]]
            still = all(box[1:] == boxes[0][1:] for box in boxes)
            yield {
                "text": shown[first],
                "start_s": round(times[first] + offset_s, 6),
                "end_s": round(times[last] + offset_s, 6),
                **({"box": list(boxes[0][1:])} if still else {"boxes": [list(box) for box in boxes]}),
            }
        first = last


def _box(text: Text, time_s: float) -> Box:
    line = text.visible_part(time_s)
    assert line is not None, "the text is visible"
    return line.box
