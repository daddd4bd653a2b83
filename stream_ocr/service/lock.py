"""One run for one settings file: the file itself is locked, so nothing is left behind however the run ends."""

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
        """Raises SettingsError when another run holds it."""
        self._fd = self._lock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def renew(self) -> None:
        """Lock the file that has taken the place of the one before: editors write anew rather than change.

        Raises SettingsError when another run holds it, and OSError when there is none; the lock before is held on.
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
                f"{self._config} is being run already; stop that run first, or give this one a file of its own."
            ) from error
        return fd
