"""A copy of a video with the texts that were read drawn into it, and a ribbon below it that says what changed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame
from stream_ocr.core.timestamps import face
from stream_ocr.errors import SinkError, SourceError
from stream_ocr.events import Event, TextEvent
from stream_ocr.events.spans import Span, of_video, spans
from stream_ocr.sinks.base import reason, refuse_directory
from stream_ocr.sources.files import open_file
from stream_ocr.viz import drawing
from stream_ocr.viz.audio_copy import AudioCopy

_ROUNDING_S = 1e-6  # events are rounded to this


def annotate(
    video: Path,
    events: Sequence[Event],
    target: Path,
    settings: Settings,
    *,
    progress: Callable[[float], None] = lambda _time_s: None,
) -> int:
    """Write ``video`` to ``target`` (.mp4, H.264) with place, track and confidence of each text; its frame count.

    Frames and sound keep their times. Below the picture is a ribbon with what changed last.
    progress: told the media time of every frame. Raises SourceError when the video cannot be read or the events are of
    other videos, and SinkError when the target cannot be written.
    """
    check_target(video, target)
    told = of_video(events, video)
    live, changes = Live(spans(told)), Changes(told)
    count = 0
    decode = settings.decode
    with (
        open_file(video, stream=video.name, max_pixels=decode.max_pixels, threads=decode.threads) as source,
        AudioCopy(video, decode) as sound,
    ):
        encoder = Encoder(target, sound)
        try:
            for picture in source:
                time_s = picture.stamp.time_s
                whole, inner = drawing.with_ribbon(picture.frame, changes.at(time_s))
                for span in live.at(time_s):
                    drawing.outline(inner, span, time_s)
                encoder.write(whole, picture.stamp.pts, Fraction(*picture.stamp.time_base))
                progress(time_s)
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


class Changes:
    """What changed last, as sentences, at times that only grow."""

    def __init__(self, events: Iterable[Event], *, most: int = 6) -> None:
        self._coming = sorted(_changes(events), reverse=True)
        self._most = most
        self._said: list[str] = []

    def at(self, time_s: float) -> Sequence[str]:
        """The latest first."""
        while self._coming and self._coming[-1][0] <= time_s + _ROUNDING_S:
            self._said = [self._coming.pop()[1], *self._said[: self._most - 1]]
        return self._said


class Encoder:
    """Frames to H.264 in MP4, with the sound beside them. The first frame sets the size; others are scaled to it."""

    def __init__(self, target: Path, sound: AudioCopy) -> None:
        self._target, self._sound = target, sound
        try:
            self._file = av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"})
        except OSError as error:
            raise SinkError(f"{target} cannot be written: {reason(error)}.") from error
        self._stream: av.VideoStream | None = None

    def write(self, frame: Frame, pts: int, time_base: Fraction) -> None:
        """Add a frame. Raises SinkError."""
        if self._stream is None:
            self._stream = self._start(frame, time_base)
            self._sound.attach(self._file)
        planes = _planes(frame, (self._stream.width, self._stream.height))
        packed = np.concatenate([plane.ravel() for plane in planes]).reshape(-1, self._stream.width)
        picture = av.VideoFrame.from_ndarray(packed, format="yuv420p")
        picture.color_range = 2 if frame.full_range else 1
        picture.pts, picture.time_base = pts, time_base
        self._mux(picture)
        self._sound.until(self._file, float(pts * time_base))

    def close(self) -> None:
        """Finish the file."""
        if self._stream is not None:
            self._mux(None)
            self._sound.until(self._file, float("inf"))
        try:
            self._file.close()
        except OSError as error:
            raise SinkError(f"{self._target} cannot be written: {reason(error)}.") from error

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
            self._stream = None  # and nothing is flushed after this: FFmpeg crashes where it could not write the head
            raise SinkError(f"{self._target} cannot be written: {reason(error)}.") from error


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


def _changes(events: Iterable[Event]) -> Iterator[tuple[float, str]]:
    """When something changed on screen, and what."""
    for event in events:
        if not isinstance(event, TextEvent):
            continue
        match event.kind:
            case "appeared":
                yield event.start, f"{face(event.start)}  + {event.text}"
            case "changed":
                yield event.start, f"{face(event.start)}  {event.previous} → {event.text}"
            case "ended":
                assert event.end is not None
                yield event.end, f"{face(event.end)}  − {event.text}"
