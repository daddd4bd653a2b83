"""Video files on this machine, decoded by PyAV: every frame upright, in the order in which it is shown, with its time.

A file is untrusted input. Only local files of known formats are opened, and nothing that such a file refers to: no
playlists, no network. Damaged packets are counted and passed over; the frames that suffer from them are marked.
"""

import re
import stat
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
from stream_ocr.core.timestamps import Timeline, to_fraction
from stream_ocr.errors import SourceError
from stream_ocr.sources.decoded_frame import CorruptionTracker, DecodedFrame, FrameConverter, lasting

__all__ = ["DecodedFrame", "FileSource", "open_container", "open_file"]

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,mpegvideo,m4v,avi,flv,ogg,asf,mxf,gif,ivf,obu,av1,h264,hevc,"
    "yuv4mpegpipe"
)
_PLAYLISTS = (b"#extm3u", b"ffconcat", b"[playlist]", b"v=0\r\n", b"v=0\n", b"<?xml", b"<mpd", b"<smil", b"<asx")
_UNREADABLE = 16  # reads that fail one after the other, until the rest of a file is given up
_TS_DISCONT = 0x200  # AVFMT_TS_DISCONT
_LEAP_S = 10.0  # a jump ahead of an MPEG-TS clock that is no pause; FFmpeg's own figure
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_EARLY_S = 0.5  # a file that ends so much before its time has broken off
# From PyAV 19 on, metadata that is not UTF-8 never raises and the argument is gone.
_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


def open_file(path: Path | str, *, stream: str, max_pixels: int = 33_177_600, threads: int = 1) -> "FileSource":
    """Open a video file and decode its first frame.

    stream: the name that its frames carry. max_pixels: larger pictures are refused. threads: of the decoder.
    Raises SourceError when there is nothing that can be read.
    """
    container = open_container(Path(path), max_pixels)
    try:
        return FileSource(container, repr(str(path)), stream=stream, max_pixels=max_pixels, threads=threads)
    except BaseException:
        container.close()
        raise


class FileSource:
    """The pictures of a file, once; made by ``open_file``. A context manager.

    size: (width, height) of the first frame, upright; a later frame may have another. start_s: its media time.
    duration_s, frame_count_hint: what the file says, None when it does not. corrupt_packets: damaged ones so far.
    trouble: one sentence when the file broke off before its end, known after the last frame.
    """

    def __init__(self, container: InputContainer, name: str, *, stream: str, max_pixels: int, threads: int) -> None:
        self.corrupt_packets = 0
        self._refused = 0  # packets since the last frame
        self.trouble: str | None = None
        self._container, self._name, self._stream = container, name, stream
        self._video = _video_of(container, name)
        context = self._video.codec_context
        if context.width * context.height > max_pixels:
            raise SourceError(
                f"{name} has pictures of {context.width}×{context.height}, more than the {max_pixels} pixels allowed;"
                " raise decode.max_pixels to read it."
            )
        context.thread_type = "SLICE"
        context.thread_count = threads
        context.options = {"max_pixels": str(max_pixels)}

        rate = to_fraction(self._video.average_rate) or to_fraction(self._video.guessed_rate)
        self._time_base = to_fraction(self._video.time_base)
        self._joinable = bool(container.format.flags & _TS_DISCONT)
        self._timeline = Timeline(self._time_base, rate=rate, max_forward_s=_LEAP_S if self._joinable else None)
        self._doubt = CorruptionTracker()
        self._upright = FrameConverter()
        self.duration_s = _duration_s(container, self._video)
        self.frame_count_hint = self._video.frames or (round(self.duration_s * rate) if self.duration_s else 0) or None

        self.start_s = 0.0
        pictures = self._pictures()
        first = next(pictures, None)
        if first is None:
            raise SourceError(
                f"No frame of {name} could be decoded ({context.name}, {self.corrupt_packets} damaged packets);"
                " check that the file is whole and that FFmpeg can play it."
            )
        self.size = first.frame.size
        self._all = chain([first], pictures)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[DecodedFrame]:
        return self._all

    def close(self) -> None:
        """Give the decoder and the file back. Pictures that were handed out stay valid."""
        self._all = chain()
        self._container.close()

    def _pictures(self) -> Iterator[DecodedFrame]:
        """One frame late: how long a frame lasts is known when the next one comes."""
        held: DecodedFrame | None = None
        for decoded in self._decoded():
            picture = self._picture(decoded, held)
            if held:
                yield lasting(held, picture.stamp.pts - held.stamp.pts)
            else:
                self.start_s = picture.stamp.time_s
            held = picture
        if held:
            held = lasting(held, self._last_ticks(held.stamp))
            yield held
            self._note_end(held.stamp)

    def _picture(self, decoded: VideoFrame, before: DecodedFrame | None) -> DecodedFrame:
        """The picture of a decoded frame; it lasts as long as the frame itself says."""
        captured_ns = time.time_ns()
        place = self._timeline.place(decoded.pts, decoded.dts, before.stamp.duration if before else 0)
        seq = before.stamp.seq + 1 if before and before.stamp.epoch == place.epoch else 0
        base = self._time_base.numerator, self._time_base.denominator
        stamp = Stamp(self._stream, place.epoch, seq, place.pts, base, decoded.duration or 0, captured_ns, None, "file")
        return DecodedFrame(stamp, self._upright.frame(decoded), self._doubt.of_frame(decoded, stamp.time_s))

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
                self._doubt.key_packet(packet.pts)
            if frames:
                self._refused = 0
            yield from frames

    def _packets(self) -> Iterator["Packet[VideoStream] | None"]:
        """All packets that can be read, then None, which flushes the decoder."""
        packets = self._container.demux(self._video)
        failures = 0
        while failures < _UNREADABLE:
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
        self._doubt.lost_packet()

    def _last_ticks(self, last: Stamp) -> int:
        """How long the last frame lasts: as it says, but not beyond the end of the file."""
        ticks = self._timeline.expected_duration(last.duration)
        end_s = self._end_s()
        left = 0 if end_s is None else round(end_s / self._time_base) - last.pts
        return left if 0 < left < ticks else ticks

    def _end_s(self) -> float | None:
        """Media time at which the file says that it ends. Where recordings can be joined it does not know."""
        return self.start_s + self.duration_s if self.duration_s and not self._joinable else None

    def _note_end(self, last: Stamp) -> None:
        """Say so when the file ends before its time, or when nothing could be made of its last packets."""
        usual_s = last.end_s - last.time_s
        end_s = self._end_s()
        complete = 0 < self._video.frames <= last.seq + 1
        early_s = 0.0 if end_s is None or complete else end_s - last.end_s
        missing_s = max(early_s, self._refused * usual_s)
        if missing_s > (2 * usual_s if self.corrupt_packets else _EARLY_S):
            self.trouble = (
                f"{self._name} breaks off {last.end_s - self.start_s:.1f} seconds after its start"
                f" ({self.corrupt_packets} damaged packets); copy it again from where it came to have the rest."
            )


