-- A store of schema 2, the first released one. Never change this file: stores like it are on disks.
PRAGMA journal_mode = wal;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, next INTEGER NOT NULL);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams,
    seq INTEGER NOT NULL,
    utc_us INTEGER NOT NULL,
    start_s REAL,
    text TEXT,
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
INSERT INTO meta VALUES ('store', '0123456789abcdef');
INSERT INTO streams VALUES (1, 'gate', 2);
INSERT INTO events VALUES (1, 1, 0, 1795910400000000, 1.0, 'GATE 4', CAST('{"schema":2,"id":"a1","seq":0,"kind":"appeared","stream":"gate","track":1,"text":"GATE 4","confidence":0.9,"char_confidences":[],"start":1.0,"end":null,"start_utc":null,"end_utc":null,"utc_source":null,"polygon":[[10.0,10.0],[110.0,10.0],[110.0,30.0],[10.0,30.0]],"size":[640,360],"previous":null,"emitted_utc":"2026-11-29T00:00:00Z","durable":true,"overlay":false}' AS BLOB));
INSERT INTO events VALUES (2, 1, 1, 1795910401000000, 2.0, NULL, CAST('{"schema":2,"id":"a2","seq":1,"kind":"source.gap","stream":"gate","start":2.0,"end":3.0,"frames":25,"reason":"Frames are missing.","emitted_utc":"2026-11-29T00:00:01Z","start_utc":null,"durable":true}' AS BLOB));
INSERT INTO words (rowid, text) VALUES (1, 'GATE 4');
INSERT INTO crops VALUES (1, X'52494646');
PRAGMA application_id = 1937010531;
PRAGMA user_version = 2;
