"""The folder of a host: its settings, its permit, and the events that wait for delivery."""

import fcntl
import os
import time
from pathlib import Path

from stream_ocr.errors import StoreError
from stream_ocr.fleet.thresholds import THRESHOLDS

_LOCK = "lock"


class HostFolder:
    """A folder that belongs to one host until it and its run have ended. path, lock_fd: of it."""

    def __init__(self, work: Path, node: str) -> None:
        """Take the folder of a node; one that has none takes over what a host that is gone has left, events included.

        Wait until an earlier run of this node has ended. Raise StoreError if it does not, or if there is no folder.
        """
        work = work.expanduser()
        self.path = work / node
        try:
            work.mkdir(mode=0o700, parents=True, exist_ok=True)
            taken = None if self.path.exists() else self._take_over(work)
            self.path.mkdir(mode=0o700, exist_ok=True)
            self.lock_fd = self._wait() if taken is None else taken
        except OSError as error:
            raise StoreError(f"The folder {work} (fleet.work) cannot be used: {error}.") from error

    def _take_over(self, work: Path) -> int | None:
        for folder in sorted(each for each in work.iterdir() if (each / _LOCK).is_file()):
            if (fd := _lock(folder)) is None:
                continue
            folder.rename(self.path)
            return fd
        return None

    def _wait(self) -> int:
        deadline = time.monotonic() + THRESHOLDS.stop_s
        while (fd := _lock(self.path)) is None:
            if time.monotonic() > deadline:
                raise StoreError(f"The folder {self.path} is in use by another process.")
            time.sleep(THRESHOLDS.lock_poll_s)
        return fd


def _lock(folder: Path) -> int | None:
    """Return the descriptor of the locked file, None if another process holds the lock."""
    fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd
