"""Inputs of ``read``: files, folders, patterns of names, addresses, and standard input."""

import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stream_ocr.cli.options import print_status
from stream_ocr.errors import SourceError
from stream_ocr.sources import suffixes
from stream_ocr.sources.addresses import Video, as_address

STDIN = "-"


@dataclass(frozen=True)
class Input:
    """A video or image to read. folder: of the file; ``.`` for addresses and standard input."""

    file: Video
    folder: str

    @property
    def is_image(self) -> bool:
        """Return True for the name of a still image."""
        return isinstance(self.file, Path) and self.file.suffix.lower() in suffixes.IMAGES

    @property
    def is_local(self) -> bool:
        """Return True for a file that the user has named."""
        return isinstance(self.file, Path) and self.folder == str(self.file.parent)


class Found(NamedTuple):
    """Inputs, and the number of those that the user has named and that cannot be read."""

    files: list[Input]
    missing: int


@contextmanager
def opened(names: Sequence[str]) -> Iterator[Found]:
    """Provide the files and addresses that the names stand for; standard input becomes a temporary file.

    Prints a sentence for a folder without videos and images, for a pattern that matches nothing, and for standard input
    that is empty, a terminal, or named twice.
    """
    # Only where it is needed: a program that is killed leaves the folder behind.
    with tempfile.TemporaryDirectory(prefix="stream-ocr-") if STDIN in names else nullcontext("") as folder:
        stdin = Path(folder, "stdin")
        files: list[Input] = []
        missing = 0
        for name in names:
            try:
                files += [Input(_saved_stdin(stdin), ".")] if name == STDIN else _expanded(name)
            except SourceError as error:
                print_status(str(error))
                missing += 1
        yield Found(files, missing)


def _expanded(name: str) -> list[Input]:
    if as_address(name):
        return [Input(name, ".")]
    path = Path(name)
    if os.path.isdir(name):  # noqa: PTH112 - takes names that are too long or contain a null
        return _named(_content(path))
    if os.path.lexists(name) or not glob.has_magic(name):
        return _named([path])
    matches = sorted(Path(match) for match in glob.glob(name, recursive=True) if os.path.isfile(match))  # noqa: PTH113, PTH207
    if not matches:
        raise SourceError(f"There is no file {name!r}, and as a pattern it matches none; check it.")
    return _named(matches)


def _named(files: Sequence[Path]) -> list[Input]:
    return [Input(file, str(file.parent)) for file in files]


def _content(folder: Path) -> list[Path]:
    """Return the videos of a folder by name, or its images if it has no videos."""
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    for known in (suffixes.VIDEOS, suffixes.IMAGES):
        if found := [file for file in files if file.suffix.lower() in known]:
            return found
    raise SourceError(
        f"{str(folder)!r} has no videos and no images; a pattern such as {f'{folder}/**/*.mp4'!r} looks into the"
        " folders below."
    )


def _saved_stdin(path: Path) -> Path:
    """Copy standard input to a file: formats such as MP4 cannot be read from front to back."""
    if path.exists():
        raise SourceError("Standard input (-) can be read only once; name it once.")
    if sys.stdin.isatty():
        raise SourceError("Standard input (-) is a terminal; pipe a video into it.")
    print_status("reading standard input to its end")
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    if not path.stat().st_size:
        raise SourceError("Standard input (-) is empty; pipe a video into it.")
    return path
