"""Retention of events by age and size, and deletion on a full disk.

Deleting rows writes, too, so it fails on a full disk (measured: SQLite "database or disk is full"). A ballast file
beside the store is removed first; its space is what the deletion needs.
"""

import os
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stream_ocr.logs import get_logger
from stream_ocr.store.schema import transaction
from stream_ocr.store.thresholds import THRESHOLDS

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetentionLimits:
    """Maximum age in days and size in megabytes (10⁶ bytes) of the stored events; None: no limit."""

    days: float | None = None
    megabytes: float | None = None


class Retention:
    """Deletes the oldest events beyond the limits, in small steps."""

    def __init__(self, path: Path, limits: RetentionLimits) -> None:
        self._limits = limits
        self._ballast = Path(f"{path}.ballast")
        self._applied_s = 0.0
        self._written = 0

    def open(self, db: sqlite3.Connection) -> None:
        """Create the ballast file if the disk has room for it."""
        self._page_bytes = int(db.execute("PRAGMA page_size").fetchone()[0])
        self._create_ballast()

    def close(self) -> None:
        """Remove the ballast file."""
        self._remove_ballast()

    def apply(self, db: sqlite3.Connection, written: int) -> None:
        """Delete expired events once per interval. Called within a transaction that writes ``written`` events."""
        self._written += written
        now = time.monotonic()
        due = now - self._applied_s >= THRESHOLDS.retention_interval_s
        if self._written < THRESHOLDS.retention_interval_events and not due:
            return
        self._written, self._applied_s = 0, now
        last = self._last_expired(db)
        if last is not None and _delete(db, last) == THRESHOLDS.deletion_step_events:
            self._written = THRESHOLDS.retention_interval_events  # more are expired: continue with the next commit

    def make_room(self, db: sqlite3.Connection) -> bool:
        """Delete a share of all events on a full disk. Return whether that succeeded."""
        self._remove_ballast()
        try:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            oldest, latest = db.execute("SELECT min(id), max(id) FROM events").fetchone()
            if oldest is None:
                return False
            last = oldest + max((latest - oldest) // THRESHOLDS.full_disk_share, 1)
            deleted = 0
            while step := _delete_in_transaction(db, last):
                deleted += step
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error:
            return False
        log.warning("disk is full: the oldest events are deleted", events=deleted)
        self._create_ballast()
        return True

    def _last_expired(self, db: sqlite3.Connection) -> int | None:
        """Return the id of the last event to delete, or None."""
        last = None
        if self._limits.days is not None:
            oldest_us = int((time.time() - self._limits.days * 86_400) * 1_000_000)
            (last,) = db.execute("SELECT max(id) FROM events WHERE utc_us < ?", (oldest_us,)).fetchone()
        if self._limits.megabytes is not None:
            (pages,), (free,) = (
                db.execute("PRAGMA page_count").fetchone(),
                db.execute("PRAGMA freelist_count").fetchone(),
            )
            if (pages - free) * self._page_bytes > self._limits.megabytes * 1_000_000:
                (oldest,) = db.execute("SELECT min(id) FROM events").fetchone()
                last = max(last or 0, (oldest or 0) + THRESHOLDS.deletion_step_events)
        return last

    def _create_ballast(self) -> None:
        try:
            fd = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, THRESHOLDS.ballast_bytes)
            finally:
                os.close(fd)
        except OSError:
            self._remove_ballast()

    def _remove_ballast(self) -> None:
        with suppress(OSError):  # a read-only disk
            self._ballast.unlink(missing_ok=True)


def _delete_in_transaction(db: sqlite3.Connection, last: int) -> int:
    with transaction(db):
        return _delete(db, last)


def _delete(db: sqlite3.Connection, last: int) -> int:
    """Delete the oldest events up to an id, at most one step. Return their number."""
    rows = db.execute(
        "SELECT id FROM events WHERE id <= ? ORDER BY id LIMIT ?", (last, THRESHOLDS.deletion_step_events)
    )
    ids = [id_ for (id_,) in rows]
    if ids:
        db.execute(
            "INSERT INTO words (words, rowid, text) "
            "SELECT 'delete', id, text FROM events WHERE id <= ? AND text IS NOT NULL",
            (ids[-1],),
        )
        db.execute("DELETE FROM crops WHERE event <= ?", (ids[-1],))
        db.execute("DELETE FROM events WHERE id <= ?", (ids[-1],))
    return len(ids)
