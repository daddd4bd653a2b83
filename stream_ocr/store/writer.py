"""Writing a store: one writer, one transaction for each group of events, and what to do when the disk will not.

Events that cannot be committed are still published, marked as not durable. They wait here, as many as fit, and are
committed as soon as that is possible again.
"""

import fcntl
import os
import sqlite3
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from stream_ocr.errors import StoreError
from stream_ocr.events import Event, TextEvent
from stream_ocr.store import repair, schema
from stream_ocr.store.file_identity import FileIdentity
from stream_ocr.store.reader import microseconds
from stream_ocr.store.retention import Limits, Retention
from stream_ocr.store.transaction import transaction

Durability = Literal["full", "normal", "off"]
WhenFull = Literal["refuse", "forget_oldest"]

_RETRY_S = 1.0
_BUSY_S = 5.0
_WAITING = 10_000  # events
_CHECKPOINT_PAGES = 2000
NO_CROPS: Mapping[str, bytes] = {}
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Stream:
    id: int
    next: int


class StoreWriter:
    """The one writer of a store.

    durability: "normal" outlives the death of the process; "full" also that of the machine, by a sync for each group;
    "off" leaves all to the operating system. when_full: whether old events make room for new ones on a full disk.
    lost: events that could neither be committed nor wait.
    """

    def __init__(
        self,
        path: Path,
        *,
        durability: Durability = "normal",
        limits: Limits | None = None,
        when_full: WhenFull = "refuse",
    ) -> None:
        self.lost = 0
        self._path = path
        self._durability, self._when_full = durability, when_full
        self._retention = Retention(path, limits or Limits())
        self._db: sqlite3.Connection | None = None
        self._place: FileIdentity | None = None
        self._streams: dict[str, _Stream] = {}
        self._waiting: deque[Event] = deque()
        self._failing_since: float | None = None
        self._tried_s = 0.0
        self._lock: int | None = None
        self._first = True

    @property
    def failing(self) -> bool:
        """Whether events are not committed at present."""
        return self._failing_since is not None

    def open(self) -> None:
        """Take the store; repair it where the last writer was killed. Raises StoreError.

        A disk that is full or cannot be written is no error: events will not be durable, which is said.
        """
        if not self._path.parent.is_dir():
            raise StoreError(f"{self._path} cannot be made: there is no directory {self._path.parent}; make it first.")
        if self._path.is_dir():
            raise StoreError(f"{self._path} is a directory; name a file as store.path.")
        self._take()
        self._first = True
        try:
            self._connect()
        except StoreError:
            self.close()
            raise
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            self._streams = _known(self._path)

    def close(self) -> None:
        """Commit what waits, if that is possible, and let go."""
        if self._waiting:
            self._tried_s = 0.0
            self.append([])
        self._disconnect()
        self.lost += len(self._waiting)
        if self.lost:
            log.error("events were never stored", store=str(self._path), events=self.lost)
        self._waiting.clear()
        self._retention.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def next_seq(self, stream: str) -> int:
        """The ``seq`` that follows all that were committed or given to ``append``."""
        return self._stream(stream).next

    def append(self, events: Sequence[Event], crops: Mapping[str, bytes] = NO_CROPS) -> list[bytes] | None:
        """Commit events in one transaction, after those that wait; as they are kept.

        crops: pictures of texts, WebP, by the id of their event.
        None: they could not be committed; they wait, marked as not durable, and without their crops.
        """
        for event in events:
            self._stream(event.stream).next = event.seq + 1
        if self.failing and time.monotonic() - self._tried_s < _RETRY_S:
            self._wait(events)
            return None
        group = [*self._waiting, *events]
        try:
            lines = self._commit_or_make_room(group, crops)
        except (sqlite3.Error, OSError, StoreError) as error:
            self._fail(error)
            self._wait(events)
            return None
        self._recovered()
        return lines[len(lines) - len(events) :]

    def forget_visible(self, stream: str) -> None:
        """Nothing of a stream is in sight any more: it has closed."""
        if self._db is not None and not self.failing and stream in self._streams:
            try:
                self._db.execute("DELETE FROM visible WHERE stream = ?", (self._streams[stream].id,))
            except sqlite3.Error as error:
                self._fail(error)

    def _take(self) -> None:
        """Hold a lock beside the store for as long as this writer lives."""
        try:
            self._lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return  # a disk that cannot be written has no other writer
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            self._lock = None
            raise StoreError(
                f"{self._path} is being written by another process; stop that one or name another store.path."
            ) from error

    def _connect(self) -> None:
        repair.if_damaged(self._path)
        db = sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY_S, check_same_thread=False)
        try:
            self._path.chmod(0o600)
            self._place = FileIdentity(self._path)
            db.execute("PRAGMA journal_mode = wal")
            db.execute(f"PRAGMA synchronous = {self._durability}")
            db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            db.execute(f"PRAGMA journal_size_limit = {2 * 4096 * _CHECKPOINT_PAGES}")
            if not schema.check(db, self._path):
                schema.create(db)
            if self._first:  # what was in sight when the last writer went will be told anew
                db.execute("DELETE FROM visible")
                self._first = False
            for stream in self._streams.values():
                stream.id = 0
            for id_, name, following in db.execute("SELECT id, name, next FROM streams"):
                known = self._streams.setdefault(name, _Stream(0, 0))
                known.id, known.next = id_, max(known.next, following)
        except BaseException:
            db.close()
            raise
        self._db = db
        self._retention.open(db)

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
            if not self._makes_room(error):
                raise
        return self._commit(events, crops)

    def _commit(self, events: Sequence[Event], crops: Mapping[str, bytes]) -> list[bytes]:
        db = self._db
        assert db is not None, "append() before open()"
        if self._place is not None and self._place.is_lost:
            raise StoreError(f"{self._path} was removed or replaced; a new one is begun.")
        try:
            with transaction(db):
                lines = self._insert(db, events, crops)
                self._retention.tend(db, len(events))
        except BaseException:
            for name in {event.stream for event in events}:
                self._streams[name].id = 0  # perhaps made in this transaction
            raise
        return lines

    def _insert(self, db: sqlite3.Connection, events: Sequence[Event], crops: Mapping[str, bytes]) -> list[bytes]:
        names = {event.stream for event in events}
        for name in names:
            self._streams[name].id = self._streams[name].id or _stream_id(db, name)
        (last,) = db.execute("SELECT ifnull(max(id), 0) FROM events").fetchone()
        rows, words, pictures = [], [], []
        seen: dict[tuple[int, int], bytes | None] = {}  # the latest event of each text; None: gone
        for id_, event in enumerate(events, last + 1):
            stream, json = self._streams[event.stream].id, event.to_json()
            text = None
            if isinstance(event, TextEvent):
                ended = event.kind == "ended"
                seen[stream, event.track] = None if ended else json
                if not ended:
                    text = event.text
                    words.append((id_, text))
            if event.id in crops:
                pictures.append((id_, crops[event.id]))
            utc_us = microseconds(event.emitted_utc) if event.emitted_utc else time.time_ns() // 1000
            rows.append((id_, stream, event.seq, utc_us, event.start, text, json))
        db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        db.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", words)
        db.executemany("INSERT INTO crops VALUES (?, ?)", pictures)
        shown = [(*key, json) for key, json in seen.items() if json is not None]
        db.executemany("INSERT OR REPLACE INTO visible VALUES (?, ?, ?)", shown)
        gone = [key for key, json in seen.items() if json is None]
        db.executemany("DELETE FROM visible WHERE stream = ? AND track = ?", gone)
        db.executemany(
            "UPDATE streams SET next = ? WHERE id = ?",
            [(self._streams[name].next, self._streams[name].id) for name in names],
        )
        return [row[-1] for row in rows]

    def _makes_room(self, error: Exception) -> bool:
        """Forget old events where the disk is full and that is wanted."""
        if self._when_full == "refuse" or self._db is None or getattr(error, "sqlite_errorcode", 0) not in _FULL:
            return False
        return self._retention.make_room(self._db)

    def _wait(self, events: Sequence[Event]) -> None:
        for event in events:
            self._waiting.append(msgspec.structs.replace(event, durable=False))
        while len(self._waiting) > _WAITING:
            self._waiting.popleft()
            self.lost += 1

    def _fail(self, error: Exception) -> None:
        self._tried_s = time.monotonic()
        if self._failing_since is None:
            self._failing_since = self._tried_s
            log.error("events are not stored", store=str(self._path), reason=str(error))
        self._disconnect()

    def _recovered(self) -> None:
        self._waiting.clear()
        if self._failing_since is not None:
            failed_s = time.monotonic() - self._failing_since
            self._failing_since = None
            log.warning("events are stored again", store=str(self._path), failed_s=round(failed_s, 1), lost=self.lost)


def _stream_id(db: sqlite3.Connection, name: str) -> int:
    db.execute("INSERT OR IGNORE INTO streams (name, next) VALUES (?, 0)", (name,))
    (id_,) = db.execute("SELECT id FROM streams WHERE name = ?", (name,)).fetchone()
    return int(id_)


def _known(path: Path) -> dict[str, _Stream]:
    """The numbers that come next, as far as a store that cannot be written says them."""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            rows = db.execute("SELECT name, next FROM streams").fetchall()
        finally:
            db.close()
    except sqlite3.Error:
        return {}
    return {name: _Stream(0, following) for name, following in rows}
