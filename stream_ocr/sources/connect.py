"""Opening a live source, and saying in one sentence why that, or going on, is impossible.

Both of FFmpeg's time-outs are set: PyAV's own ends what drips or floods and is no video, the option of the socket
ends a silence. FFmpeg writes whole addresses into its errors, so their words are never passed on: the class of an
error is enough to say what is wrong.
"""

import stat
import time
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from stream_ocr.config.sources import LiveSettings, SourceSettings
from stream_ocr.errors import SourceError

_STREAMED = "hls,mpegts,mov,mp4,matroska,webm,flv,mpjpeg,mjpeg,jpeg_pipe,h264,hevc,aac,mp3,webvtt"
_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
_REORDERING_US = 100_000  # that UDP waits for a packet that is late


class UnreachableError(SourceError):
    """A live source cannot be had now. ``lasting``: not by trying again soon either."""

    def __init__(self, sentence: str, *, lasting: bool = False) -> None:
        super().__init__(sentence)
        self.lasting = lasting


def is_video_file(source: SourceSettings) -> bool:
    """Whether a source is a file to be played, rather than a camera."""
    return source.path is not None and not _is_device(source.path)


def open_camera(source: SourceSettings, live: LiveSettings, *, quick: bool = True) -> InputContainer:
    """Connect to a camera. Raises UnreachableError.

    quick: take the first picture as it comes, without looking at what follows first; a second sooner.
    """
    name = camera_name(source)
    began_s = time.monotonic()
    try:
        container: InputContainer = _open(source, live, quick=quick)
    except Exception as error:  # noqa: BLE001 - parsers of untrusted input raise more than FFmpegError
        failure = trouble(error, name, live.connect_timeout_s)
        if isinstance(error, av.error.InvalidDataError) and time.monotonic() - began_s > 0.9 * live.read_timeout_s:
            failure = UnreachableError(f"{name} did not answer as a camera does.")  # FFmpeg says the same of silence
    else:
        return container
    raise failure  # outside of the handler, so that nothing of FFmpeg's own error comes along


def camera_name(source: SourceSettings) -> str:
    """What sentences call a camera: its host, or its path."""
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
            "max_delay": str(_REORDERING_US),
        }
    else:
        options |= {"protocol_whitelist": "http,https,tls,tcp,crypto", "format_whitelist": _STREAMED}
    return av.open(source.address.reveal(), "r", options=options, timeout=timeout, **_LENIENT)


def trouble(error: BaseException, name: str, patience_s: float) -> UnreachableError:
    """What an error of FFmpeg means. name: of the camera, as ``camera_name`` tells it."""
    match error:
        case UnreachableError():
            return error
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            return UnreachableError(f"{name} refuses the user or the password; check the address.", lasting=True)
        case av.error.HTTPNotFoundError():
            return UnreachableError(f"{name} has no such path; check the address.", lasting=True)
        case av.error.HTTPError() | av.error.HTTPClientError() | av.error.HTTPServerError():
            return UnreachableError(f"{name} answers with an error ({type(error).__name__}).")
        case ConnectionRefusedError():
            return UnreachableError(f"Nobody listens at {name}; check that it is switched on.")
        case av.error.ExitError() | TimeoutError():
            return UnreachableError(f"{name} did not answer for {patience_s:g} s.")
        case av.error.InvalidDataError():
            return UnreachableError(f"{name} sends no video that can be read.")
        case OSError(errno=93):  # EPROTONOSUPPORT
            return UnreachableError(f"{name} does not send by this transport; set the other one.", lasting=True)
        case FileNotFoundError():
            return UnreachableError(f"There is no camera {name}.")
        case PermissionError():
            return UnreachableError(f"{name} may not be read by this user.", lasting=True)
        case OSError(strerror=str(reason)):
            return UnreachableError(f"{name} cannot be reached ({reason}).")
    return UnreachableError(f"{name} cannot be read ({type(error).__name__}).")


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return path.parts[:2] == ("/", "dev")
