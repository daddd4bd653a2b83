"""Video files, decoded by PyAV: every frame upright, in presentation order, with its time.

A file is untrusted input. Only files of known formats are opened, local or at an address that the user gave, and
nothing that such a file refers to: no playlists, no other address. Damaged packets are counted and skipped; the frames
that suffer from them are marked.
"""

import re
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stream_ocr.core.messages import Stamp
from stream_ocr.core.thresholds import FRAMES
from stream_ocr.core.timestamps import Timeline, to_fraction
from stream_ocr.errors import SourceError
from stream_ocr.sources.addresses import Video, as_address, open_address
from stream_ocr.sources.decoded_frame import CorruptionTracker, DecodedFrame, FrameConverter, with_duration
from stream_ocr.sources.file_check import check_file
from stream_ocr.sources.thresholds import CORRUPTION, FILES

__all__ = ["DecodedFrame", "FileSource", "open_container", "open_file"]

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,mpegvideo,m4v,avi,flv,ogg,asf,mxf,gif,ivf,obu,av1,h264,hevc,"
    "yuv4mpegpipe"
)
_TS_DISCONT = 0x200  # AVFMT_TS_DISCONT
_DURATION_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
# From PyAV 19 on, metadata that is not UTF-8 never raises and the argument is gone.
_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


def open_file(
    path: Video, *, stream: str, max_pixels: int = 33_177_600, threads: int = 1, ca_file: Path | None = None
) -> "FileSource":
    """Open a video file, decode its first frame and return the source.

    path: of the file, or its http or https address as a string. stream: name in the stamps of its frames. max_pixels:
    largest frame size (width × height). threads: of the decoder. ca_file: as in
    ``open_address``. Raise SourceError if nothing can be read.
    """
    container = open_container(path, max_pixels, ca_file)
    try:
        return FileSource(container, _shown(path), stream=stream, max_pixels=max_pixels, threads=threads)
    except BaseException:
        container.close()
        raise


class FileSource:
    """Iterates once over the frames of a file; a context manager. Created by ``open_file``.

    size: (width, height) of the first frame, upright; later frames may differ. start_s: media time of the first frame.
    duration_s, frame_count_hint: as declared by the file, or None. corrupt_packets: number of damaged packets so far.
    failure: one sentence if the file is truncated, known after the last frame.
    """

    def __init__(self, container: InputContainer, name: str, *, stream: str, max_pixels: int, threads: int) -> None:
        self.corrupt_packets = 0
        self._refused = 0  # packets that the decoder refused since the last frame
        self.failure: str | None = None
        self._container, self._name, self._stream = container, name, stream
        self._video = _video_stream(container, name)
        context = self._video.codec_context
        if context.width * context.height > max_pixels:
            raise SourceError(
                f"{name} has frames of {context.width}×{context.height}, more than the {max_pixels} pixels allowed;"
                " increase decode.max_pixels to read it."
            )
        context.thread_type = "SLICE"
        context.thread_count = threads
        context.options = {"max_pixels": str(max_pixels)}

        rate = to_fraction(self._video.average_rate) or to_fraction(self._video.guessed_rate)
        self._time_base = to_fraction(self._video.time_base)
        self._may_be_concatenated = bool(container.format.flags & _TS_DISCONT)
        self._timeline = Timeline(
            self._time_base, rate=rate, max_forward_s=FILES.max_forward_s if self._may_be_concatenated else None
        )
        self._corruption = CorruptionTracker()
        self._converter = FrameConverter()
        self.duration_s = _duration_s(container, self._video)
        self.frame_count_hint = self._video.frames or (round(self.duration_s * rate) if self.duration_s else 0) or None

        self.start_s = 0.0
        self._origin_s = _origin_s(container)
        frames = self._frames_with_duration()
        first = next(frames, None)
        if first is None:
            raise SourceError(
                f"No frame of {name} could be decoded ({context.name}, {self.corrupt_packets} damaged packets);"
                " check that the file is complete and that FFmpeg can play it."
            )
        self.size = width, height = first.frame.size
        if min(self.size) < FRAMES.min_side_px:
            raise SourceError(
                f"{name} has frames of {width}×{height}, in which no text can be read; they need"
                f" {FRAMES.min_side_px} pixels in width and height."
            )
        self._frames = chain([first], frames)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[DecodedFrame]:
        return self._frames

    def close(self) -> None:
        """Close the decoder and the file. Frames that were returned stay valid."""
        self._frames = chain()
        self._container.close()

    def _frames_with_duration(self) -> Iterator[DecodedFrame]:
        """Yield the frames, one frame late: the duration of a frame is known when the next one arrives."""
        previous: DecodedFrame | None = None
        for decoded in self._decoded():
            current = self._stamped(decoded, previous)
            if previous:
                yield with_duration(previous, current.stamp.pts - previous.stamp.pts)
            else:
                self.start_s = current.stamp.time_s
            previous = current
        if previous:
            previous = with_duration(previous, self._last_duration(previous.stamp))
            yield previous
            self._check_end(previous.stamp)

    def _stamped(self, decoded: VideoFrame, before: DecodedFrame | None) -> DecodedFrame:
        """Return a decoded frame with its stamp, whose duration is the one that the frame declares."""
        captured_ns = time.time_ns()
        place = self._timeline.place(decoded.pts, decoded.dts, before.stamp.duration if before else 0)
        seq = before.stamp.seq + 1 if before and before.stamp.epoch == place.epoch else 0
        base = self._time_base.numerator, self._time_base.denominator
        stamp = Stamp(
            self._stream,
            place.epoch,
            seq,
            place.pts,
            base,
            decoded.duration or 0,
            captured_ns,
            None,
            "file",
            self._origin_s,
        )
        return DecodedFrame(stamp, self._converter.convert(decoded), self._corruption.is_damaged(decoded, stamp.time_s))

    def _decoded(self) -> Iterator[VideoFrame]:
        for packet in self._packets():
            try:
                frames = self._video.decode(packet)
            except Exception:  # noqa: BLE001 - decoders raise more than FFmpegError; counted, and what follows is marked
                self._lost_packet()
                self._refused += 1
                continue
            if packet and packet.is_corrupt:
                self._lost_packet()
            elif packet and packet.is_keyframe:
                self._corruption.add_keyframe_packet(packet.pts)
            if frames:
                self._refused = 0
            yield from frames

    def _packets(self) -> Iterator["Packet[VideoStream] | None"]:
        """Yield all packets that can be read, then None, which flushes the decoder."""
        packets = self._container.demux(self._video)
        failures = 0
        while failures < CORRUPTION.max_failed_reads:
            try:
                packet = next(packets, None)
            except Exception:  # noqa: BLE001 - as above; the next read may be good again
                self._lost_packet()
                failures += 1
                packets = self._container.demux(self._video)
                continue
            if packet is None:
                break
            failures = 0
            if packet.size:  # an empty one would flush the decoder too early
                yield packet
        yield None

    def _lost_packet(self) -> None:
        self.corrupt_packets += 1
        self._corruption.add_lost_packet()

    def _last_duration(self, last: Stamp) -> int:
        """Return the duration of the last frame in ticks: as declared, but not beyond the end of the file."""
        ticks = self._timeline.expected_duration(last.duration)
        end_s = self._end_s()
        left = 0 if end_s is None else round(end_s / self._time_base) - last.pts
        return left if 0 < left < ticks else ticks

    def _end_s(self) -> float | None:
        """Return the declared end in media time; None for formats that may be concatenated, which do not know it."""
        return self.start_s + self.duration_s if self.duration_s and not self._may_be_concatenated else None

    def _check_end(self, last: Stamp) -> None:
        """Set ``failure`` if the file ends early, or if the decoder refused its last packets."""
        frame_s = last.end_s - last.time_s
        end_s = self._end_s()
        complete = 0 < self._video.frames <= last.seq + 1
        early_s = 0.0 if end_s is None or complete else end_s - last.end_s
        missing_s = max(early_s, self._refused * frame_s)
        if missing_s > (FILES.max_missing_frames * frame_s if self.corrupt_packets else FILES.max_missing_s):
            self.failure = (
                f"{self._name} breaks off {last.end_s - self.start_s:.1f} seconds after its start"
                f" ({self.corrupt_packets} damaged packets); copy it again from its origin to get the rest."
            )


