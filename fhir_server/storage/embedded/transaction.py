"""One write transaction: many jobs, seen by each other, durable together.

Index rows wait in memory until somebody must see them or the transaction ends. Then they go in
sorted, so that each page of an index is visited once, and many to a statement: each call into
SQLite gives the interpreter to other threads and must win it back. Those of new versions SQLite
makes itself (see `splitting`); it knows them by their ordinals till then.

A transaction that only creates may leave the indexes for later: it notes the ordinals in
`unindexed`, and the next transaction that does not put it off takes them up first. So the indexes
always show the state after some commit and never half of one, and whoever must see all that was
acknowledged (every plan must) first has a transaction take up what was put off.
"""

# ruff: noqa: S608  all text here is ours and constant; what a caller gives is always a bound value

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any

from fhir_server.storage.embedded.packing import Packed, drivers, rows
from fhir_server.storage.embedded.pieces import Sql
from fhir_server.storage.embedded.splitting import Splitting
from fhir_server.storage.embedded.timed import NEVER, Timed
from fhir_server.storage.embedded.timed import Row as Found
from fhir_server.storage.embedded.types import TypeNumbers

Row = tuple[Any, ...]

_MOST_ROWS = 64
"""In one statement; a power of two."""
_PUT_OFF = (
    "SELECT r.y, r.n, r.start, r.drivers FROM unindexed u CROSS JOIN resources r ON r.n = u.n"
)


class Transaction:
    """Begun by the writer, who also ends it after `finish`."""

    def __init__(
        self, timed: Timed, types: TypeNumbers, splitting: Splitting, *, puts_off: bool = False
    ) -> None:
        """Whether it `puts_off` index rows is settled now."""
        self.connection = timed.connection
        self.deadline = NEVER
        """Of the job under way: for all its queries together."""
        self.erased = False
        """Set by who wants what was deleted out of the log as well, soon. (In the file it is
        overwritten anyway: see the pragmas in `schema`.)"""
        self._timed = timed
        self._splitting = splitting
        self._types = types
        self._new_types: dict[str, int] = {}
        self._put_off: list[Row] | None = [] if puts_off else None
        self._new: list[int] = []
        """Ordinals of versions whose index rows are still to be made."""
        self._touched: set[int] = set()
        """Ordinals with waiting rows."""
        self._texts = _Waiting("keys", ("y", "t", "n"))
        self._keys = _Waiting("keys", ("y", "t", "n"))
        self._drivers = _Waiting("drivers", ("y", "t", "start", "n"))
        self._spans = _Waiting("intervals", ("y", "t", "n"))
        if not puts_off:
            self._take_up()

    def rows(self, statement: Sql) -> list[Found]:
        """What a query finds after all that was done before; DeadlineExceeded in time."""
        self.flush()
        return self._timed.rows(statement, self.deadline)

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

    def index(self, y: int, n: int, packed: Packed) -> None:
        """Let a version that is new be found by its terms."""
        if self._put_off is not None:
            self._put_off.append((n,))
        else:
            self._add(y, n, packed.start, packed.drivers)

    def reindex(self, y: int, n: int, old: Packed, new: Packed) -> None:
        """Make the indexes hold the new terms of a version in place of the old ones."""
        if old == new:
            return
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
        """Write the waiting index rows: what goes first, as a new version may have its ordinal."""
        for waiting in (self._texts, self._keys, self._drivers, self._spans):
            waiting.flush(self.connection)
        if self._new:
            self._splitting.index(self._new)
            self._new = []
        self._touched.clear()

    def finish(self) -> int:
        """Write all that waits; how many versions were put off."""
        self.flush()
        if not self._put_off:
            return 0
        _PUTTING_OFF(self.connection, self._put_off)
        return len(self._put_off)

    def _take_up(self) -> None:
        """Index what earlier transactions put off."""
        put_off = self.connection.execute(_PUT_OFF).fetchall()
        for row in put_off:
            self._add(*row)
        if put_off:
            self.connection.execute("DELETE FROM unindexed")

    def _add(self, y: int, n: int, start: int, packed_drivers: bytes) -> None:
        self._touched.add(n)
        self._new.append(n)
        self._drivers.there += [(y, driver, start, n) for driver in drivers(packed_drivers)]


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


_PUTTING_OFF = inserting("unindexed", ("n",))


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
