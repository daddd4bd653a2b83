"""Annotated videos: a copy of a video with its texts drawn in, and a ribbon below that lists recent changes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame
from stream_ocr.core.timestamps import format_timestamp
from stream_ocr.errors import SinkError, SourceError
from stream_ocr.events import Event, TextEvent
from stream_ocr.events.spans import Span, build_spans, events_of_video
from stream_ocr.sinks.base import check_output_path, describe_error
from stream_ocr.sources.files import open_file
from stream_ocr.viz import drawing
from stream_ocr.viz.audio_copy import AudioCopy
from stream_ocr.viz.thresholds import DRAWING, TIME_RESOLUTION_S

_FULL_RANGE, _LIMITED_RANGE = 2, 1  # AVColorRange


def annotate(
    video: Path,
    events: Sequence[Event],
    target: Path,
    settings: Settings,
    *,
    progress: Callable[[float], None] = lambda _time_s: None,
) -> int:
    """Write ``video`` to ``target`` (.mp4, H.264) with the box, track and confidence of each text.

    Frames and audio keep their timestamps. A ribbon below the frame lists recent changes. ``progress`` is called with
    the media time of every frame, in seconds. Return the number of frames.
    Raises SourceError when the video cannot be read or the events belong to other videos, and SinkError when the
    target cannot be written.
    """
    check_target(video, target)
    events = events_of_video(events, video)
    active, changes = ActiveSpans(build_spans(events)), RecentChanges(events)
    count = 0
    decode = settings.decode
    with (
        open_file(video, stream=video.name, max_pixels=decode.max_pixels, threads=decode.threads) as source,
        AudioCopy(video, decode) as audio,
    ):
        encoder = Encoder(target, audio)
        try:
            for decoded in source:
                time_s = decoded.stamp.time_s
                canvas, frame = drawing.add_ribbon(decoded.frame, changes.at(time_s))
                drawing.draw_spans(frame, active.at(time_s), time_s)
                encoder.write(canvas, decoded.stamp.pts, Fraction(*decoded.stamp.time_base))
                progress(time_s)
                count += 1
        finally:
            encoder.close()
    if not count:
        target.unlink(missing_ok=True)
        raise SourceError(f"{video} has no video frames.")
    return count


def check_target(video: Path, target: Path) -> None:
    """Raise SinkError where ``annotate`` could not write, before time is spent on reading."""
    check_output_path(target)
    if target.suffix.lower() != ".mp4":
        raise SinkError(f"{target} cannot be written: annotated videos are MP4; use the suffix .mp4.")
    if target.exists() and video.exists() and target.samefile(video):
        raise SinkError(f"{target} is the video itself; name another file.")


class ActiveSpans:
    """Returns the spans on screen at non-decreasing times."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._upcoming = sorted(spans, key=lambda span: span.start, reverse=True)
        self._active: list[Span] = []

    def at(self, time_s: float) -> Sequence[Span]:
        """Return the spans on screen at that time, ordered by track, so that overlapping boxes do not flicker."""
        time_s += TIME_RESOLUTION_S
        while self._upcoming and self._upcoming[-1].start <= time_s:
            self._active.append(self._upcoming.pop())
        self._active = sorted((span for span in self._active if span.end > time_s), key=lambda span: span.track)
        return self._active


class RecentChanges:
    """Returns the latest changes as lines of text at non-decreasing times."""

    def __init__(self, events: Iterable[Event], *, limit: int = DRAWING.max_ribbon_changes) -> None:
        self._upcoming = sorted(_changes(events), reverse=True)
        self._limit = limit
        self._recent: list[str] = []

    def at(self, time_s: float) -> Sequence[str]:
        """Return the changes up to that time, latest first."""
        while self._upcoming and self._upcoming[-1][0] <= time_s + TIME_RESOLUTION_S:
            self._recent = [self._upcoming.pop()[1], *self._recent[: self._limit - 1]]
        return self._recent


class Encoder:
    """Encodes frames as H.264 in MP4 with the audio copied. The first frame sets the size; others are scaled to it."""

    def __init__(self, target: Path, audio: AudioCopy) -> None:
        self._target, self._audio = target, audio
        try:
            self._file = av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"})
        except OSError as error:
            raise SinkError(f"{target} cannot be written: {describe_error(error)}.") from error
        self._stream: av.VideoStream | None = None

    def write(self, frame: Frame, pts: int, time_base: Fraction) -> None:
        """Encode a frame. Raises SinkError."""
        if self._stream is None:
            self._stream = self._add_stream(frame, time_base)
            self._audio.add_streams(self._file)
        planes = _planes(frame, (self._stream.width, self._stream.height))
        packed = np.concatenate([plane.ravel() for plane in planes]).reshape(-1, self._stream.width)
        picture = av.VideoFrame.from_ndarray(packed, format="yuv420p")
        picture.color_range = _FULL_RANGE if frame.full_range else _LIMITED_RANGE
        picture.pts, picture.time_base = pts, time_base
        self._mux(picture)
        self._audio.copy_until(self._file, float(pts * time_base))

    def close(self) -> None:
        """Flush the encoder and finish the file. Raises SinkError."""
        if self._stream is not None:
            self._mux(None)
            self._audio.copy_until(self._file, float("inf"))
        try:
            self._file.close()
        except OSError as error:
            raise SinkError(f"{self._target} cannot be written: {describe_error(error)}.") from error

    def _add_stream(self, frame: Frame, time_base: Fraction) -> av.VideoStream:
        stream = self._file.add_stream("libx264", options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height = (side // 2 * 2 for side in frame.size)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = time_base
        stream.codec_context.color_range = _FULL_RANGE if frame.full_range else _LIMITED_RANGE
        return stream

    def _mux(self, picture: av.VideoFrame | None) -> None:
        assert self._stream is not None
        try:
            for packet in self._stream.encode(picture):
                self._file.mux(packet)
        except OSError as error:
            self._stream = None  # no flush after this: FFmpeg crashes if it could not write the header
            raise SinkError(f"{self._target} cannot be written: {describe_error(error)}.") from error


def _planes(frame: Frame, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield the Y, U and V planes cropped or scaled to ``size`` (width, height), both even."""
    width, height = size
    cropped = tuple(side // 2 * 2 for side in frame.size) == size
    for plane, scale in ((frame.y, 1), (frame.u, 2), (frame.v, 2)):
        rows, columns = height // scale, width // scale
        if cropped:
            yield plane[:rows, :columns]
        else:
            yield cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA)


def _changes(events: Iterable[Event]) -> Iterator[tuple[float, str]]:
    """Yield (media seconds, line of text) for each text that appeared, changed or ended."""
    for event in events:
        if not isinstance(event, TextEvent):
            continue
        match event.kind:
            case "appeared":
                yield event.start, f"{format_timestamp(event.start)}  + {event.text}"
            case "changed":
                yield event.start, f"{format_timestamp(event.start)}  {event.previous} → {event.text}"
            case "ended":
                assert event.end is not None
                yield event.end, f"{format_timestamp(event.end)}  − {event.text}"
