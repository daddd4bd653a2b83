"""One run per settings file. The file itself is locked, so nothing is left behind however the run ends."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from stream_ocr.errors import SettingsError


class InstanceLock:
    """Holds the lock of a settings file while it is entered."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._fd = -1

    def __enter__(self) -> Self:
        """Lock the file. Raise SettingsError if another run holds it."""
        self._fd = self._lock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def renew(self) -> None:
        """Lock the file that has replaced the locked one: editors write a new file rather than change the old one.

        Raise SettingsError if another run holds it, and OSError if there is none; the old lock is kept then.
        """
        if os.path.samestat(os.fstat(self._fd), self._config.stat()):
            return
        before, self._fd = self._fd, self._lock()
        os.close(before)

    def _lock(self) -> int:
        try:
            fd = os.open(self._config, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise SettingsError(f"{self._config} cannot be read: {error.strerror}.") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise SettingsError(
                f"{self._config} is in use by another run; stop that run first, or use a copy of the file."
            ) from error
        return fd
