"""Files on object stores and web servers, listed and fetched through fsspec (extra ``archive``)."""

import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from stream_ocr.archive.thresholds import THRESHOLDS
from stream_ocr.errors import SinkError, SourceError

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "updated", "created")
"""Fields of fsspec's file systems that change with the content, the most reliable first."""


def is_remote(name: str) -> bool:
    """Return True for a URL, such as ``s3://bucket/film.mp4``."""
    return _URL.match(name) is not None


def without_secrets(url: str) -> str:
    """Return a URL without user, password and query; a path unchanged."""
    if not is_remote(url):
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def list_files(url: str, suffixes: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (URL, path below the folder, content id) of the file, folder or pattern at a URL. Raise SourceError."""
    with _errors_of(url):
        system, path = _open(url)
        if any(char in path for char in "*["):
            root, found = path[: re.search(r"[*\[]", path).start()].rpartition("/")[0], system.glob(path, detail=True)  # type: ignore[union-attr]
        elif urlsplit(url).scheme not in ("http", "https") and system.isdir(path):
            root, found = path.rstrip("/"), system.find(path, detail=True)
            found = {name: info for name, info in found.items() if PurePosixPath(name).suffix.lower() in suffixes}
        else:
            yield url, PurePosixPath(urlsplit(url).path).name or path, ""
            return
    if not found:
        raise SourceError(f"There are no videos at {without_secrets(url)}; check the address.")
    for name, info in sorted(found.items()):
        if info.get("type", "file") == "file":
            yield system.unstrip_protocol(name), name.removeprefix(root).lstrip("/"), _content_id(info)


def content_id(url: str) -> str:
    """Return what changes with the content of a file. Raise SourceError."""
    with _errors_of(url):
        system, path = _open(url)
        return _content_id(system.info(path))


@contextmanager
def fetched(url: str) -> Iterator[Path]:
    """Provide a copy of a file in the folder for temporary files. Raise SourceError, and SinkError without space."""
    with tempfile.TemporaryDirectory(prefix="stream-ocr-") as folder:
        local = Path(folder, PurePosixPath(urlsplit(url).path).name or "video")
        with _errors_of(url):
            system, path = _open(url)
            size = system.info(path).get("size") or 0
            free = shutil.disk_usage(folder).free
            if size + THRESHOLDS.spare_disk_bytes > free:
                raise SinkError(
                    f"{folder} has {free} bytes free, too few for the {size} of {without_secrets(url)}; set TMPDIR to a"
                    " larger disk."
                )
            with system.open(path, "rb") as remote, local.open("wb") as file:
                shutil.copyfileobj(remote, file, THRESHOLDS.chunk_bytes)
        if size and local.stat().st_size != size:
            raise SourceError(f"{without_secrets(url)} broke off after {local.stat().st_size} of {size} bytes.")
        yield local


def _content_id(info: Mapping[str, Any]) -> str:
    tag = next((info[name] for name in _TAGS if info.get(name)), "")
    if isinstance(tag, datetime):  # listings and single files may give the same time in different types
        tag = tag.timestamp()
    return f"{info.get('size', '')}:{tag}"


def _open(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it."""
    try:
        import fsspec
    except ImportError:
        raise SourceError(
            f"{without_secrets(url)} needs fsspec, which is not installed; pip install 'stream-ocr[archive]'."
        ) from None
    system, path = fsspec.core.url_to_fs(url)
    return system, str(path)


@contextmanager
def _errors_of(url: str) -> Iterator[None]:
    """Turn the errors of fsspec's file systems, which share no base class, into one sentence."""
    try:
        yield
    except (SourceError, SinkError, GeneratorExit):
        raise
    except FileNotFoundError:
        raise SourceError(f"There is nothing at {without_secrets(url)}; check the address.") from None
    except Exception as error:
        reason = str(error).replace(url, without_secrets(url)).replace(os.linesep, " ")
        raise SourceError(f"{without_secrets(url)} cannot be read ({type(error).__name__}: {reason}).") from error
