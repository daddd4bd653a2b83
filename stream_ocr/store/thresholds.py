"""Tuning values of the store."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreThresholds:
    """Limits, intervals and sizes of the store. All chosen by hand unless noted."""

    busy_timeout_s: float = 5.0
    """Maximum time that SQLite waits for a lock of another connection, in seconds."""

    close_timeout_ms: int = 1000
    """Maximum time that closing waits for a query of a reader, in milliseconds."""

    retry_interval_s: float = 1.0
    """Minimum time between two attempts to commit after a failure, in seconds."""

    max_pending_events: int = 10_000
    """Events kept in memory while the disk refuses writes; older ones are dropped and counted."""

    checkpoint_pages: int = 2000
    """Pages of the write-ahead log after which SQLite checkpoints."""

    identity_check_interval_s: float = 1.0
    """Minimum time between two checks that the open file still has its name, in seconds."""

    retention_interval_s: float = 5.0
    """Longest time between two applications of the retention limits while events are written, in seconds."""

    retention_interval_events: int = 1000
    """Most events between two applications of the retention limits."""

    deletion_step_events: int = 2000
    """Events deleted in one transaction; takes a few milliseconds."""

    ballast_bytes: int = 4 * 2**20
    """Size of the file that is removed on a full disk, so that deleting events has room to write."""

    full_disk_share: int = 20
    """On a full disk the oldest 1/20 of all events is deleted."""

    full_check_bytes: int = 64 * 2**20
    """A larger store gets only a quick check on opening: SQLite's full check would take seconds."""

    letters_per_error: int = 4
    """A fuzzy search allows one wrong letter for this many letters of the query."""

    max_unreadable_pages: int = 100
    """Reading a damaged store ends after so many pages of events in a row that are all unreadable."""

    repaired_rows: int = 1000
    """Rows that a repair reads at a time; only where one of them is unreadable it reads them by halves."""

    boundary_events: int = 1000
    """Events at either end of a span of time among which its first and last id are looked up."""

    moment_events: int = 20_000
    """Events of a stream before a moment from which the texts on the screen are found: hours of most cameras."""

    moment_delay_s: float = 60.0
    """Events that were published up to so many seconds after a moment may tell of a text at that moment."""

    max_search_characters: int = 1000
    """Longest text to search for; a fuzzy search looks up one part for each four letters."""


THRESHOLDS = StoreThresholds()
