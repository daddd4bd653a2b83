"""Events that cannot be read any more. Each is replaced by a gap, and all others are served.

SQLite has no checksums: damaged bytes of a row come back as they are, and a damaged page makes every query fail that
touches it.
"""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from stream_ocr.events import DECODE_ERRORS, Event, SourceEvent, event_id, parse
from stream_ocr.logs import get_logger
from stream_ocr.store.thresholds import THRESHOLDS

log = get_logger(__name__)

_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOTADB)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS = (
    "SELECT events.id, streams.name, events.seq, events.utc_us, events.start_s, events.json "
    "FROM events LEFT JOIN streams ON streams.id = events.stream"
)


class Row(NamedTuple):
    """A row of the table ``events`` as it was read; anything but ``id`` may be damaged. json: None if unreadable."""

    id: int
    stream: Any
    seq: Any
    utc_us: Any
    start_s: Any
    json: Any

    @property
    def published(self) -> datetime | None:
        """Return the time of publication, or None if it is damaged."""
        return _utc(self.utc_us)

    def event(self) -> Event | None:
        """Return the event, or a gap if it is damaged; None if not even its stream and ``seq`` are known."""
        return self._intact() or self._gap()

    def event_json(self) -> bytes | None:
        """Return the event as it is stored, or else as ``event``."""
        if self._intact() is not None:
            return self.json
        gap = self._gap()
        return None if gap is None else gap.to_json()

    def _intact(self) -> Event | None:
        event = _decode(self.json)
        return event if event is not None and (event.stream, event.seq) == (self.stream, self.seq) else None

    def _gap(self) -> SourceEvent | None:
        log.error("event is damaged in the store", id=self.id, stream=self.stream, seq=self.seq)
        if not isinstance(self.stream, str) or not isinstance(self.seq, int) or self.seq < 0:
            return None
        return SourceEvent(
            id=event_id(self.stream, "damaged", self.seq),
            seq=self.seq,
            kind="source.gap",
            stream=self.stream,
            start=self.start_s if isinstance(self.start_s, float) else None,
            reason="The event is damaged in the store.",
            emitted_utc=_utc(self.utc_us),
        )


def decode(json: Any) -> Event | None:
    """Return the event of a column ``json``, or None if it is damaged, which is logged."""
    event = _decode(json)
    if event is None:
        log.error("event is damaged in the store")
    return event


def _decode(json: Any) -> Event | None:
    try:
        return parse(json) if isinstance(json, bytes) else None
    except DECODE_ERRORS:
        return None


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error means that a part of the file cannot be read."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _CODES


def rows_after(db: sqlite3.Connection, last: int, limit: int) -> tuple[list[Row], int]:
    """Return the next rows after ``id`` = ``last``, and the ``id`` up to which the table has been read."""
    try:
        rows = [
            Row(*row) for row in db.execute(f"{_ROWS} WHERE events.id > ? ORDER BY events.id LIMIT ?", (last, limit))
        ]
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        first = _next_id(db, "events", "id", last + 1)
        if first is None:
            return [], last
        end = min(first - 1 + limit, _highest_id(db))
        salvaged = _salvage(db, f"{_ROWS} WHERE events.id", first, end)
        return [_row_from_index(db, id_) if row is None else Row(*row) for id_, row in salvaged], end
    return rows, rows[-1].id if rows else last


def rows_of_stream(db: sqlite3.Connection, stream: str, after: int, last: int) -> Iterator[Row]:
    """Yield the rows of a stream after ``seq`` = ``after``. last: its last ``seq``."""
    where = "events.stream = (SELECT id FROM streams WHERE name = ?) AND events.seq"
    try:
        for row in db.execute(f"{_ROWS} WHERE {where} > ? ORDER BY events.seq", (stream, after)):
            yield Row(*row)
            after = row[2]
        return
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
    for seq in range(after + 1, last + 1):
        try:
            for row in db.execute(f"{_ROWS} WHERE {where} = ?", (stream, seq)):
                yield Row(*row)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            yield Row(-1, stream, seq, None, None, None)


def readable(db: sqlite3.Connection, table: str, key: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table that can be read, as they are. key: its column that contains the ``id`` of an event."""
    query, highest = f"SELECT * FROM {table} WHERE {key}", _highest_id(db)
    first, unreadable = _next_id(db, table, key, 0), 0
    while first is not None and first <= highest and unreadable < THRESHOLDS.max_unreadable_pages:
        last = first + THRESHOLDS.repaired_rows - 1
        rows = [row for _, row in _salvage(db, query, first, last) if row is not None]
        yield from rows
        unreadable = 0 if rows else unreadable + 1
        first = _next_id(db, table, key, last + 1)


def _next_id(db: sqlite3.Connection, table: str, key: str, first: int) -> int | None:
    """Return the first ``id`` of a table from a number on, that number if damage hides it; None if there is none.

    Retention deletes the oldest rows, so that the first ``id`` may be high.
    """
    try:
        (id_,) = db.execute(f"SELECT min({key}) FROM {table} WHERE {key} >= ?", (first,)).fetchone()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return first
    return None if id_ is None else int(id_)


def _highest_id(db: sqlite3.Connection) -> int:
    """Return a bound that no ``id`` of an event exceeds; -1 if nothing is known."""
    for query in ("SELECT max(id) FROM events", "SELECT CAST(total(next) AS INTEGER) FROM streams"):
        try:
            (bound,) = db.execute(query).fetchone()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
        else:
            return -1 if bound is None else int(bound)
    return -1


def _salvage(db: sqlite3.Connection, query: str, first: int, last: int) -> Iterator[tuple[int, tuple[Any, ...] | None]]:
    """Yield ``id`` and row of a query for each ``id`` in a range, by halves until only damaged rows are unreadable.

    A damaged row is None. query: ends before the condition on the ``id``.
    """
    if first > last:
        return
    # A range reads the row behind it, too, which may be damaged.
    where, ids = ("= ?", (first,)) if first == last else ("BETWEEN ? AND ?", (first, last))
    try:
        yield from [(row[0], row) for row in db.execute(f"{query} {where}", ids)]
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        if first == last:
            yield first, None
        else:
            middle = (first + last) // 2
            yield from _salvage(db, query, first, middle)
            yield from _salvage(db, query, middle + 1, last)


def _row_from_index(db: sqlite3.Connection, id_: int) -> Row:
    """Return what the index knows of a row: its stream and ``seq``."""
    try:
        found = db.execute(
            "SELECT streams.name, events.seq FROM events INDEXED BY events_by_seq "
            "JOIN streams ON streams.id = events.stream WHERE +events.id = ?",
            (id_,),
        ).fetchone()
    except sqlite3.DatabaseError:
        found = None
    stream, seq = found or (None, None)
    return Row(id_, stream, seq, None, None, None)


def _utc(microseconds: Any) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except (TypeError, OverflowError):
        return None
