"""Read a store, also while it is written: replay, texts on screen, search."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from stream_ocr.errors import StoreError
from stream_ocr.events import Event, TextEvent, parse
from stream_ocr.store import schema
from stream_ocr.store.fuzzy import FuzzyMatcher
from stream_ocr.store.thresholds import THRESHOLDS

PAGE_EVENTS = 1000
PAGE_BYTES = 512 * 1024
_TRIGRAM = 3  # letters; shorter texts are not in the index
_MAX_ID = 2**62
_CROP_OF = (
    "FROM crops WHERE event = "
    "(SELECT id FROM events WHERE seq = ? AND stream = (SELECT id FROM streams WHERE name = ?))"
)


class Page(NamedTuple):
    """Events of one stream as JSON, in order. They are complete up to ``seq`` = ``through``; ``last`` is committed."""

    events: list[bytes]
    through: int
    last: int


class Snapshot(NamedTuple):
    """The latest event of each text on screen in one stream, and the last ``seq`` committed at that moment."""

    stream: str
    last: int
    events: list[bytes]


@dataclass(frozen=True, slots=True)
class Query:
    """A search. ``since`` and ``until`` are times of publication (UTC), ``*_s`` are media seconds."""

    text: str
    streams: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    since_s: float | None = None
    until_s: float | None = None
    fuzzy: bool = False
    limit: int = 50


class StoreReader:
    """Reads a store. Raises StoreError if there is none or it cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise StoreError(f"There is no store {path}; `stream-ocr read --set store.path={path}` creates one.")
        try:
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=THRESHOLDS.busy_timeout_s
            )
            if not schema.check(self._db, path):
                raise StoreError(f"{path} is empty: nothing has been stored yet.")
        except sqlite3.Error as error:
            raise StoreError(f"{path} cannot be read as a store: {error}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    @property
    def id(self) -> str:
        """Return the id of the store. A different id means that sequence numbers start again."""
        (value,) = self._db.execute("SELECT value FROM meta WHERE name = 'store'").fetchone()
        return str(value)

    def streams(self, *, after: str = "", limit: int = -1) -> dict[str, int]:
        """Return the ``seq`` of the last event by stream, -1 before the first; sorted, names greater than ``after``."""
        rows = self._db.execute("SELECT name, next FROM streams WHERE name > ? ORDER BY name LIMIT ?", (after, limit))
        return {name: next_seq - 1 for name, next_seq in rows}

    def require_streams(self, names: Sequence[str]) -> None:
        """Raise StoreError for a stream that is not in the store."""
        streams = self.streams()
        for name in names:
            if name not in streams:
                raise StoreError(f"{self._path} has no stream {name!r}; it has: {', '.join(streams) or 'none'}.")

    def last(self, stream: str) -> int:
        """Return the ``seq`` of the last event of a stream, -1 before the first."""
        row = self._db.execute("SELECT next FROM streams WHERE name = ?", (stream,)).fetchone()
        return -1 if row is None else int(row[0]) - 1

    def last_before(self, stream: str, time: datetime) -> int:
        """Return the ``seq`` of the last event of a stream published before a time, -1 if there is none."""
        row = self._db.execute(
            "SELECT min(seq) FROM events WHERE stream = (SELECT id FROM streams WHERE name = ?) AND utc_us >= ?",
            (stream, to_microseconds(time)),
        ).fetchone()
        return self.last(stream) if row[0] is None else int(row[0]) - 1

    def replay(self, stream: str, after: int, limit: int = PAGE_EVENTS) -> Page:
        """Return the page of events that follows ``seq`` = ``after``."""
        with self._read_transaction():
            last = self.last(stream)
            rows = self._db.execute(
                "SELECT seq, json FROM events WHERE stream = (SELECT id FROM streams WHERE name = ?) AND seq > ? "
                "ORDER BY seq LIMIT ?",
                (stream, after, max(1, min(limit, PAGE_EVENTS))),
            )
            events: list[bytes] = []
            size = 0
            for seq, json in rows:
                if events and size + len(json) > PAGE_BYTES:
                    break
                events.append(json)
                size += len(json)
                through = seq
        return Page(events, through if events else max(after, last), last)

    def visible(self, streams: Sequence[str] | None = None) -> Iterator[Snapshot]:
        """Yield the texts on screen, stream by stream; each snapshot is consistent in itself."""
        for name in self.streams() if streams is None else streams:
            with self._read_transaction():
                rows = self._db.execute(
                    "SELECT json FROM visible WHERE stream = (SELECT id FROM streams WHERE name = ?) ORDER BY track",
                    (name,),
                ).fetchall()
                yield Snapshot(name, self.last(name), [json for (json,) in rows])

    def events(self, streams: Sequence[str] = ()) -> Iterator[Event]:
        """Yield all stored events in the order of their commits."""
        last = 0
        where, names = _stream_filter(streams)
        while rows := self._db.execute(
            f"SELECT id, json FROM events WHERE id > ? {where} ORDER BY id LIMIT ?", (last, *names, PAGE_EVENTS)
        ).fetchall():
            yield from (parse(json) for _, json in rows)
            last = rows[-1][0]

    def crop(self, stream: str, seq: int) -> bytes | None:
        """Return the crop (WebP) that an event's text was read from, or None if it is not stored."""
        row = self._db.execute(f"SELECT webp {_CROP_OF}", (seq, stream)).fetchone()
        return None if row is None else bytes(row[0])

    def has_crop(self, stream: str, seq: int) -> bool:
        """Return whether an event has a crop, without reading it."""
        return self._db.execute(f"SELECT 1 {_CROP_OF}", (seq, stream)).fetchone() is not None

    def search(self, query: Query) -> Iterator[TextEvent]:
        """Yield events whose new text contains ``query.text``, ignoring case, latest first."""
        # The trigram index finds three letters and more; shorter texts need a scan of the rows.
        if query.fuzzy:
            fuzzy = FuzzyMatcher(query.text)
            parts = fuzzy.parts()
        else:
            fuzzy, parts = None, [query.text]
        where, values = _conditions(query)
        first, last = self._ids(query)
        limit = -1 if fuzzy else query.limit
        if all(len(part) >= _TRIGRAM for part in parts):
            match = " OR ".join('"' + part.replace('"', '""') + '"' for part in parts)
            rows = self._db.execute(
                "SELECT events.json, events.text FROM words JOIN events ON events.id = words.rowid "
                f"WHERE words MATCH ? AND words.rowid BETWEEN ? AND ? {where} ORDER BY words.rowid DESC LIMIT ?",
                (match, first, last, *values, limit),
            )
        else:
            likes = " OR ".join("text LIKE ? ESCAPE '\\'" for _ in parts)
            patterns = ["%" + re.sub(r"([%_\\])", r"\\\1", part) + "%" for part in parts]
            rows = self._db.execute(
                f"SELECT json, text FROM events WHERE ({likes}) AND id BETWEEN ? AND ? {where} "
                "ORDER BY id DESC LIMIT ?",
                (*patterns, first, last, *values, limit),
            )
        found = 0
        for json, text in rows:
            if fuzzy is None or fuzzy.matches(text):
                yield TextEvent.from_json(json)
                found += 1
                if found == query.limit:
                    return

    def _ids(self, query: Query) -> tuple[int, int]:
        """Return bounds on the ids of all events of these streams and times, to narrow the search."""
        bounds: list[tuple[int, int]] = [(0, _MAX_ID)]
        if query.since is not None or query.until is not None:
            since = 0 if query.since is None else to_microseconds(query.since)
            until = _MAX_ID if query.until is None else to_microseconds(query.until)
            bounds += self._db.execute(
                "SELECT ifnull(min(id), 0), ifnull(max(id), -1) FROM events WHERE utc_us >= ? AND utc_us < ?",
                (since, until),
            )
        if query.streams:  # within a stream ids grow with seq
            one = "SELECT id FROM events WHERE stream = streams.id ORDER BY seq"
            bounds += self._db.execute(
                f"SELECT ifnull(min(({one} LIMIT 1)), 0), ifnull(max(({one} DESC LIMIT 1)), -1) "
                f"FROM streams WHERE name IN ({', '.join('?' * len(query.streams))})",
                query.streams,
            )
        return max(first for first, _ in bounds), min(last for _, last in bounds)

    def _read_transaction(self) -> "_ReadTransaction":
        return _ReadTransaction(self._db)


class _ReadTransaction:
    """A read transaction: all queries within see the same state."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.execute("ROLLBACK")


def to_microseconds(time: datetime) -> int:
    """Return microseconds since 1970. Raises ValueError for a time without a zone."""
    if time.tzinfo is None:
        raise ValueError(f"{time} has no time zone; add one, as in {time.isoformat()}Z.")
    return round(time.timestamp() * 1_000_000)


def _stream_filter(streams: Sequence[str]) -> tuple[str, list[str]]:
    if not streams:
        return "", []
    return f"AND stream IN (SELECT id FROM streams WHERE name IN ({', '.join('?' * len(streams))}))", list(streams)


def _conditions(query: Query) -> tuple[str, list[object]]:
    where, names = _stream_filter(query.streams)
    values: list[object] = [*names]
    for column, sign, bound in (
        ("utc_us", ">=", None if query.since is None else to_microseconds(query.since)),
        ("utc_us", "<", None if query.until is None else to_microseconds(query.until)),
        ("start_s", ">=", query.since_s),
        ("start_s", "<", query.until_s),
    ):
        if bound is not None:
            where += f" AND {column} {sign} ?"
            values.append(bound)
    return where, values
