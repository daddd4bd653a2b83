"""A store that was damaged: what can be read of it is copied into a new one, and the damaged file is kept aside.

A killed writer damages nothing: SQLite's log takes care of that. This is for disks and people.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import structlog

from stream_ocr.errors import StoreError
from stream_ocr.store import schema

_CHECKED_BYTES = 64 * 2**20  # a larger store is checked by its numbers alone, as a full check takes seconds
_HEAD_BYTES = 100

log = structlog.get_logger(__name__)


def if_damaged(path: Path) -> None:
    """Repair the store if it cannot be read as it should be. Raises StoreError for a file that is no store at all."""
    if not path.exists() or path.stat().st_size == 0 or _is_sound(path):
        return
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    saved = _save(aside, path)
    log.error("store was damaged and has been repaired", store=str(path), events=saved, damaged=str(aside))


def _is_sound(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            if not schema.check(db, path):
                return True
            if path.stat().st_size <= _CHECKED_BYTES and db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                return False
            db.execute("SELECT count(*), max(next) FROM streams").fetchone()
            db.execute("SELECT * FROM events ORDER BY id DESC LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        raise  # cannot be opened, or written: no damage
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB and not _is_blank(path):
            raise StoreError(f"{path} is no store; name another file as store.path.") from error
        return False
    return True


def _is_blank(path: Path) -> bool:
    """Whether the head of a file was wiped out, as by a torn write."""
    with path.open("rb") as file:
        return not any(file.read(_HEAD_BYTES))


def _save(damaged: Path, path: Path) -> int:
    """Copy what can be read, events from both ends towards the damage; how many events that were."""
    saved = 0
    with closing(sqlite3.connect(path, isolation_level=None)) as new:
        schema.create(new)
        with closing(sqlite3.connect(damaged, isolation_level=None)) as old:
            old.execute("PRAGMA writable_schema = on")  # read a file that was cut off as far as it goes
            new.execute("BEGIN")
            for row in _readable(old, "SELECT value FROM meta WHERE name = 'store'"):
                new.execute("UPDATE meta SET value = ? WHERE name = 'store'", row)
            for row in _readable(old, "SELECT id, name, next FROM streams"):
                new.execute("INSERT OR IGNORE INTO streams VALUES (?, ?, ?)", row)
            for order in ("ASC", "DESC"):
                for row in _readable(old, f"SELECT * FROM events ORDER BY id {order}"):
                    try:
                        added = new.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", row).rowcount
                    except sqlite3.Error:
                        continue  # a row that is not what it should be
                    if not added:
                        break
                    saved += 1
            for row in _readable(old, "SELECT event, webp FROM crops"):
                new.execute("INSERT OR IGNORE INTO crops VALUES (?, ?)", row)
            new.execute(
                "UPDATE streams SET next = max(next, "
                "(SELECT ifnull(max(seq), -1) + 1 FROM events WHERE stream = streams.id))"
            )
            new.execute("INSERT INTO words (rowid, text) SELECT id, text FROM events WHERE text IS NOT NULL")
            new.execute("COMMIT")
    return saved


def _readable(db: sqlite3.Connection, query: str) -> Iterator[tuple]:
    """Rows until the damage."""
    with suppress(sqlite3.DatabaseError):
        yield from db.execute(query)
