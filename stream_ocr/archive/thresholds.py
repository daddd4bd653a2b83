"""Tuning values of archives. All chosen by hand."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArchiveThresholds:
    """Limits of an archive run."""

    max_failures: int = 2
    """A file that could not be read this many times is quarantined. Once may be the network or the disk."""

    max_deaths: int = 4
    """A file whose process died this many times is quarantined. More than ``max_failures``: other programs, the
    kernel and operators kill processes that have done nothing wrong."""

    stale_attempt_s: float = 86_400.0
    """Unfinished outputs that nobody has written to for this many seconds are removed; their process was killed."""

    max_name_bytes: int = 200
    """Longer parts of a stream name are shortened in folder names, in bytes. File systems allow 255."""

    cluster_poll_s: float = 2.0
    """Time between two looks at the size of a cluster while nothing finishes, in seconds."""

    spare_disk_bytes: int = 1 << 30
    """Bytes of disk space that a fetched file must leave free."""

    chunk_bytes: int = 1 << 22
    """Bytes read at a time while a file is fetched."""


THRESHOLDS = ArchiveThresholds()
