"""Write a store: one writer, one transaction per group of events, and recovery from disk failures.

Events that cannot be committed are still published, marked as not durable. A bounded number is kept in memory and
committed as soon as the disk accepts writes again.
"""

import fcntl
import os
import sqlite3
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from stream_ocr.errors import StoreError
from stream_ocr.events import DECODE_ERRORS, Event, TextEvent
from stream_ocr.logs import get_logger
from stream_ocr.store import NO_CROPS, repair, schema
from stream_ocr.store.file_identity import FileIdentity
from stream_ocr.store.reader import to_microseconds
from stream_ocr.store.retention import Retention, RetentionLimits
from stream_ocr.store.schema import transaction
from stream_ocr.store.thresholds import THRESHOLDS

Durability = Literal["full", "normal", "off"]
WhenFull = Literal["refuse", "delete_oldest"]

_PAGE_BYTES = 4096  # page size of SQLite
_DISK_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)

log = get_logger(__name__)


@dataclass(slots=True)
class _Stream:
    id: int
    next: int


class StoreWriter:
    """The one writer of a store.

    durability: committed events survive a crash of the process ("normal"), also a power failure, with one sync per
        group ("full"), or neither for certain ("off").
    limits: retention by age and size.
    when_full: whether the oldest events are deleted to make room on a full disk.
    lost: number of events that could neither be committed nor kept in memory.
    """

    def __init__(
        self,
        path: Path,
        *,
        durability: Durability = "normal",
        limits: RetentionLimits | None = None,
        when_full: WhenFull = "refuse",
    ) -> None:
        self.lost = 0
        self._path = path
        self._durability, self._when_full = durability, when_full
        self._retention = Retention(path, limits or RetentionLimits())
        self._db: sqlite3.Connection | None = None
        self._identity: FileIdentity | None = None
        self._streams: dict[str, _Stream] = {}
        self._pending: deque[Event] = deque()
        self._failing_since: float | None = None
        self._attempted_s = 0.0
        self._lock: int | None = None
        self._opening = True
        self._left_open: dict[str, list[TextEvent]] = {}

    @property
    def failing(self) -> bool:
        """Return whether events currently cannot be committed."""
        return self._failing_since is not None

    def open(self) -> None:
        """Lock and open the store; repair it if it is damaged. Raises StoreError.

        A disk that is full or read-only is not an error: a log line says that events are not durable.
        """
        if not self._path.parent.is_dir():
            raise StoreError(
                f"{self._path} cannot be created: there is no directory {self._path.parent}; create it first."
            )
        if self._path.is_dir():
            raise StoreError(f"{self._path} is a directory; name a file as store.path.")
        self._acquire_lock()
        self._opening = True
        try:
            self._connect()
        except StoreError:
            self.close()
            raise
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            self._streams = _read_streams(self._path)

    def close(self) -> None:
        """Commit pending events if possible, and close the store."""
        if self._pending:
            self._attempted_s = 0.0
            self.append([])
        self._checkpoint()
        self._disconnect()
        self.lost += len(self._pending)
        if self.lost:
            log.error("events could not be stored", store=str(self._path), events=self.lost)
        self._pending.clear()
        self._retention.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def next_seq(self, stream: str) -> int:
        """Return the ``seq`` after all events that were committed or passed to ``append``."""
        return self._stream(stream).next

    def take_left_open(self, stream: str) -> list[TextEvent]:
        """Return, once, the latest event of each text that was on screen when the last writer died."""
        return self._left_open.pop(stream, [])

    def append(self, events: Sequence[Event], crops: Mapping[str, bytes] = NO_CROPS) -> list[bytes] | None:
        """Commit pending events and these in one transaction. Return these as the JSON that was stored.

        crops: images of texts (WebP) by the id of their event.
        Return None if they cannot be committed now; they stay pending, not durable and without their crops.
        """
        for event in events:
            self._stream(event.stream).next = event.seq + 1
        if self.failing and time.monotonic() - self._attempted_s < THRESHOLDS.retry_interval_s:
            self._keep_pending(events)
            return None
        group = [*self._pending, *events]
        try:
            lines = self._commit_or_make_room(group, crops)
        except (sqlite3.Error, OSError, StoreError) as error:
            self._fail(error)
            self._keep_pending(events)
            return None
        self._recovered()
        return lines[len(lines) - len(events) :]

    def clear_visible(self, stream: str) -> None:
        """Remove all texts of a stream from those on screen: the stream has closed."""
        if self._db is not None and not self.failing and stream in self._streams:
            try:
                self._db.execute("DELETE FROM visible WHERE stream = ?", (self._streams[stream].id,))
            except sqlite3.Error as error:
                self._fail(error)

    def _acquire_lock(self) -> None:
        """Lock the file PATH.lock until ``close``. Raises StoreError when another process holds it."""
        try:
            self._lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return  # a read-only disk has no other writer
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            self._lock = None
            raise StoreError(
                f"{self._path} is being written by another process; stop that one or name another store.path."
            ) from error

    def _connect(self) -> None:
        repair.repair_if_damaged(self._path)
        db = sqlite3.connect(
            self._path, isolation_level=None, timeout=THRESHOLDS.busy_timeout_s, check_same_thread=False
        )
        try:
            self._path.chmod(0o600)
            self._identity = FileIdentity(self._path)
            db.execute("PRAGMA journal_mode = wal")
            db.execute(f"PRAGMA synchronous = {self._durability}")
            db.execute(f"PRAGMA wal_autocheckpoint = {THRESHOLDS.checkpoint_pages}")
            db.execute(f"PRAGMA journal_size_limit = {2 * _PAGE_BYTES * THRESHOLDS.checkpoint_pages}")
            if not schema.check(db, self._path):
                schema.create(db)
            if self._opening:  # the run reports the texts on screen again
                self._left_open = _read_visible(db)
                db.execute("DELETE FROM visible")
                self._opening = False
            for stream in self._streams.values():
                stream.id = 0
            for id_, name, next_seq in db.execute("SELECT id, name, next FROM streams"):
                known = self._streams.setdefault(name, _Stream(0, 0))
                known.id, known.next = id_, max(known.next, next_seq)
        except BaseException:
            db.close()
            raise
        self._db = db
        self._retention.open(db)

    def _checkpoint(self) -> None:
        """Move all events from the log to the main file, also while there are readers: it may be copied alone."""
        if self._db is not None:
            with suppress(sqlite3.Error):  # the log keeps them
                self._db.execute(f"PRAGMA busy_timeout = {THRESHOLDS.close_timeout_ms}")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _stream(self, name: str) -> _Stream:
        return self._streams.setdefault(name, _Stream(0, 0))

    def _commit_or_make_room(self, events: Sequence[Event], crops: Mapping[str, bytes]) -> list[bytes]:
        if self._db is None:
            self._connect()
        try:
            return self._commit(events, crops)
        except sqlite3.Error as error:
            if not self._make_room(error):
                raise
        return self._commit(events, crops)

    def _commit(self, events: Sequence[Event], crops: Mapping[str, bytes]) -> list[bytes]:
        db = self._db
        assert db is not None, "append() before open()"
        if self._identity is not None and self._identity.is_stale:
            raise StoreError(f"{self._path} was removed or replaced; a new store is created.")
        try:
            with transaction(db):
                lines = self._insert(db, events, crops)
                self._retention.apply(db, len(events))
        except BaseException:
            for name in {event.stream for event in events}:
                self._streams[name].id = 0  # may have been created in this transaction
            raise
        return lines

    def _insert(self, db: sqlite3.Connection, events: Sequence[Event], crops: Mapping[str, bytes]) -> list[bytes]:
        names = {event.stream for event in events}
        for name in names:
            self._streams[name].id = self._streams[name].id or _stream_id(db, name)
        (last,) = db.execute("SELECT ifnull(max(id), 0) FROM events").fetchone()
        rows, words, crop_rows = [], [], []
        latest: dict[tuple[int, int], bytes | None] = {}  # the latest event of each text; None: ended
        for id_, event in enumerate(events, last + 1):
            stream, json = self._streams[event.stream].id, event.to_json()
            text = None
            if isinstance(event, TextEvent):
                ended = event.kind == "ended"
                latest[stream, event.track] = None if ended else json
                if not ended:
                    text = event.text
                    words.append((id_, text))
            if event.id in crops:
                crop_rows.append((id_, crops[event.id]))
            utc_us = to_microseconds(event.emitted_utc) if event.emitted_utc else time.time_ns() // 1000
            rows.append((id_, stream, event.seq, utc_us, event.start, text, json))
        db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        db.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", words)
        db.executemany("INSERT INTO crops VALUES (?, ?)", crop_rows)
        shown = [(*key, json) for key, json in latest.items() if json is not None]
        db.executemany("INSERT OR REPLACE INTO visible VALUES (?, ?, ?)", shown)
        ended_keys = [key for key, json in latest.items() if json is None]
        db.executemany("DELETE FROM visible WHERE stream = ? AND track = ?", ended_keys)
        db.executemany(
            "UPDATE streams SET next = ? WHERE id = ?",
            [(self._streams[name].next, self._streams[name].id) for name in names],
        )
        return [row[-1] for row in rows]

    def _make_room(self, error: Exception) -> bool:
        """Delete old events if the disk is full and the settings allow it. Return whether that succeeded."""
        if self._when_full == "refuse" or self._db is None or getattr(error, "sqlite_errorcode", 0) not in _DISK_FULL:
            return False
        return self._retention.make_room(self._db)

    def _keep_pending(self, events: Sequence[Event]) -> None:
        for event in events:
            self._pending.append(msgspec.structs.replace(event, durable=False))
        while len(self._pending) > THRESHOLDS.max_pending_events:
            self._pending.popleft()
            self.lost += 1

    def _fail(self, error: Exception) -> None:
        self._attempted_s = time.monotonic()
        if self._failing_since is None:
            self._failing_since = self._attempted_s
            log.error("events are not stored", store=str(self._path), reason=str(error))
        self._disconnect()

    def _recovered(self) -> None:
        self._pending.clear()
        if self._failing_since is not None:
            failed_s = time.monotonic() - self._failing_since
            self._failing_since = None
            log.warning("events are stored again", store=str(self._path), failed_s=round(failed_s, 1), lost=self.lost)


def _stream_id(db: sqlite3.Connection, name: str) -> int:
    db.execute("INSERT OR IGNORE INTO streams (name, next) VALUES (?, 0)", (name,))
    (id_,) = db.execute("SELECT id FROM streams WHERE name = ?", (name,)).fetchone()
    return int(id_)


def _read_visible(db: sqlite3.Connection) -> dict[str, list[TextEvent]]:
    """Return the latest events of the texts on screen by stream."""
    visible: dict[str, list[TextEvent]] = {}
    for name, json in db.execute(
        "SELECT name, json FROM visible JOIN streams ON streams.id = visible.stream ORDER BY track"
    ):
        try:
            visible.setdefault(name, []).append(TextEvent.from_json(json))
        except DECODE_ERRORS:
            log.warning("a text on screen is damaged in the store", stream=name)
    return visible


def _read_streams(path: Path) -> dict[str, _Stream]:
    """Read the next ``seq`` of each stream from a store that cannot be written; {} if it cannot be read."""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            rows = db.execute("SELECT name, next FROM streams").fetchall()
        finally:
            db.close()
    except sqlite3.Error:
        return {}
    return {name: _Stream(0, next_seq) for name, next_seq in rows}
