"""Whether a file that is open is still where its name says."""

import time
from pathlib import Path

_LOOK_S = 1.0


class FileIdentity:
    """SQLite goes on writing to a file that was removed; nobody would find there what was written."""

    def __init__(self, path: Path) -> None:
        """path: of a file that has just been opened. Raises OSError."""
        self._path = path
        self._known = self._identity()
        self._looked_s = time.monotonic()

    @property
    def is_lost(self) -> bool:
        """Whether it was removed, or another one put in its place; looked for once a second."""
        if time.monotonic() - self._looked_s < _LOOK_S:
            return False
        self._looked_s = time.monotonic()
        try:
            return self._identity() != self._known
        except FileNotFoundError:
            return True
        except OSError:
            return False  # not to be told now

    def _identity(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_dev, found.st_ino