def open_container(path: Path, max_pixels: int) -> InputContainer:
    """The container of a local file. Raises SourceError."""
    name = repr(str(path))
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise SourceError(f"{name} is a directory; name the video files in it.")
        if not stat.S_ISREG(mode):
            raise SourceError(f"{name} is not a regular file; save what it gives to a file and name that.")
        with path.open("rb") as file:
            head = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"There is no file {name}; check the path.") from None
    except PermissionError:
        raise SourceError(f"{name} may not be read by this user; change its permissions.") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{name} cannot be opened ({error}); check the path.") from error
    if not head:
        raise SourceError(f"{name} is empty; copy it again from where it came.")
    if head.startswith(_PLAYLISTS):
        raise SourceError(f"{name} is a playlist, not a video; name the video files themselves.")
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": _FORMATS,
        "max_pixels": str(max_pixels),  # for the decoder that looks at the first frames while the file is opened
    }
    try:
        container: InputContainer = av.open(f"file:{path.absolute()}", "r", options=options, **_LENIENT)
    except Exception as error:  # parsers of untrusted input raise more than FFmpegError
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise SourceError(
            f"{name} is not a video that can be read ({reason}); check that it is whole and that FFmpeg can play it."
        ) from error
    return container


def _video_of(container: InputContainer, name: str) -> VideoStream:
    """The stream to read; the cover picture of a song is none. Raises SourceError."""
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not videos:
        held = "only sound" if container.streams.audio else "no pictures"
        raise SourceError(f"{name} holds {held}; name a file with a video stream.")
    best = container.streams.best("video")
    video = next((s for s in videos if best is not None and s.index == best.index), videos[0])
    if video.codec_context is None:
        raise SourceError(f"{name} is coded in a way that this build of FFmpeg does not know; convert it first.")
    return video


def _duration_s(container: InputContainer, video: VideoStream) -> float | None:
    """Length of the video as the file tells it, in the stream or, in Matroska, in a tag or for the whole file."""
    if video.duration:
        return float(video.duration * to_fraction(video.time_base))
    end_s = container.duration / av.time_base if container.duration else None
    if tag := _CLOCK.fullmatch(video.metadata.get("DURATION", "")):
        hours, minutes, seconds = tag.groups()
        end_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if end_s and "matroska" in container.format.name:  # which counts from 0, not from the first frame
        end_s -= (video.start_time or 0) * float(to_fraction(video.time_base))
    return end_s
