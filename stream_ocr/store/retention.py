"""How long events are kept: by age, by size, and what gives way on a full disk.

Deleting writes, too, so that it fails on a full disk (measured: SQLite "database or disk is full"). A file of ballast
beside the store is given up first; the room that it leaves is what deleting needs.
"""

import os
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from stream_ocr.store.transaction import transaction

_TEND_S = 5.0
_TEND_EVENTS = 1000
_STEP = 2000  # events forgotten in one transaction at most: some milliseconds
_BALLAST_BYTES = 4 * 2**20
_SHARE = 20  # one of so many events gives way on a full disk

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit."""

    days: float | None = None
    megabytes: float | None = None


class Retention:
    """Forgets the oldest events beyond the limits, in small steps."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits = limits
        self._ballast = Path(f"{path}.ballast")
        self._tended_s = 0.0
        self._written = 0

    def open(self, db: sqlite3.Connection) -> None:
        """Lay in the ballast, where there is room for it."""
        self._page_bytes = int(db.execute("PRAGMA page_size").fetchone()[0])
        self._lay_ballast()

    def close(self) -> None:
        """Take the ballast away."""
        self._drop_ballast()

    def tend(self, db: sqlite3.Connection, written: int) -> None:
        """Forget what is due, now and then. Called within a transaction, with the number of events written by it."""
        self._written += written
        now = time.monotonic()
        if self._written < _TEND_EVENTS and now - self._tended_s < _TEND_S:
            return
        self._written, self._tended_s = 0, now
        last = self._due(db)
        if last is not None and _forget(db, last) == _STEP:
            self._written = _TEND_EVENTS  # there is more

    def make_room(self, db: sqlite3.Connection) -> bool:
        """Forget a share of all events on a full disk; whether that could be done."""
        self._drop_ballast()
        try:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            oldest, latest = db.execute("SELECT min(id), max(id) FROM events").fetchone()
            if oldest is None:
                return False
            last = oldest + max((latest - oldest) // _SHARE, 1)
            forgotten = 0
            while step := _forget_at_once(db, last):
                forgotten += step
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error:
            return False
        log.warning("disk is full: the oldest events are forgotten", events=forgotten)
        self._lay_ballast()
        return True

    def _due(self, db: sqlite3.Connection) -> int | None:
        """Id of the last event to be forgotten."""
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
                last = max(last or 0, (oldest or 0) + _STEP)
        return last

    def _lay_ballast(self) -> None:
        try:
            fd = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, _BALLAST_BYTES)
            finally:
                os.close(fd)
        except OSError:
            self._drop_ballast()

    def _drop_ballast(self) -> None:
        with suppress(OSError):  # a disk that is read-only
            self._ballast.unlink(missing_ok=True)


def _forget_at_once(db: sqlite3.Connection, last: int) -> int:
    with transaction(db):
        return _forget(db, last)


def _forget(db: sqlite3.Connection, last: int) -> int:
    """Delete the oldest events up to an id, as many as one step takes; how many."""
    ids = [id_ for (id_,) in db.execute("SELECT id FROM events WHERE id <= ? ORDER BY id LIMIT ?", (last, _STEP))]
    if ids:
        db.execute(
            "INSERT INTO words (words, rowid, text) "
            "SELECT 'delete', id, text FROM events WHERE id <= ? AND text IS NOT NULL",
            (ids[-1],),
        )
        db.execute("DELETE FROM crops WHERE event <= ?", (ids[-1],))
        db.execute("DELETE FROM events WHERE id <= ?", (ids[-1],))
    return len(ids)
