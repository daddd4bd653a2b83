"""Copies the audio of a video into another file with unchanged timestamps."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
from av.container import OutputContainer
from av.packet import Packet

from stream_ocr.config.stages import DecodeSettings
from stream_ocr.logs import get_logger
from stream_ocr.sources.files import open_container

log = get_logger(__name__)

_COPIED = {"aac", "mp3", "opus", "flac", "ac3", "eac3", "alac"}  # codecs that players expect in MP4


class AudioCopy:
    """Copies all audio streams of a file, or re-encodes them as AAC where MP4 does not carry the codec.

    A context manager. Audio that cannot be read or written is logged and left out; the video goes on without it.
    """

    def __init__(self, video: Path, decode: DecodeSettings) -> None:
        """Open the file. Raises SourceError."""
        self._name = str(video)
        self._container = open_container(video, decode.max_pixels)
        self._targets: dict[int, Any] = {}
        self._packets: Iterator[Packet[Any]] = iter(())
        self._next: Packet[Any] | None = None
        self._last_dts: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def add_streams(self, target: OutputContainer) -> None:
        """Add an audio stream to the target for each one of the video. Call it before anything is muxed."""
        for audio in self._container.streams.audio:
            if audio.codec_context is None:
                log.warning("audio left out", file=self._name, reason="unknown codec")
            elif audio.codec_context.name in _COPIED:
                self._targets[audio.index] = target.add_stream_from_template(audio)
            else:
                layout = "mono" if audio.layout.nb_channels == 1 else "stereo"  # the layout's own name may be unknown
                self._targets[audio.index] = target.add_stream("aac", rate=audio.rate, layout=layout)
        if self._targets:
            self._packets = self._container.demux([self._container.streams[index] for index in self._targets])
            self._next = next(self._packets, None)

    def copy_until(self, target: OutputContainer, time_s: float) -> None:
        """Mux audio up to a media time in seconds; infinity for the rest."""
        try:
            while self._next is not None and _time_s(self._next) <= time_s:
                target.mux(list(self._convert(self._next)))
                self._next = next(self._packets, None)
        except (av.FFmpegError, OSError, ValueError) as error:
            log.warning("audio breaks off", file=self._name, after_s=round(time_s, 3), reason=str(error))
            self._next = None

    def _convert(self, packet: "Packet[Any]") -> Iterator["Packet[Any]"]:
        """Yield the packets of the target stream for one packet of the video."""
        target = self._targets[packet.stream.index]
        if packet.stream.codec_context.name not in _COPIED:
            for frame in packet.decode():
                yield from target.encode(frame)
            if not packet.size:  # an empty packet ends the stream
                yield from target.encode(None)
        elif packet.dts is not None and packet.dts > self._last_dts.get(packet.stream.index, packet.dts - 1):
            self._last_dts[packet.stream.index] = packet.dts
            packet.stream = target
            yield packet


def _time_s(packet: "Packet[Any]") -> float:
    """Return the decoding time of a packet in seconds, minus infinity if it has none."""
    return float("-inf") if packet.dts is None else float(packet.dts * packet.time_base)
