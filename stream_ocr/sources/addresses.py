"""Videos at http and https addresses, which FFmpeg reads while they arrive."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from stream_ocr.config.urls import SourceUrl
from stream_ocr.errors import SourceError
from stream_ocr.sources.certificates import check_against
from stream_ocr.sources.thresholds import FILES

if TYPE_CHECKING:
    from av.container import InputContainer

Video = Path | str
"""A video to read: a path, or an address as a string."""

_PROTOCOLS = "http,https,tls,tcp,crypto"
_RECONNECT = {"reconnect": "1", "reconnect_on_network_error": "1", "reconnect_delay_max": "8"}


def as_address(video: Video) -> SourceUrl | None:
    """Return the address for a string that is one, None for a path. Raise SourceError for a malformed address."""
    if not isinstance(video, str) or not video.lower().startswith(("http://", "https://")) or os.path.exists(video):  # noqa: PTH110
        return None
    scheme, _, rest = video.partition("://")
    try:
        return SourceUrl(f"{scheme.lower()}://{rest.partition('#')[0]}")
    except ValueError as error:
        raise SourceError(f"The address of a video cannot be used: {error}.") from None


def video_name(video: Video) -> str:
    """Return the file name of a path or address; the host where an address has none."""
    address = as_address(video)
    if address is None:
        return Path(video).name
    return Path(unquote(urlsplit(address.reveal()).path)).name or address.host


def open_address(
    address: SourceUrl, options: dict[str, str], ca_file: Path | None = None, **arguments: Any
) -> "InputContainer":
    """Return the container at an address. options, arguments: of ``av.open``. Raise SourceError.

    ca_file: certificates of authorities that an https server needs; None: those of the system.
    """
    import av  # not by programs that only look at names and leave reading to workers

    from stream_ocr.sources.connect import failure_of

    timeout_s = FILES.http_timeout_s
    options = _RECONNECT | options | {"protocol_whitelist": _PROTOCOLS, "timeout": str(round(timeout_s * 1e6))}
    if address.scheme == "https":
        options |= check_against(ca_file, address.host)
    try:
        return av.open(address.reveal(), "r", options=options, timeout=timeout_s, **arguments)
    except Exception as error:  # noqa: BLE001 - parsers of untrusted input raise more than FFmpegError
        failure = failure_of(error, str(address), timeout_s)
    raise SourceError(str(failure))  # outside the handler: FFmpeg writes whole addresses into its errors
