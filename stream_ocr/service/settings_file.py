"""The settings file on its disk: its content with a version, and its replacement in one step."""

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stream_ocr.config.thresholds import THRESHOLDS
from stream_ocr.errors import SettingsConflictError, SettingsError

_MAX_BYTES = THRESHOLDS.max_yaml_characters * 4  # of UTF-8


@dataclass(frozen=True)
class FileContent:
    """Content of the settings file. version: changes with it."""

    data: bytes

    @property
    def version(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def text(self) -> str:
        """The content with its line ends as they are. Raises UnicodeDecodeError."""
        return self.data.decode()


def file_version(path: Path) -> str | None:
    """Return a value that changes with the file, without reading it; None if it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{status.st_mtime_ns}-{status.st_ino}"


def read(path: Path) -> FileContent:
    """Return the content. Raises SettingsError if it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would block
        with os.fdopen(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise SettingsError(f"{path} is not a regular file; it cannot be changed from here.")
            data = file.read(_MAX_BYTES + 1)
    except IsADirectoryError as error:
        raise SettingsError(f"{path} is a folder, not a settings file.") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > _MAX_BYTES:
        raise SettingsError(f"{path} is longer than {THRESHOLDS.max_yaml_characters} characters.")
    return FileContent(data)


def check_writable(path: Path) -> None:
    """Raise SettingsError if it is known beforehand that the file cannot be replaced."""
    target = path.resolve()
    try:
        status = target.stat()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    if not status.st_mode & 0o222 or not os.access(target, os.W_OK):
        raise SettingsError(f"{path} is read-only; allow this program to write it.")
    if not os.access(target.parent, os.W_OK):
        raise SettingsError(
            f"The folder of {path} is read-only, and a file is replaced there; allow this program to write the folder."
        )
    if status.st_nlink > 1:
        raise SettingsError(f"{path} has other names (hard links), which a replacement would leave behind.")


def replace(path: Path, new: bytes, version: str) -> None:
    """Replace the content in one step; a reader sees the old or the new file. Mode, owner and attributes stay.

    A symbolic link stays, too; the file that it names is replaced. version: of the content that ``new`` was made from.
    Raises SettingsConflictError if the file has changed since, SettingsError if it cannot be written.
    """
    check_writable(path)
    target = path.resolve()
    try:
        fd, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".new")
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(new)
            file.flush()
            _copy_owner(target, Path(name))
            os.fsync(fd)
        check_version(path, version)
        Path(name).replace(target)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        with suppress(FileNotFoundError):  # as after its success
            Path(name).unlink()
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with suppress(OSError):  # some network file systems cannot; the content is safe in any case
        os.fsync(folder)
    os.close(folder)


def check_version(path: Path, version: str) -> None:
    """Raise SettingsConflictError if the file has another version."""
    if read(path).version != version:
        raise SettingsConflictError(f"{path.name} has changed since this page read it; read it again.")


def _copy_owner(old: Path, new: Path) -> None:
    """Give a file owner, mode and attributes of another, but not its times. Raises OSError."""
    before, made = old.stat(), new.stat()
    if (before.st_uid, before.st_gid) != (made.st_uid, made.st_gid):
        os.chown(new, before.st_uid, before.st_gid)
    shutil.copystat(old, new)
    os.utime(new)


def _not_written(path: Path, error: OSError) -> SettingsError:
    remedy = "; mount its folder instead of the file" if error.errno == errno.EBUSY else ""
    return SettingsError(f"{path} cannot be written: {error.strerror}{remedy}.")
