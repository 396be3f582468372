"""The tables of the file, and how a connection to it is made.

`resources` holds every current version, `history` the superseded ones. `keys`, `drivers` and
`intervals` are posting lists: a term, then the ordinals of the live versions that carry it, but
for those in `unindexed`, which do not stand there yet (see `transaction`).
A type is a small number (`types`) wherever it stands in an index. Nothing outside this folder
may know any of it.
"""

import sqlite3
import time
from contextlib import closing

from fhir_server.storage.base import SCHEMA_VERSION, NewerSchema, StoreError

BUSY_SECONDS = 10.0
"""How long another process's write may be waited for."""

_OLDEST = (3, 38)
"""The first that always has JSON functions."""

_PRAGMAS = """
PRAGMA synchronous = FULL;
PRAGMA mmap_size = 0;
PRAGMA temp_store = MEMORY;
PRAGMA secure_delete = ON;
"""

# `live` says whether there is content, so that an update need not touch `resources_live`.
# `n` is declared INTEGER everywhere: an index on an untyped column cannot serve `x.n = r.n`.
TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS types (y INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS resources (
    n INTEGER PRIMARY KEY,
    y INTEGER NOT NULL,
    id TEXT NOT NULL,
    live INTEGER NOT NULL,
    number INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    method TEXT NOT NULL,
    start INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    keys BLOB NOT NULL,
    texts TEXT NOT NULL,
    drivers BLOB NOT NULL,
    spans BLOB NOT NULL,
    content BLOB
);
CREATE UNIQUE INDEX IF NOT EXISTS resources_id ON resources (y, id);
CREATE INDEX IF NOT EXISTS resources_updated ON resources (y, updated);
CREATE INDEX IF NOT EXISTS resources_live ON resources (y) WHERE live = 1;
CREATE TABLE IF NOT EXISTS history (
    n INTEGER NOT NULL,
    number INTEGER NOT NULL,
    y INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    superseded INTEGER NOT NULL,
    method TEXT NOT NULL,
    content BLOB
);
CREATE UNIQUE INDEX IF NOT EXISTS history_version ON history (n, number);
CREATE INDEX IF NOT EXISTS history_updated ON history (y, updated, n, number, superseded);
CREATE TABLE IF NOT EXISTS unindexed (n INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS keys (
    y INTEGER NOT NULL, t NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (y, t, n)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drivers (
    y INTEGER NOT NULL, t NOT NULL, start INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (y, t, start, n)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS intervals (
    y INTEGER NOT NULL, t NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (y, t, n)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
    namespace TEXT NOT NULL, key TEXT NOT NULL, expires INTEGER, value BLOB NOT NULL,
    PRIMARY KEY (namespace, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS records_expires ON records (expires) WHERE expires IS NOT NULL;
"""


def connect(path: str, cache: int = 2048, statements: int = 128) -> sqlite3.Connection:
    """A connection that commits by itself and may be closed by another thread.

    `cache` is the most memory for its pages, in KiB; so many `statements` are kept prepared.
    StoreError if the file cannot be opened, or is no database.
    """
    try:
        connection = sqlite3.connect(
            path,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=statements,
            timeout=BUSY_SECONDS,
        )
    except sqlite3.Error as error:
        raise StoreError(f"the store's file cannot be opened: {error}") from error
    try:
        connection.executescript(_PRAGMAS)
        connection.execute(f"PRAGMA cache_size = -{cache}")
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"the store's file cannot be read: {error}") from error
    return connection


def prepare(path: str) -> None:
    """Make the file ready: write-ahead logging and all tables.

    NewerSchema if it is too new, StoreError if it cannot be made ready.
    """
    if sqlite3.sqlite_version_info < _OLDEST:
        raise StoreError(f"SQLite is {sqlite3.sqlite_version}, too old: 3.38 is needed")
    try:
        with closing(connect(path)) as connection:
            _make_ready(connection)
    except sqlite3.Error as error:
        raise StoreError(f"the store's file cannot be made ready: {error}") from error


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else holds the lock that was wanted."""
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _make_ready(connection: sqlite3.Connection) -> None:
    _check_version(connection)
    _use_write_ahead_log(connection)
    connection.execute("BEGIN IMMEDIATE")
    _check_version(connection)
    for statement in TABLES.split(";"):
        connection.execute(statement)
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (SCHEMA_VERSION,))
    connection.execute("COMMIT")


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Two processes may make the same new file at once; SQLite does not wait there by itself."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() > until:
                raise StoreError(f"the store's file cannot be opened: {error}") from error
            time.sleep(0.01)
            continue
        if mode != "wal":
            raise StoreError(f"the store's file cannot keep a write-ahead log, but {mode}")
        return


def _check_version(connection: sqlite3.Connection) -> None:
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
    if not known:
        return
    row = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    if row and row[0] > SCHEMA_VERSION:
        raise NewerSchema(f"the file has schema {row[0]}, this program knows {SCHEMA_VERSION}")
