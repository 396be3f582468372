"""One write transaction: many jobs, seen by each other, durable together.

Index rows wait in memory until somebody must see them or the transaction ends. Then they go in
sorted, so that each page of an index is visited once, and many to a statement: each call into
SQLite gives the interpreter to other threads and must win it back.
"""

# ruff: noqa: S608  all text here is ours and constant; what a caller gives is always a bound value

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any

from fhir_server.storage.embedded.packing import SPAN_BYTES, Packed, pieces, rows
from fhir_server.storage.embedded.types import TypeNumbers
from fhir_server.storage.versions import Terms

Row = tuple[Any, ...]

_MOST_ROWS = 64
"""In one statement; a power of two."""


class Transaction:
    """Begun by the writer, who also ends it."""

    def __init__(self, connection: sqlite3.Connection, types: TypeNumbers) -> None:
        self.connection = connection
        self._types = types
        self._new_types: dict[str, int] = {}
        self._touched: set[int] = set()
        """Ordinals with waiting rows."""
        self._texts = _Waiting("keys", ("y", "t", "n"))
        self._keys = _Waiting("keys", ("y", "t", "n"))
        self._drivers = _Waiting("drivers", ("y", "t", "start", "n"))
        self._spans = _Waiting("intervals", ("y", "t", "n"))

    def known_type(self, name: str) -> int | None:
        return self._new_types.get(name) or self._types.number(self.connection, name)

    def type_number(self, name: str) -> int:
        """The number of a type, given now if it has none."""
        number = self.known_type(name)
        if number is None:
            insert = "INSERT INTO types (name) VALUES (?) RETURNING y"
            ((number,),) = self.connection.execute(insert, (name,)).fetchall()
            self._new_types[name] = int(number)
        return int(number)

    def index(self, y: int, n: int, terms: Terms, packed: Packed) -> None:
        """Add the terms of a version that had none."""
        self._touched.add(n)
        if packed.texts == "[]":
            self._keys.there += [(y, key, n) for key in terms.keys]
        else:
            self._keys.there += [(y, key, n) for key in terms.keys if isinstance(key, bytes)]
            self._texts.there += [(y, key, n) for key in terms.keys if isinstance(key, str)]
        self._drivers.there += [(y, driver, packed.start, n) for driver in terms.drivers]
        self._spans.there += [(y, span, n) for span in pieces(packed.spans, SPAN_BYTES)]

    def reindex(self, y: int, n: int, old: Packed, new: Packed) -> None:
        """Make the indexes hold the new terms of a version in place of the old ones."""
        if n in self._touched:
            self.flush()
        self._touched.add(n)
        before, after = rows(old), rows(new)
        for waiting, gone, there in (
            (self._keys, before.keys - after.keys, after.keys - before.keys),
            (self._texts, before.texts - after.texts, after.texts - before.texts),
            (self._spans, before.spans - after.spans, after.spans - before.spans),
        ):
            waiting.gone += [(y, term, n) for term in gone]
            waiting.there += [(y, term, n) for term in there]
        self._drivers.gone += [(y, *driver, n) for driver in before.drivers - after.drivers]
        self._drivers.there += [(y, *driver, n) for driver in after.drivers - before.drivers]

    def flush(self) -> None:
        """Write the waiting index rows."""
        for waiting in (self._texts, self._keys, self._drivers, self._spans):
            waiting.flush(self.connection)
        self._touched.clear()


class _Waiting:
    """Rows of one index that shall be gone, and rows that shall be there."""

    def __init__(self, table: str, columns: tuple[str, ...]) -> None:
        self.gone: list[Row] = []
        self.there: list[Row] = []
        self._delete = _delete(table, columns)
        self._insert = inserting(table, columns, "INSERT OR IGNORE")

    def flush(self, connection: sqlite3.Connection) -> None:
        if self.gone:
            connection.executemany(self._delete, self.gone)
            self.gone = []
        if self.there:
            self.there.sort(key=itemgetter(1))
            self._insert(connection, self.there)
            self.there = []


@cache
def inserting(
    table: str, columns: tuple[str, ...], insert: str = "INSERT"
) -> Callable[[sqlite3.Connection, Sequence[Row]], None]:
    """A function that inserts rows, many to a statement; the texts of statements are few."""
    marks = f"({','.join('?' * len(columns))})"
    statements = {}
    size = _MOST_ROWS
    while size:
        values = ",".join([marks] * size)
        statements[size] = f"{insert} INTO {table} ({','.join(columns)}) VALUES {values}"
        size //= 2

    def insert_all(connection: sqlite3.Connection, added: Sequence[Row]) -> None:
        for chunk in _chunks(added):
            connection.execute(statements[len(chunk)], tuple(chain.from_iterable(chunk)))

    return insert_all


@cache
def _delete(table: str, columns: tuple[str, ...]) -> str:
    return f"DELETE FROM {table} WHERE " + " AND ".join(f"{column} = ?" for column in columns)


def _chunks(added: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Cut into lengths that are powers of two, the greatest first."""
    at, size = 0, _MOST_ROWS
    while at < len(added):
        while size > len(added) - at:
            size //= 2
        yield added[at : at + size]
        at += size
