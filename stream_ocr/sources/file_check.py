"""Checks of video files that need no decoder, so that a wrong path is reported before anything else starts."""

import os
import re
import stat
from pathlib import Path

from stream_ocr.errors import SourceError

_PLAYLISTS = (b"#extm3u", b"ffconcat", b"[playlist]", b"v=0\r\n", b"v=0\n", b"<?xml", b"<mpd", b"<smil", b"<asx")
_HEAD_BYTES = 4096  # of a file, in which a playlist shows itself
_ADDRESS = re.compile(r"(https?|rtsps?|rtmps?|s3|ftp|udp|srt):/+(.*)", re.DOTALL | re.IGNORECASE)
"""An address; as a path it has lost one of its slashes."""


def check_file(path: Path) -> None:
    """Raise SourceError for what is not a regular file, cannot be read, is empty or is a playlist."""
    name = repr(str(path))
    if (address := _ADDRESS.match(str(path))) and not os.path.exists(path):  # noqa: PTH110 - takes names that are too long
        host = address[2].rpartition("@")[2]
        raise SourceError(
            f"{f'{address[1]}://{host}'!r} is an address, of which only http and https are read as files; save its"
            " content to a file and pass that, or read it as a camera with `stream-ocr run`."
        )
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise SourceError(f"{name} is a directory; pass the video files in it.")
        if not stat.S_ISREG(mode):
            raise SourceError(f"{name} is not a regular file; save its content to a file and pass that.")
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"There is no file {name}; check the path.") from None
    except PermissionError:
        raise SourceError(f"{name} cannot be read by this user; change its permissions.") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"{name} cannot be opened ({error}); check the path.") from error
    if not head:
        raise SourceError(f"{name} is empty; copy it again from its origin.")
    if head.startswith(_PLAYLISTS):
        raise SourceError(f"{name} is a playlist, not a video; pass the video files themselves.")
