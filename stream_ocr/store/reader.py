"""Reading a store, also while it is written: replay, what is in sight, and search."""

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
from stream_ocr.store.fuzzy import Fuzzy

PAGE_EVENTS = 1000
PAGE_BYTES = 512 * 1024
_TRIGRAM = 3
_BUSY_S = 5.0
_LATEST = 2**62
_CROP_OF = (
    "FROM crops WHERE event = "
    "(SELECT id FROM events WHERE seq = ? AND stream = (SELECT id FROM streams WHERE name = ?))"
)


class Page(NamedTuple):
    """Events of one stream in order, as JSON; ``through``: all that are kept up to this ``seq`` are told with it."""

    events: list[bytes]
    through: int
    last: int


class Snapshot(NamedTuple):
    """The latest event of each text in sight in one stream, and the last ``seq`` committed at that moment."""

    stream: str
    last: int
    events: list[bytes]


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for. Times are of publication (UTC), or of the media in seconds."""

    text: str
    streams: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    since_s: float | None = None
    until_s: float | None = None
    fuzzy: bool = False
    limit: int = 50


class StoreReader:
    """A store, read-only. Raises StoreError where there is none, or one that cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise StoreError(f"There is no store {path}; `stream-ocr read --set store.path={path}` makes one.")
        try:
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=_BUSY_S
            )
            if not schema.check(self._db, path):
                raise StoreError(f"{path} is empty; nothing was stored there yet.")
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
        """Made with the store and never changed; another one means that numbers begin anew."""
        (value,) = self._db.execute("SELECT value FROM meta WHERE name = 'store'").fetchone()
        return str(value)

    def streams(self, *, after: str = "", limit: int = -1) -> dict[str, int]:
        """``seq`` of the last event by stream, -1 before the first; in order, from the name that follows ``after``."""
        rows = self._db.execute("SELECT name, next FROM streams WHERE name > ? ORDER BY name LIMIT ?", (after, limit))
        return {name: following - 1 for name, following in rows}

    def require(self, names: Sequence[str]) -> None:
        """Raises StoreError for a stream that there is not."""
        streams = self.streams()
        for name in names:
            if name not in streams:
                raise StoreError(f"{self._path} has no stream {name!r}; it has: {', '.join(streams) or 'none'}.")

    def last(self, stream: str) -> int:
        """``seq`` of the last event of a stream, -1 before the first."""
        row = self._db.execute("SELECT next FROM streams WHERE name = ?", (stream,)).fetchone()
        return -1 if row is None else int(row[0]) - 1

    def before(self, stream: str, time: datetime) -> int:
        """``seq`` of the last event of a stream that was published before a time: what follows is since then."""
        row = self._db.execute(
            "SELECT min(seq) FROM events WHERE stream = (SELECT id FROM streams WHERE name = ?) AND utc_us >= ?",
            (stream, microseconds(time)),
        ).fetchone()
        return self.last(stream) if row[0] is None else int(row[0]) - 1

    def replay(self, stream: str, after: int, limit: int = PAGE_EVENTS) -> Page:
        """Events that follow the ``seq`` ``after``, as many as a page holds."""
        with self._moment():
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
        """What is in sight, stream by stream, each as of one moment."""
        for name in self.streams() if streams is None else streams:
            with self._moment():
                rows = self._db.execute(
                    "SELECT json FROM visible WHERE stream = (SELECT id FROM streams WHERE name = ?) ORDER BY track",
                    (name,),
                ).fetchall()
                yield Snapshot(name, self.last(name), [json for (json,) in rows])

    def events(self, streams: Sequence[str] = ()) -> Iterator[Event]:
        """All events that are kept, in the order of their commits."""
        last = 0
        where, names = _of(streams)
        while rows := self._db.execute(
            f"SELECT id, json FROM events WHERE id > ? {where} ORDER BY id LIMIT ?", (last, *names, PAGE_EVENTS)
        ).fetchall():
            yield from (parse(json) for _, json in rows)
            last = rows[-1][0]

    def crop(self, stream: str, seq: int) -> bytes | None:
        """The picture (WebP) that an event's text was read from, where crops are kept."""
        row = self._db.execute(f"SELECT webp {_CROP_OF}", (seq, stream)).fetchone()
        return None if row is None else bytes(row[0])

    def has_crop(self, stream: str, seq: int) -> bool:
        """Whether there is such a picture; it is not read."""
        return self._db.execute(f"SELECT 1 {_CROP_OF}", (seq, stream)).fetchone() is not None

    def search(self, query: Query) -> Iterator[TextEvent]:
        """Events that brought a text with ``query.text`` in it, whatever its case, the latest first."""
        # Trigrams find three letters and more; shorter texts are looked for one row after the other.
        if query.fuzzy:
            fuzzy = Fuzzy(query.text)
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
            if fuzzy is None or fuzzy.is_in(text):
                yield TextEvent.from_json(json)
                found += 1
                if found == query.limit:
                    return

    def _ids(self, query: Query) -> tuple[int, int]:
        """Between which ids all events of these streams and times lie: a search need not look at others."""
        bounds: list[tuple[int, int]] = [(0, _LATEST)]
        if query.since is not None or query.until is not None:
            since = 0 if query.since is None else microseconds(query.since)
            until = _LATEST if query.until is None else microseconds(query.until)
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

    def _moment(self) -> "_Moment":
        return _Moment(self._db)


class _Moment:
    """All that is read within is of one moment."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.execute("ROLLBACK")


def microseconds(time: datetime) -> int:
    """Since 1970. Raises ValueError for a time without a zone."""
    if time.tzinfo is None:
        raise ValueError(f"{time} has no time zone; write it with one, such as {time.isoformat()}Z.")
    return round(time.timestamp() * 1_000_000)


def _of(streams: Sequence[str]) -> tuple[str, list[str]]:
    if not streams:
        return "", []
    return f"AND stream IN (SELECT id FROM streams WHERE name IN ({', '.join('?' * len(streams))}))", list(streams)


def _conditions(query: Query) -> tuple[str, list[object]]:
    where, names = _of(query.streams)
    values: list[object] = [*names]
    for column, sign, bound in (
        ("utc_us", ">=", None if query.since is None else microseconds(query.since)),
        ("utc_us", "<", None if query.until is None else microseconds(query.until)),
        ("start_s", ">=", query.since_s),
        ("start_s", "<", query.until_s),
    ):
        if bound is not None:
            where += f" AND {column} {sign} ?"
            values.append(bound)
    return where, values
