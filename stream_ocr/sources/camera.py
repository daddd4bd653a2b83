"""Frames of one connection to a live source, as they arrive."""

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
from stream_ocr.sources.connect import UnreachableError, failure_of
from stream_ocr.sources.decoded_frame import CorruptionTracker, FrameConverter
from stream_ocr.sources.files import FileSource
from stream_ocr.sources.live_clock import TIME_BASE, SenderReport
from stream_ocr.sources.thresholds import CORRUPTION, LIVE

_MISSING_PACKETS = "RTP: missed"  # FFmpeg's log line
_null_handler = logging.NullHandler()
_PRODUCER_TIME = struct.Struct("<qi")  # FFmpeg's "producer reference time": microseconds since 1970, flags


@dataclass(frozen=True, slots=True)
class CapturedFrame:
    """A decoded frame of a live source.

    pts: time stamp of the source in ticks of ``TIME_BASE``. arrived_s: monotonic time. waited_s: time spent waiting for
    its packets. report: the camera's own time of the last packet.
    """

    frame: Frame
    pts: int | None
    damaged: bool
    arrived_s: float
    waited_s: float
    report: SenderReport | None = None


class CameraReader:
    """Reads the frames of a connection until it is lost. corrupt: number of damaged packets so far."""

    def __init__(self, container: InputContainer, name: str, live: LiveSettings, decode: DecodeSettings) -> None:
        """Select the video stream. Raise UnreachableError if there is none."""
        self.corrupt = 0
        self._container, self._name, self._live = container, name, live
        video = container.streams.best("video") or next(iter(container.streams.video), None)
        if not isinstance(video, VideoStream) or video.codec_context is None:
            raise UnreachableError(f"{name} sends no video.", permanent=True)
        context = video.codec_context
        context.thread_type, context.thread_count = "SLICE", decode.threads
        context.options = {"max_pixels": str(decode.max_pixels)}
        self._video, self._time_base = video, to_fraction(video.time_base)
        self._corruption, self._converter = CorruptionTracker(), FrameConverter()

    def frames(self) -> Iterator[CapturedFrame]:
        """Yield every frame. Raise UnreachableError, which tells why there are no more."""
        with PacketLossMonitor() as losses:
            last_frame_s = time.monotonic()
            waited_s = 0.0
            for packet, took_s in self._packets():
                waited_s += took_s
                report = self._report(packet)
                for decoded in self._decode(packet, missed=losses.occurred()):
                    arrived_s = time.monotonic()
                    damaged = self._corruption.is_damaged(decoded, arrived_s)
                    yield CapturedFrame(
                        self._converter.convert(decoded), self._ticks(decoded.pts), damaged, arrived_s, waited_s, report
                    )
                    last_frame_s, waited_s = time.monotonic(), 0.0
                if time.monotonic() - last_frame_s > self._live.frame_timeout_s:
                    raise UnreachableError(f"{self._name} has sent no frame for {self._live.frame_timeout_s:g} s.")
        raise UnreachableError(f"{self._name} ended the stream.")

    def close(self) -> None:
        """Close the connection."""
        self._container.close()

    def _packets(self) -> Iterator[tuple[Packet, float]]:
        """Yield packets and the seconds spent waiting for each."""
        packets = self._container.demux(self._video)
        failures = 0
        while True:
            started_s = time.monotonic()
            try:
                packet = next(packets, None)
            except Exception as error:  # noqa: BLE001 - demuxers raise more than FFmpegError
                if isinstance(error, InvalidDataError) and failures < CORRUPTION.max_failed_reads:
                    failures += 1
                    self._lost_packet()
                    packets = self._container.demux(self._video)
                    continue
                failure = failure_of(error, self._name, self._live.read_timeout_s)
            else:
                failures = 0
                if packet is None:
                    return
                if packet.size:  # an empty one would flush the decoder
                    yield packet, time.monotonic() - started_s
                continue
            raise failure

    def _decode(self, packet: Packet, *, missed: bool) -> Iterator[VideoFrame]:
        """Yield the frames of a packet. missed: packets were lost within this one or directly behind it."""
        try:
            frames = self._video.decode(packet)
        except Exception:  # noqa: BLE001 - as above; counted, and the next frames are marked
            self._lost_packet()
            return
        if packet.is_corrupt:
            self._lost_packet()
        elif packet.is_keyframe:
            self._corruption.add_keyframe_packet(packet.pts)
        if missed:
            self._lost_packet()
        yield from frames

    def _lost_packet(self) -> None:
        self.corrupt += 1
        self._corruption.add_lost_packet()

    def _report(self, packet: Packet) -> SenderReport | None:
        pts = self._ticks(packet.pts)
        if pts is None or not packet.has_sidedata("prft"):
            return None
        microseconds, _ = _PRODUCER_TIME.unpack_from(bytes(packet.get_sidedata("prft")))
        return SenderReport(pts, microseconds * 1000, fresh=packet.has_sidedata("rtcp_sr"))

    def _ticks(self, pts: int | None) -> int | None:
        return None if pts is None else round(pts * self._time_base * TIME_BASE[1])


class PacketLossMonitor:
    """Captures the log lines of FFmpeg in this thread: the only place where it reports missing RTP packets.

    Other lines may contain addresses and are discarded.
    """

    def __enter__(self) -> Self:
        self._capture = av.logging.Capture(local=True)
        self._lines = self._capture.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.__exit__(None, None, None)

    @staticmethod
    @contextmanager
    def enabled() -> Iterator[None]:
        """Make FFmpeg report them, in the whole process."""
        logger = logging.getLogger("libav")  # receives the lines of threads without a capture
        logger.addHandler(_null_handler)
        logger.propagate = False
        av.logging.set_skip_repeated(False)
        av.logging.set_level(av.logging.WARNING)
        yield
        av.logging.set_level(None)

    def occurred(self) -> bool:
        """Return whether packets were lost since the last call."""
        missing = any(_MISSING_PACKETS in line for _, _, line in self._lines)
        self._lines.clear()
        return missing


class FileReplay:
    """Plays a file in place of a camera. corrupt: number of damaged packets, known at the end."""

    def __init__(self, file: FileSource) -> None:
        self.corrupt = 0
        self._file = file

    def frames(self) -> Iterator[CapturedFrame]:
        """Yield every frame, as fast as requested."""
        for decoded in self._file:
            stamp = decoded.stamp
            pts = stamp.pts * stamp.time_base[0] * TIME_BASE[1] // stamp.time_base[1]
            yield CapturedFrame(decoded.frame, pts, decoded.damaged, time.monotonic(), 0.0)
        self.corrupt = self._file.corrupt_packets

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Pace:
    """Holds frames back until they are due, for sources that deliver faster than real time."""

    def __init__(self, wait: Callable[[float], object]) -> None:
        """Create a pace that starts with the first frame. wait: sleeps for a number of seconds."""
        self._wait = wait
        self._start: tuple[float, int] | None = None

    def wait_until_due(self, captured: CapturedFrame) -> float:
        """Wait until a frame is due and return that monotonic time."""
        pts = captured.pts or 0
        if self._start is None:
            self._start = captured.arrived_s, pts
        due_s = self._start[0] + (pts - self._start[1]) / TIME_BASE[1]
        behind_s = captured.arrived_s - due_s
        if behind_s < 0:
            self._wait(-behind_s)
        elif captured.waited_s > LIVE.pace_wait * behind_s:
            # The source had no data: it is later by so much from now on.
            self._start, due_s = (captured.arrived_s, pts), captured.arrived_s
        return due_s
