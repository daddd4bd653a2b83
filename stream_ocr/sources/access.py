"""Files and sockets that the process needs that decodes a file or a camera."""

from pathlib import Path

from stream_ocr.config.sources import SourceSettings
from stream_ocr.config.stages import DecodeSettings
from stream_ocr.confinement import Access
from stream_ocr.confinement.thresholds import THRESHOLDS
from stream_ocr.printable import path_to_text
from stream_ocr.sources.addresses import Video, as_address
from stream_ocr.sources.certificates import system_authorities


def video_access(video: Video, decode: DecodeSettings) -> Access | None:
    """Return the access for a file, or for an address that is read like one; None: not confined."""
    if not decode.confined:
        return None
    if as_address(video):
        authorities = decode.ca_file or system_authorities()
        return Access(files=_texts(authorities), network=True, memory_bytes=decoder_memory_bytes(decode))
    return Access(files=_texts(video), memory_bytes=decoder_memory_bytes(decode))


def source_access(source: SourceSettings, decode: DecodeSettings) -> Access | None:
    """Return the access for a live source; None: not confined."""
    if not decode.confined:
        return None
    if source.path is not None:
        return Access(files=_texts(source.path), memory_bytes=decoder_memory_bytes(decode))
    address = source.address
    assert address is not None, "a source has a path or an address"
    # Web servers redirect, and playlists name other addresses; an RTSP camera has one port.
    ports = (address.port,) if address.scheme in ("rtsp", "rtsps") else ()
    return Access(files=_texts(source.ca_file), network=True, ports=ports, memory_bytes=decoder_memory_bytes(decode))


def decoder_memory_bytes(decode: DecodeSettings) -> int:
    """Return the memory that a process needs that decodes, besides what it starts with."""
    return THRESHOLDS.memory_bytes + THRESHOLDS.frames * THRESHOLDS.pixel_bytes * decode.max_pixels


def _texts(*paths: Path | str | None) -> tuple[str, ...]:
    """Return the paths that are given, as text."""
    return tuple(path_to_text(path) for path in paths if path is not None)
