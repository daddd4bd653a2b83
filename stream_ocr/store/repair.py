"""Repair a damaged store: copy all readable rows into a new one and keep the damaged file under another name.

A killed writer damages nothing, thanks to SQLite's log. This is for faulty disks and overwritten files.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from stream_ocr.errors import StoreError
from stream_ocr.logs import get_logger
from stream_ocr.store import damage, schema
from stream_ocr.store.thresholds import THRESHOLDS

_HEADER_BYTES = 100  # of an SQLite file

log = get_logger(__name__)


def repair_if_damaged(path: Path) -> None:
    """Repair the store if it is damaged. Raises StoreError for a file that is not a store."""
    if not path.exists() or path.stat().st_size == 0 or _is_sound(path):
        return
    backup = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    path.rename(backup)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{suffix}").rename(f"{backup}{suffix}")
    saved = _save(backup, path)
    log.error("repaired a damaged store", store=str(path), events=saved, damaged=str(backup))


def _is_sound(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            if not schema.check(db, path):
                return True
            small = path.stat().st_size <= THRESHOLDS.full_check_bytes
            if small and db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                return False
            db.execute("SELECT count(*), max(next) FROM streams").fetchone()
            db.execute("SELECT * FROM events ORDER BY id DESC LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        raise  # cannot be opened or written; not damaged
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB and not _is_blank(path):
            raise StoreError(f"{path} is not a store; name another file as store.path.") from error
        return False
    return True


def _is_blank(path: Path) -> bool:
    """Return whether the header of a file was zeroed, as by a torn write."""
    with path.open("rb") as file:
        return not any(file.read(_HEADER_BYTES))


def _save(damaged: Path, path: Path) -> int:
    """Copy all readable rows. Return the number of events."""
    saved = 0
    with closing(sqlite3.connect(path, isolation_level=None)) as new:
        schema.create(new)
        with closing(sqlite3.connect(damaged, isolation_level=None)) as old:
            old.execute("PRAGMA writable_schema = on")  # read a truncated file as far as it goes
            new.execute("BEGIN")
            for row in _readable(old, "SELECT value FROM meta WHERE name = 'store'"):
                new.execute("UPDATE meta SET value = ? WHERE name = 'store'", row)
            for row in _readable(old, "SELECT id, name, next FROM streams"):
                new.execute("INSERT OR IGNORE INTO streams VALUES (?, ?, ?)", row)
            for row in damage.readable(old, "events", "id"):
                with suppress(sqlite3.Error):  # a row with damaged values
                    saved += new.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", row).rowcount
            for row in damage.readable(old, "crops", "event"):
                new.execute("INSERT OR IGNORE INTO crops VALUES (?, ?)", row)
            _restore_streams(new)
            new.execute(
                "UPDATE streams SET next = max(next, "
                "(SELECT ifnull(max(seq), -1) + 1 FROM events WHERE stream = streams.id))"
            )
            new.execute("INSERT INTO words (rowid, text) SELECT id, text FROM events WHERE text IS NOT NULL")
            new.execute("COMMIT")
    return saved


def _restore_streams(db: sqlite3.Connection) -> None:
    """Add the streams whose rows were unreadable, with the names that their events have."""
    unknown = "SELECT DISTINCT stream FROM events WHERE stream NOT IN (SELECT id FROM streams)"
    for (id_,) in db.execute(unknown).fetchall():
        for (json,) in db.execute("SELECT json FROM events WHERE stream = ?", (id_,)).fetchall():
            if (event := damage.decode(json)) is not None:
                db.execute("INSERT OR IGNORE INTO streams VALUES (?, ?, 0)", (id_, event.stream))
                break


def _readable(db: sqlite3.Connection, query: str) -> Iterator[tuple]:
    """Yield rows up to the damage."""
    with suppress(sqlite3.DatabaseError):
        yield from db.execute(query)