def read_origin_s(path: Video, max_pixels: int) -> float:
    """Return the media time at which players show 0:00. Raise SourceError if the file is no readable video."""
    with open_container(path, max_pixels) as container:
        return _origin_s(container)


def read_rate(path: Video, max_pixels: int) -> float | None:
    """Return the mean frames per second, None if the file does not say. Raise SourceError as ``read_origin_s``."""
    with open_container(path, max_pixels) as container:
        rate = container.streams.video[0].average_rate
        return None if not rate else float(rate)


def open_container(path: Video, max_pixels: int, ca_file: Path | None = None) -> InputContainer:
    """Return the container of a file. ca_file: as in ``open_address``. Raise SourceError if it is no readable video."""
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": _FORMATS,
        "max_pixels": str(max_pixels),  # for the decoder that probes the first frames while the file is opened
    }
    if address := as_address(path):
        return open_address(address, options, ca_file, **_LENIENT)
    path = Path(path)
    check_file(path)
    try:
        container: InputContainer = av.open(f"file:{path.absolute()}", "r", options=options, **_LENIENT)
    except Exception as error:  # parsers of untrusted input raise more than FFmpegError
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise SourceError(
            f"{_shown(path)} is not a video that can be read ({reason}); check that it is complete and that FFmpeg can"
            " play it."
        ) from error
    return container


def _origin_s(container: InputContainer) -> float:
    return (container.start_time or 0) / av.time_base


def _shown(path: Video) -> str:
    """Return the name of a file in messages, without passwords."""
    return repr(str(as_address(path) or path))


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    """Return the video stream, ignoring cover pictures of audio files. Raise SourceError if there is none."""
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not videos:
        content = "only audio" if container.streams.audio else "no video"
        raise SourceError(f"{name} contains {content}; pass a file with a video stream.")
    best = container.streams.best("video")
    video = next((s for s in videos if best is not None and s.index == best.index), videos[0])
    if video.codec_context is None:
        raise SourceError(f"{name} uses a codec that this build of FFmpeg does not support; convert it first.")
    return video


def _duration_s(container: InputContainer, video: VideoStream) -> float | None:
    """Return the declared length of the video: of the stream or, in Matroska, of a tag or of the whole file."""
    if video.duration:
        return float(video.duration * to_fraction(video.time_base))
    end_s = container.duration / av.time_base if container.duration else None
    if tag := _DURATION_TAG.fullmatch(video.metadata.get("DURATION", "")):
        hours, minutes, seconds = tag.groups()
        end_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if end_s and "matroska" in container.format.name:  # Matroska counts from 0, not from the first frame
        end_s -= (video.start_time or 0) * float(to_fraction(video.time_base))
    return end_s
