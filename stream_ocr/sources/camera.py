"""The pictures of one connection to a live source, as they come."""

import logging
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import av
import av.logging
from av.container import InputContainer
from av.error import InvalidDataError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from stream_ocr.config.sources import LiveSettings
from stream_ocr.config.stages import DecodeSettings
from stream_ocr.core.frame import Frame
from stream_ocr.core.timestamps import to_fraction
from stream_ocr.sources.connect import UnreachableError, trouble
from stream_ocr.sources.decoded_frame import CorruptionTracker, FrameConverter
from stream_ocr.sources.files import FileSource
from stream_ocr.sources.live_clock import TIME_BASE, Report

_UNREADABLE = 16  # packets that fail one after the other, until a connection is given up
_MISSING = "RTP: missed"
_nowhere = logging.NullHandler()
_REPORT = struct.Struct("<qi")  # microseconds since 1970, flags: FFmpeg's "producer reference time"


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """A decoded picture. pts: as the source stamped it, in ticks of ``TIME_BASE``. waited_s: for its packets.

    report: the camera's own time of the packet that came last.
    """

    frame: Frame
    pts: int | None
    damaged: bool
    arrived_s: float
    waited_s: float
    report: Report | None = None


class CameraReader:
    """The pictures of a connection, until it is lost. corrupt: damaged packets so far."""

    def __init__(self, container: InputContainer, name: str, live: LiveSettings, decode: DecodeSettings) -> None:
        """Raises UnreachableError when there is no video in it."""
        self.corrupt = 0
        self._container, self._name, self._live = container, name, live
        video = container.streams.best("video") or next(iter(container.streams.video), None)
        if not isinstance(video, VideoStream) or video.codec_context is None:
            raise UnreachableError(f"{name} sends no video.", lasting=True)
        context = video.codec_context
        context.thread_type, context.thread_count = "SLICE", decode.threads
        context.options = {"max_pixels": str(decode.max_pixels)}
        self._video, self._time_base = video, to_fraction(video.time_base)
        self._doubt, self._upright = CorruptionTracker(), FrameConverter()

    def shots(self) -> Iterator[CapturedFrame]:
        """Every picture. Raises UnreachableError, which says why there are no more."""
        with Losses() as said_missing:
            shown_s = time.monotonic()
            waited_s = 0.0
            for packet, took_s in self._packets():
                waited_s += took_s
                report = self._report(packet)
                for decoded in self._decode(packet, missed=said_missing.heard()):
                    arrived_s = time.monotonic()
                    damaged = self._doubt.of_frame(decoded, arrived_s)
                    yield CapturedFrame(
                        self._upright.frame(decoded), self._ticks(decoded.pts), damaged, arrived_s, waited_s, report
                    )
                    shown_s, waited_s = time.monotonic(), 0.0
                if time.monotonic() - shown_s > self._live.frame_timeout_s:
                    raise UnreachableError(f"{self._name} has sent no picture for {self._live.frame_timeout_s:g} s.")
        raise UnreachableError(f"{self._name} ended the stream.")

    def close(self) -> None:
        """Hang up."""
        self._container.close()

    def _packets(self) -> Iterator[tuple[Packet, float]]:
        """Packets, and how many seconds each was waited for."""
        packets = self._container.demux(self._video)
        failures = 0
        while True:
            began_s = time.monotonic()
            try:
                packet = next(packets, None)
            except Exception as error:  # noqa: BLE001 - demuxers raise more than FFmpegError
                if isinstance(error, InvalidDataError) and failures < _UNREADABLE:
                    failures += 1
                    self._lost_packet()
                    packets = self._container.demux(self._video)
                    continue
                failure = trouble(error, self._name, self._live.read_timeout_s)
            else:
                failures = 0
                if packet is None:
                    return
                if packet.size:  # an empty one would flush the decoder
                    yield packet, time.monotonic() - began_s
                continue
            raise failure

    def _decode(self, packet: Packet, *, missed: bool) -> Iterator[VideoFrame]:
        """missed: something was lost within this packet, or right behind it."""
        try:
            frames = self._video.decode(packet)
        except Exception:  # noqa: BLE001 - as above; counted, and what follows is marked
            self._lost_packet()
            return
        if packet.is_corrupt:
            self._lost_packet()
        elif packet.is_keyframe:
            self._doubt.key_packet(packet.pts)
        if missed:
            self._lost_packet()
        yield from frames

    def _lost_packet(self) -> None:
        self.corrupt += 1
        self._doubt.lost_packet()

    def _report(self, packet: Packet) -> Report | None:
        pts = self._ticks(packet.pts)
        if pts is None or not packet.has_sidedata("prft"):
            return None
        microseconds, _ = _REPORT.unpack_from(bytes(packet.get_sidedata("prft")))
        return Report(pts, microseconds * 1000, fresh=packet.has_sidedata("rtcp_sr"))

    def _ticks(self, pts: int | None) -> int | None:
        return None if pts is None else round(pts * self._time_base * TIME_BASE[1])


class Losses:
    """Listens to what FFmpeg says in this thread: that packets of RTP are missing it says in no other way.

    Its other words may hold addresses, and go no further.
    """

    def __enter__(self) -> Self:
        self._capture = av.logging.Capture(local=True)
        self._words = self._capture.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.__exit__(None, None, None)

    @staticmethod
    @contextmanager
    def told() -> Iterator[None]:
        """While FFmpeg is to tell them, in all of this process."""
        logger = logging.getLogger("libav")  # where threads that nobody listens to end up
        logger.addHandler(_nowhere)
        logger.propagate = False
        av.logging.set_skip_repeated(False)
        av.logging.set_level(av.logging.WARNING)
        yield
        av.logging.set_level(None)

    def heard(self) -> bool:
        """Whether packets were missing since the last call."""
        missing = any(_MISSING in words for _, _, words in self._words)
        self._words.clear()
        return missing


class FileReplay:
    """A file in place of a camera."""

    def __init__(self, file: FileSource) -> None:
        self.corrupt = 0
        self._file = file

    def shots(self) -> Iterator[CapturedFrame]:
        """Every picture, as fast as it is asked for; nobody waits for the packets of a file."""
        for picture in self._file:
            stamp = picture.stamp
            pts = stamp.pts * stamp.time_base[0] * TIME_BASE[1] // stamp.time_base[1]
            yield CapturedFrame(picture.frame, pts, picture.damaged, time.monotonic(), 0.0)
        self.corrupt = self._file.corrupt_packets

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class Pace:
    """Holds pictures back until it is their time, where a source gives them faster than they are to be seen."""

    def __init__(self, wait: Callable[[float], object]) -> None:
        """wait: sleeps for so many seconds."""
        self._wait = wait
        self._start: tuple[float, int] | None = None

    def due_s(self, shot: CapturedFrame) -> float:
        """Monotonic time of a picture, once that has come."""
        pts = shot.pts or 0
        if self._start is None:
            self._start = shot.arrived_s, pts
        due_s = self._start[0] + (pts - self._start[1]) / TIME_BASE[1]
        behind_s = shot.arrived_s - due_s
        if behind_s < 0:
            self._wait(-behind_s)
        elif shot.waited_s > behind_s / 2:  # the source had nothing to give; from now on it is so much later
            self._start, due_s = (shot.arrived_s, pts), shot.arrived_s
        return due_s
