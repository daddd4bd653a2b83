"""The files of an archive, from paths, folders, patterns, manifests and addresses."""

import glob
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from stream_ocr.archive import remote
from stream_ocr.archive.manifest import is_manifest, read_manifest
from stream_ocr.errors import SourceError
from stream_ocr.printable import encodable
from stream_ocr.sources import suffixes


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read.

    address: absolute path, or URL. stream: name of the stream in the events: the path below the folder that the user
    named. settings: its own settings, as a nested mapping. content: what identifies the content of a remote file, if
    the listing told it.
    """

    address: str
    stream: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    content: str = ""

    @property
    def content_id(self) -> str:
        """Return what changes with the content: size and modification time, or a tag. Raise SourceError."""
        if self.content:
            return self.content
        if remote.is_remote(self.address):
            return remote.content_id(self.address)
        try:
            found = Path(self.address).stat()
        except FileNotFoundError:
            raise SourceError(f"There is no file {self.address!r}; check the path.") from None
        except OSError as error:
            raise SourceError(f"{self.address!r} cannot be opened: {error.strerror}.") from error
        return f"{found.st_size}:{found.st_mtime_ns}"


@dataclass(frozen=True)
class Sources:
    """All files of an archive. Iterating lists them again, so that millions of them need no memory."""

    names: Sequence[str]

    def __iter__(self) -> Iterator[Source]:
        """Yield the files in a fixed order. Raise SourceError for what names no file."""
        for name in self.names:
            yield from _expand(name)

    def count(self, check: Callable[[Source], None] = lambda _source: None) -> int:
        """Call ``check`` with each file and return their number. Raise SourceError if two have the same stream name."""
        seen: set[int] = set()
        number = 0
        for source in self:
            check(source)
            number += 1
            if hash(source.stream) in seen:
                self._report_duplicate(source.stream)
            seen.add(hash(source.stream))
        return number

    def _report_duplicate(self, stream: str) -> None:
        same = [source.address for source in self if source.stream == stream]
        if len(same) > 1:
            raise SourceError(
                f"{same[0]} and {same[1]} would both be the stream {stream!r}; name the folder above both, or give each"
                " a stream in a manifest."
            )


def _expand(name: str) -> Iterator[Source]:
    path = Path(name)
    if remote.is_remote(name):
        for url, stream, content in remote.list_files(name, suffixes.VIDEOS):
            yield Source(url, stream, content=content)
    elif is_manifest(path):
        for line in read_manifest(path):
            yield Source(line.address, line.stream, line.settings)
    elif path.is_dir():
        files = sorted(file for file in path.rglob("*") if _is_video(file, path))
        if not files:
            raise SourceError(f"{name!r} has no videos; name another folder, or the files themselves.")
        yield from (_local(file, path) for file in files)
    elif not os.path.lexists(path) and glob.has_magic(name):
        files = sorted(Path(match) for match in glob.iglob(name, recursive=True) if Path(match).is_file())  # noqa: PTH207 - takes absolute patterns
        if not files:
            raise SourceError(f"No file matches {name!r}; check the pattern.")
        yield from (_local(file, _fixed_part(path)) for file in files)
    else:
        yield _local(path, path.parent)


def _local(file: Path, root: Path) -> Source:
    return Source(str(file.absolute()), encodable(file.relative_to(root).as_posix()))


def _is_video(file: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    return not hidden and file.suffix.lower() in suffixes.VIDEOS and file.is_file()


def _fixed_part(pattern: Path) -> Path:
    """Return the folders before the first part of a pattern that is one."""
    parts = pattern.parts[: next(n for n, part in enumerate(pattern.parts) if glob.has_magic(part))]
    return Path(*parts) if parts else Path(PurePosixPath("."))
