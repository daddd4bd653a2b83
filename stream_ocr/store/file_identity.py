"""Detection of open files that were removed or replaced."""

import time
from pathlib import Path

from stream_ocr.store.thresholds import THRESHOLDS


class FileIdentity:
    """Remembers which file a path named. SQLite keeps writing to a removed file, where the data would be lost."""

    def __init__(self, path: Path) -> None:
        """Record the file at ``path``, which has just been opened. Raises OSError."""
        self._path = path
        self._known = self._identity()
        self._checked_s = time.monotonic()

    @property
    def is_stale(self) -> bool:
        """Return whether the file was removed or replaced; checked at most once per interval."""
        if time.monotonic() - self._checked_s < THRESHOLDS.identity_check_interval_s:
            return False
        self._checked_s = time.monotonic()
        try:
            return self._identity() != self._known
        except FileNotFoundError:
            return True
        except OSError:
            return False  # unknown for now

    def _identity(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_dev, found.st_ino
