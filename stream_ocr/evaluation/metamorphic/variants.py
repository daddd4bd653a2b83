"""Harmless variants of a video file, with its truth: other places, sizes, frame rates, start times and codecs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from math import ceil
from pathlib import Path
from typing import Any

import av

from stream_ocr.errors import SourceError
from stream_ocr.evaluation.metamorphic import placement
from stream_ocr.evaluation.metamorphic.placement import Place, Placement
from stream_ocr.evaluation.thresholds import METAMORPHIC
from stream_ocr.evaluation.timed_text import TimedText
from stream_ocr.evaluation.truth import Truth
from stream_ocr.synthetic.encode import Codec, encode_frames

Frames = Iterator[tuple[Fraction, av.VideoFrame]]
"""Frames with their times in seconds."""


@dataclass(frozen=True)
class Variant:
    """A change of a video file that changes no text. fps: frames are dropped or repeated; None: as in the source."""

    name: str
    place: Place = placement.unchanged
    fps: Fraction | None = None
    start_offset_s: Fraction = Fraction(0)
    codec: Codec = "libx264"
    crf: int = 18
    suffix: str = ".mp4"


VARIANTS = (
    Variant("crf 18"),
    Variant("crf 36", crf=36),
    Variant("VP9", codec="libvpx-vp9", crf=20, suffix=".webm"),
    Variant("H.265", codec="libx265", crf=20),
    Variant("padded", place=placement.pad(64)),
    Variant("cropped", place=placement.crop(2)),
    Variant("letterboxed", place=placement.letterbox),
    Variant("shifted", place=placement.shift(1)),
    Variant("scaled 0.75", place=placement.scale(0.75)),
    Variant("scaled 1.5", place=placement.scale(1.5)),
    Variant("12.5 fps", fps=Fraction(25, 2)),
    Variant("25 fps", fps=Fraction(25)),
    Variant("50 fps", fps=Fraction(50)),
    Variant("60 fps", fps=Fraction(60)),
    Variant("starts later", start_offset_s=Fraction(37, 10)),
    Variant("starts earlier", start_offset_s=Fraction(-37, 10), suffix=".ts"),
)


@dataclass(frozen=True)
class Change:
    """Effect of a variant on the places and times of one video. start_s: time of the first frame of the source.

    source_frame_s: mean duration of its frames.
    """

    placement: Placement
    start_s: Fraction
    source_frame_s: float
    fps: Fraction | None = None
    start_offset_s: Fraction = Fraction(0)

    @property
    def frame_s(self) -> float:
        """Return the duration of a frame at the coarser of the two rates."""
        return max(self.source_frame_s, float(1 / self.fps) if self.fps else 0.0)

    def time(self, time_s: float) -> float:
        """Return the time of the first frame of the variant that shows what the source shows from a time on."""
        if self.fps is None:
            return time_s + float(self.start_offset_s)
        frames = ceil((time_s - float(self.start_s) - METAMORPHIC.truth_tolerance_s) * self.fps)
        return float(self.start_s + frames / self.fps + self.start_offset_s)

    def text(self, text: TimedText) -> TimedText:
        """Return a text at its place and time in the variant."""
        shift_s = float(self.start_offset_s)
        moved = (self.placement.keyframe(keyframe) for keyframe in text.keyframes)
        keyframes = tuple((keyframe[0] + shift_s, *keyframe[1:]) for keyframe in moved)
        return replace(text, start=self.time(text.start), end=self.time(text.end), keyframes=keyframes)

    def truth(self, truth: Truth) -> Truth:
        """Return the truth about the variant. Texts that lie between two of its frames are gone."""
        lines = tuple(line for line in map(self.text, truth.lines) if line.end > line.start)
        ignored = tuple(map(self.text, truth.ignored))
        return Truth(truth.video, self.time(truth.duration_s), lines, ignored)


def write_variant(video: Path, variant: Variant, path: Path) -> Change:
    """Write a variant of a video file and return how places and times differ.

    Raise SourceError for a video that is rotated: the truth about it would be about another picture.
    """
    with av.open(str(video)) as container:
        stream: Any = container.streams.video[0]
        size = stream.width, stream.height
        rate = Fraction(stream.average_rate or stream.guessed_rate)
        place = variant.place(size)
        frames = _decode(container, stream)
        start_s, first = next(frames)
        if first.rotation:
            raise SourceError(f"{video} is rotated by {first.rotation}°; remux it without rotation.")
        placed = _filtered(chain([(start_s, first)], frames), stream, place)
        timed = placed if variant.fps is None else at_rate(placed, variant.fps, last_frame_s=1 / rate)
        moved = ((time + variant.start_offset_s, frame) for time, frame in timed)
        encode_frames(moved, path, place.size, variant.fps or rate, codec=variant.codec, crf=variant.crf)
    return Change(place, start_s, float(1 / rate), variant.fps, variant.start_offset_s)


def at_rate(frames: Frames, fps: Fraction, last_frame_s: Fraction) -> Frames:
    """Yield, at a constant rate from the first frame on, the frame that is visible at each time."""
    (start, shown), count = next(frames), 0
    time = start
    for time, following in frames:
        while start + count / fps < time:
            yield start + count / fps, shown
            count += 1
        shown = following
    while start + count / fps < time + last_frame_s:
        yield start + count / fps, shown
        count += 1


def _decode(container: Any, stream: Any) -> Frames:
    for frame in container.decode(stream):
        yield frame.pts * Fraction(frame.time_base), frame


def _filtered(frames: Frames, stream: Any, place: Placement) -> Frames:
    """Yield frames after the filters of a placement."""
    graph = av.filter.Graph()
    nodes = [graph.add_buffer(template=stream)]
    nodes += [graph.add(name, arguments) for name, arguments in place.filters]
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    for time, frame in frames:
        graph.vpush(frame)
        yield time, graph.vpull()
