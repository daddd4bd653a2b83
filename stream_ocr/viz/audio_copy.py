"""The sound of a video, taken over into another file with its times untouched."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import structlog
from av.container import OutputContainer
from av.packet import Packet

from stream_ocr.config.stages import DecodeSettings
from stream_ocr.sources.files import open_container

log = structlog.get_logger(__name__)

_CARRIED = {"aac", "mp3", "opus", "flac", "ac3", "eac3", "alac"}  # by MP4, so that players can be expected to know it


class AudioCopy:
    """All sound of a file, copied as it is where MP4 carries it, or else as AAC in mono or stereo. A context manager.

    Sound that cannot be read or written is given up with a line in the log; the picture goes on without it.
    """

    def __init__(self, video: Path, decode: DecodeSettings) -> None:
        """Raises SourceError when the file cannot be opened."""
        self._name = str(video)
        self._container = open_container(video, decode.max_pixels)
        self._targets: dict[int, Any] = {}
        self._packets: Iterator[Packet[Any]] = iter(())
        self._next: Packet[Any] | None = None
        self._last: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def attach(self, target: OutputContainer) -> None:
        """Make a stream in the target for each stream of sound, before anything is written there."""
        for sound in self._container.streams.audio:
            if sound.codec_context is None:
                log.warning("sound left out", file=self._name, reason="coded in a way that is not known here")
            elif sound.codec_context.name in _CARRIED:
                self._targets[sound.index] = target.add_stream_from_template(sound)
            else:
                layout = "mono" if sound.layout.nb_channels == 1 else "stereo"  # its own name may be unknown
                self._targets[sound.index] = target.add_stream("aac", rate=sound.rate, layout=layout)
        if self._targets:
            self._packets = self._container.demux([self._container.streams[index] for index in self._targets])
            self._next = next(self._packets, None)

    def until(self, target: OutputContainer, time_s: float) -> None:
        """Hand over what is heard up to a media time; infinity for the rest."""
        try:
            while self._next is not None and _time_s(self._next) <= time_s:
                target.mux(list(self._coded(self._next)))
                self._next = next(self._packets, None)
        except (av.FFmpegError, OSError, ValueError) as error:
            log.warning("sound breaks off", file=self._name, after_s=round(time_s, 3), reason=str(error))
            self._next = None

    def _coded(self, packet: "Packet[Any]") -> Iterator["Packet[Any]"]:
        """What a packet becomes in the target."""
        target = self._targets[packet.stream.index]
        if packet.stream.codec_context.name not in _CARRIED:
            for frame in packet.decode():
                yield from target.encode(frame)
            if not packet.size:  # an empty packet ends the stream
                yield from target.encode(None)
        elif packet.dts is not None and packet.dts > self._last.get(packet.stream.index, packet.dts - 1):
            self._last[packet.stream.index] = packet.dts
            packet.stream = target
            yield packet


def _time_s(packet: "Packet[Any]") -> float:
    """When a packet is due; at once where it does not say."""
    return float("-inf") if packet.dts is None else float(packet.dts * packet.time_base)
