"""Connections to live sources, and one sentence for each way in which they fail.

Both time-outs are set: PyAV's ends data that drips or floods and is no video, the socket option ends silence. FFmpeg
writes whole addresses into its errors, so their texts are never passed on: the class of an error tells what is wrong.
"""

import errno
import stat
import time
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from stream_ocr.config.sources import LiveSettings, SourceSettings
from stream_ocr.errors import SourceError
from stream_ocr.sources.certificates import check_against
from stream_ocr.sources.thresholds import LIVE

_STREAM_FORMATS = "hls,mpegts,mov,mp4,matroska,webm,flv,mpjpeg,mjpeg,jpeg_pipe,h264,hevc,aac,mp3,webvtt"
_UNNAMED = "its name is unknown, or TLS fails, as with a certificate that is not trusted"
"""Causes of an input/output error, which FFmpeg does not distinguish."""
_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}


class UnreachableError(SourceError):
    """A live source is unavailable. permanent: an early retry will not help."""

    def __init__(self, sentence: str, *, permanent: bool = False) -> None:
        super().__init__(sentence)
        self.permanent = permanent


def is_video_file(source: SourceSettings) -> bool:
    """Return whether a source is a file to play rather than a camera."""
    return source.path is not None and not _is_device(source.path)


def open_camera(source: SourceSettings, live: LiveSettings, *, quick: bool = True) -> InputContainer:
    """Return an open connection to a camera. Raise UnreachableError.

    quick: do not probe the stream before the first frame, which saves a second.
    """
    name = camera_name(source)
    started_s = time.monotonic()
    try:
        container: InputContainer = _open(source, live, quick=quick)
    except Exception as error:  # noqa: BLE001 - parsers of untrusted input raise more than FFmpegError
        failure = failure_of(error, name, live.connect_timeout_s)
        if (
            isinstance(error, av.error.InvalidDataError)
            and time.monotonic() - started_s > LIVE.silence * live.read_timeout_s
        ):
            failure = UnreachableError(f"{name} did not answer like a camera.")  # FFmpeg reports silence the same way
    else:
        return container
    raise failure  # outside the handler, so that FFmpeg's own error is not chained


def camera_name(source: SourceSettings) -> str:
    """Return the name of a camera in messages: its host or path, never its whole address."""
    return str(source.path) if source.address is None else source.address.host


def _open(source: SourceSettings, live: LiveSettings, *, quick: bool) -> InputContainer:
    timeout = (live.connect_timeout_s, live.read_timeout_s)
    options = {"timeout": str(round(live.read_timeout_s * 1e6))}
    probing = {"probesize": "32", "analyzeduration": "0"} if quick else {}
    if source.address is None:
        return av.open(str(source.path), "r", format="v4l2", timeout=timeout, **_LENIENT)
    scheme = source.address.scheme
    if scheme in ("rtsp", "rtsps"):
        options |= probing | {
            "rtsp_transport": source.transport,
            "protocol_whitelist": "rtp,udp,tcp" + (",tls" if scheme == "rtsps" else ""),
            "format_whitelist": "rtsp",
            "allowed_media_types": "video",
            "max_delay": str(round(LIVE.reordering_s * 1e6)),
            "tls_verify": "0",  # cameras sign their own certificates; FFmpeg 9 began to check them
        }
    else:
        options |= {"protocol_whitelist": "http,https,tls,tcp,crypto", "format_whitelist": _STREAM_FORMATS}
    if source.ca_file is not None and scheme in ("rtsps", "https"):
        options |= check_against(source.ca_file, source.address.host)
    return av.open(source.address.reveal(), "r", options=options, timeout=timeout, **_LENIENT)


def failure_of(error: BaseException, name: str, timeout_s: float) -> UnreachableError:
    """Return the error to raise for an error of FFmpeg. name: ``camera_name``. timeout_s: the one that was set."""
    match error:
        case SourceError():
            return error if isinstance(error, UnreachableError) else UnreachableError(str(error), permanent=True)
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            return UnreachableError(f"{name} rejects the user name or password; check the address.", permanent=True)
        case av.error.HTTPNotFoundError():
            return UnreachableError(f"{name} has no such path; check the address.", permanent=True)
        case av.error.HTTPError() | av.error.HTTPClientError() | av.error.HTTPServerError():
            return UnreachableError(f"{name} answers with an error ({type(error).__name__}).")
        case ConnectionRefusedError():
            return UnreachableError(f"{name} refuses connections; check that it is switched on.")
        case av.error.ExitError() | TimeoutError():
            return UnreachableError(f"{name} did not answer for {timeout_s:g} s.")
        case av.error.InvalidDataError():
            return UnreachableError(f"{name} sends no readable video.")
        case OSError(errno=93):  # EPROTONOSUPPORT
            return UnreachableError(f"{name} does not support this transport; set the other one.", permanent=True)
        case FileNotFoundError():
            return UnreachableError(f"There is no camera {name}.")
        case PermissionError():
            return UnreachableError(f"{name} cannot be read by this user; change its permissions.", permanent=True)
        case OSError(errno=number, strerror=str(reason)):
            return UnreachableError(f"{name} cannot be reached ({_UNNAMED if number == errno.EIO else reason}).")
    return UnreachableError(f"{name} cannot be read ({type(error).__name__}).")


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return path.parts[:2] == ("/", "dev")
