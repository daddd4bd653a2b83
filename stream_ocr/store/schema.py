"""Tables of a store, one SQLite file in WAL mode, and transactions on it.

``events``: all events in the order of their commits. ``words``: trigram index of their texts. ``crops``: the images
that texts were read from. ``visible``: the latest event of every text on screen. ``streams``: the next ``seq`` of each
stream, which outlives its events.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream_ocr.errors import StoreError

APPLICATION = 0x73746F63  # "stoc"
VERSION = 2  # of the schema

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, next INTEGER NOT NULL);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams,
    seq INTEGER NOT NULL,
    utc_us INTEGER NOT NULL,  -- time of publication, in microseconds since 1970
    start_s REAL,             -- media time
    text TEXT,                -- searchable; NULL where the event brings no new text
    json BLOB NOT NULL
);
CREATE UNIQUE INDEX events_by_seq ON events (stream, seq);
CREATE INDEX events_by_time ON events (utc_us);
CREATE TABLE crops (event INTEGER PRIMARY KEY REFERENCES events, webp BLOB NOT NULL);
CREATE TABLE visible (
    stream INTEGER NOT NULL REFERENCES streams, track INTEGER NOT NULL, json BLOB NOT NULL,
    PRIMARY KEY (stream, track)
) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (text, content='events', content_rowid='id', tokenize='trigram');
"""


def create(db: sqlite3.Connection) -> None:
    """Create the tables of a new store."""
    db.executescript(
        f"BEGIN; {_TABLES}"
        "INSERT INTO meta VALUES ('store', lower(hex(randomblob(8))));"
        f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
    )


def check(db: sqlite3.Connection, path: Path) -> bool:
    """Return whether the tables exist. Raises StoreError for another version or another program's database."""
    (application,), (version,) = (
        db.execute("PRAGMA application_id").fetchone(),
        db.execute("PRAGMA user_version").fetchone(),
    )
    if application == APPLICATION and version == VERSION:
        return True
    if application == APPLICATION:
        raise StoreError(
            f"{path} is a store of version {version}, but this program reads version {VERSION}; "
            "read it with the program that wrote it, or name another file."
        )
    if db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise StoreError(f"{path} is a database of another program; name another file as store.path.")
    return False


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commit all writes within the block together, or none of them on an error or a kill. Raises sqlite3.Error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
