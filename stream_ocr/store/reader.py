"""Read a store, also while it is written: replay, texts on screen, search."""

import re
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Concatenate, NamedTuple, ParamSpec, Self, TypeVar

from stream_ocr.errors import StoreError
from stream_ocr.events import Event, TextEvent
from stream_ocr.store import damage, schema
from stream_ocr.store.fuzzy import FuzzyMatcher
from stream_ocr.store.thresholds import THRESHOLDS

P = ParamSpec("P")
R = TypeVar("R")
Reader = TypeVar("Reader", bound="StoreReader")

PAGE_EVENTS = 1000  # per page of a replay
PAGE_BYTES = 512 * 1024  # of JSON, likewise
_TRIGRAM = 3  # letters; shorter texts are not in the index
_MAX_ID = 2**62  # beyond any id and any limit, and still an integer of SQLite
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


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Raise StoreError for errors of SQLite."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read: {error}.") from error


def reports_errors(method: Callable[Concatenate[Reader, P], R]) -> Callable[Concatenate[Reader, P], R]:
    """Make a method raise StoreError for errors of SQLite."""

    @wraps(method)
    def reporting(reader: Reader, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with _errors_of(reader._path):
            return method(reader, *args, **kwargs)

    return reporting


class StoreReader:
    """Reads a store. Raises StoreError if it cannot be read, here and in every method."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise StoreError(f"There is no store {path}; `stream-ocr read --set store.path={path}` creates one.")
        try:
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=THRESHOLDS.busy_timeout_s
            )
            try:
                self._db.text_factory = lambda text: text.decode(errors="replace")  # damaged texts must not raise
                if not schema.check(self._db, path):
                    raise StoreError(f"{path} is empty: nothing has been stored yet.")
            except BaseException:
                self._db.close()
                raise
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
    @reports_errors
    def id(self) -> str:
        """Return the id of the store. A different id means that sequence numbers start again."""
        row = self._db.execute("SELECT value FROM meta WHERE name = 'store'").fetchone()
        if row is None:
            raise StoreError(f"{self._path} has lost its id; the next run repairs it.")
        return str(row[0])

    @reports_errors
    def streams(self, *, after: str = "", limit: int = -1) -> dict[str, int]:
        """Return the ``seq`` of the last event by stream, -1 before the first; sorted, names greater than ``after``."""
        rows = self._db.execute("SELECT name, next FROM streams WHERE name > ? ORDER BY name LIMIT ?", (after, limit))
        return {name: seq - 1 for name, seq in rows if isinstance(name, str) and isinstance(seq, int)}

    def require_streams(self, names: Sequence[str]) -> None:
        """Raise StoreError for a stream that is not in the store."""
        streams = self.streams()
        for name in names:
            if name not in streams:
                raise StoreError(f"{self._path} has no stream {name!r}; it has: {', '.join(streams) or 'none'}.")

    @reports_errors
    def last(self, stream: str) -> int:
        """Return the ``seq`` of the last event of a stream, -1 before the first."""
        row = self._db.execute("SELECT next FROM streams WHERE name = ?", (stream,)).fetchone()
        return row[0] - 1 if row is not None and isinstance(row[0], int) else -1

    @reports_errors
    def last_before(self, stream: str, time: datetime) -> int:
        """Return the ``seq`` of the last event of a stream published before a time, -1 if there is none."""
        row = self._db.execute(
            "SELECT min(seq) FROM events WHERE stream = (SELECT id FROM streams WHERE name = ?) AND utc_us >= ?",
            (stream, to_microseconds(time)),
        ).fetchone()
        return row[0] - 1 if isinstance(row[0], int) else self.last(stream)

    @reports_errors
    def replay(self, stream: str, after: int, limit: int = PAGE_EVENTS) -> Page:
        """Return the page of events that follows ``seq`` = ``after``."""
        limit = max(1, min(limit, PAGE_EVENTS))
        events: list[bytes] = []
        size = 0
        with self._read_transaction():
            last = through = self.last(stream)
            for row in damage.rows_of_stream(self._db, stream, after, last):
                if (json := row.event_json()) is None:
                    continue
                if len(events) == limit or (events and size + len(json) > PAGE_BYTES):
                    break
                events.append(json)
                size += len(json)
                through = row.seq
        return Page(events, max(through, after), last)

    def visible(self, streams: Sequence[str] | None = None) -> Iterator[Snapshot]:
        """Yield the texts on screen, stream by stream; each snapshot is consistent in itself."""
        for name in self.streams() if streams is None else streams:
            with _errors_of(self._path), self._read_transaction():
                rows = self._db.execute(
                    "SELECT json FROM visible WHERE stream = (SELECT id FROM streams WHERE name = ?) ORDER BY track",
                    (name,),
                ).fetchall()
                yield Snapshot(name, self.last(name), [json for (json,) in rows if damage.decode(json)])

    def events(self, streams: Sequence[str] = ()) -> Iterator[Event]:
        """Yield all stored events in the order of their commits. A damaged event is replaced by a ``source.gap``."""
        last, unreadable = -1, 0
        while unreadable < THRESHOLDS.max_unreadable_pages:
            with _errors_of(self._path):
                rows, end = damage.rows_after(self._db, last, PAGE_EVENTS)
            if end <= last:
                return
            unreadable = 0 if any(row.json is not None for row in rows) else unreadable + 1
            for row in rows:
                if (not streams or row.stream in streams) and (event := row.event()) is not None:
                    yield event
            last = end

    @reports_errors
    def crop(self, stream: str, seq: int) -> bytes | None:
        """Return the crop (WebP) that an event's text was read from, or None if it is not stored."""
        row = self._db.execute(f"SELECT webp {_CROP_OF}", (seq, stream)).fetchone()
        return row[0] if row is not None and isinstance(row[0], bytes) else None

    @reports_errors
    def has_crop(self, stream: str, seq: int) -> bool:
        """Return whether an event has a crop, without reading it."""
        return self._db.execute(f"SELECT 1 {_CROP_OF}", (seq, stream)).fetchone() is not None

    @reports_errors
    def search(self, query: Query) -> list[TextEvent]:
        """Return events whose new text contains ``query.text``, ignoring case, latest first. Raises StoreError."""
        if len(query.text) > THRESHOLDS.max_search_characters:
            raise StoreError(
                f"The text to search for has {len(query.text)} characters; at most "
                f"{THRESHOLDS.max_search_characters} are allowed."
            )
        if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in query.text):
            return []  # SQLite takes neither, and no text contains them
        try:
            return self._search(query)
        except sqlite3.DatabaseError as error:
            if not damage.is_damage(error):
                raise
        return self._scan(query)

    def _search(self, query: Query) -> list[TextEvent]:
        # The trigram index finds three letters and more; shorter texts need a scan of the rows.
        if query.fuzzy:
            fuzzy = FuzzyMatcher(query.text)
            parts = fuzzy.parts()
        else:
            fuzzy, parts = None, [query.text]
        where, values = _conditions(query)
        first, last = self._ids(query)
        limit = -1 if fuzzy else min(query.limit, _MAX_ID)
        if all(len(part) >= _TRIGRAM for part in parts):
            match = " OR ".join('"' + part.replace('"', '""') + '"' for part in parts)
            rows = self._db.execute(
                "SELECT events.seq, events.json, events.text FROM words JOIN events ON events.id = words.rowid "
                f"WHERE words MATCH ? AND words.rowid BETWEEN ? AND ? {where} ORDER BY words.rowid DESC LIMIT ?",
                (match, first, last, *values, limit),
            )
        else:
            likes = " OR ".join("text LIKE ? ESCAPE '\\'" for _ in parts)
            patterns = ["%" + re.sub(r"([%_\\])", r"\\\1", part) + "%" for part in parts]
            rows = self._db.execute(
                f"SELECT seq, json, text FROM events WHERE ({likes}) AND id BETWEEN ? AND ? {where} "
                "ORDER BY id DESC LIMIT ?",
                (*patterns, first, last, *values, limit),
            )
        found: list[TextEvent] = []
        for seq, json, text in rows:
            if fuzzy is not None and not fuzzy.matches(text):
                continue
            event = damage.decode(json)
            if isinstance(event, TextEvent) and event.seq == seq:
                found.append(event)
                if len(found) == query.limit:
                    break
        return found

    def _scan(self, query: Query) -> list[TextEvent]:
        """Search without the indexes, some of which are damaged."""
        fuzzy, folded = FuzzyMatcher(query.text), query.text.lower()
        found = deque[TextEvent](maxlen=min(query.limit, _MAX_ID))
        for event in self.events(query.streams):
            if not isinstance(event, TextEvent) or event.kind == "ended" or not _is_within(query, event):
                continue
            if fuzzy.matches(event.text) if query.fuzzy else folded in event.text.lower():
                found.append(event)
        return list(reversed(found))

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


def _is_within(query: Query, event: TextEvent) -> bool:
    """Return whether an event lies in the times of a query, as ``_conditions``."""
    if query.since_s is not None and event.start < query.since_s:
        return False
    if query.until_s is not None and event.start >= query.until_s:
        return False
    utc = event.emitted_utc
    if query.since is not None and (utc is None or utc < query.since):
        return False
    return query.until is None or (utc is not None and utc < query.until)


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
