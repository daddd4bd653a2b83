"""Permit to read and to publish until a time, shared between processes as a file of eight bytes.

The clock is CLOCK_BOOTTIME: all processes of a machine share it, nobody sets it, and it counts while the machine
sleeps.
"""

import mmap
import struct
import time
from pathlib import Path

from stream_ocr.errors import SettingsError

_FORMAT = struct.Struct("<q")  # one aligned word, which is written at once


class Permit:
    """A permit in a file, to look at."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raise SettingsError if there is none."""
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), _FORMAT.size, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise SettingsError(f"The permit {path} (service.permit) cannot be read: {error}.") from error

    @property
    def is_valid(self) -> bool:
        """Return whether the permit has not expired."""
        return boottime_s() < _FORMAT.unpack_from(self._map)[0] / 1e9


class PermitFile:
    """The permit of this machine, to extend. It begins expired."""

    def __init__(self, path: Path) -> None:
        """Create the file anew. Raise OSError."""
        path.unlink(missing_ok=True)
        path.write_bytes(_FORMAT.pack(0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _FORMAT.size)

    def extend(self, until_s: float) -> None:
        """Let the permit last until a time of the boot clock."""
        _FORMAT.pack_into(self._map, 0, round(until_s * 1e9))


def boottime_s() -> float:
    """Return the seconds since the start of the machine, including those in which it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
