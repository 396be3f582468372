"""One write transaction: many jobs, seen by each other, durable together.

Index rows wait in memory until a guard must see them or the transaction ends: then they go in
sorted, so that each page of an index is visited once.
"""

# ruff: noqa: S608  all text here is ours and constant; what a caller gives is always a bound value

import sqlite3

from fhir_server.storage.embedded.packing import NOTHING, Packed, Rows, rows
from fhir_server.storage.embedded.types import TypeNumbers

_NO_ROWS = rows(NOTHING)


class Transaction:
    """Begun by the writer, who also ends it."""

    def __init__(self, connection: sqlite3.Connection, types: TypeNumbers) -> None:
        self.connection = connection
        self._types = types
        self._new_types: dict[str, int] = {}
        self._changed: tuple[dict[tuple[object, ...], bool], ...] = ({}, {}, {}, {})
        """Rows of texts, keys, drivers, intervals: True to be there, False to be gone."""

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

    def replace_terms(self, y: int, n: int, old: Packed, new: Packed) -> None:
        """Make the indexes hold the new terms of a version in place of the old ones."""
        before = rows(old) if old != NOTHING else _NO_ROWS
        after = rows(new) if new != NOTHING else _NO_ROWS
        self._mark(y, n, before, after, there=False)
        self._mark(y, n, after, before, there=True)

    def flush(self) -> None:
        """Write the waiting index rows."""
        for statements, changed in zip(_STATEMENTS, self._changed, strict=True):
            if changed:
                gone, there = statements
                self.connection.executemany(
                    gone, sorted(row for row, stays in changed.items() if not stays)
                )
                self.connection.executemany(
                    there, sorted(row for row, stays in changed.items() if stays)
                )
                changed.clear()

    def _mark(self, y: int, n: int, rows: Rows, unless: Rows, *, there: bool) -> None:
        texts, keys, drivers, spans = self._changed
        for changed, terms in (
            (texts, rows.texts - unless.texts),
            (keys, rows.keys - unless.keys),
            (spans, rows.spans - unless.spans),
        ):
            for term in terms:
                changed[y, term, n] = there
        for driver, start in rows.drivers - unless.drivers:
            drivers[y, driver, start, n] = there


def _statements(table: str, columns: str) -> tuple[str, str]:
    names = columns.split(", ")
    same = " AND ".join(f"{name} = ?" for name in names)
    marks = ", ".join("?" * len(names))
    return (
        f"DELETE FROM {table} WHERE {same}",
        f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})",
    )


_KEY_STATEMENTS = _statements("keys", "y, t, n")
_STATEMENTS = (
    _KEY_STATEMENTS,
    _KEY_STATEMENTS,
    _statements("drivers", "y, t, start, n"),
    _statements("intervals", "y, t, n"),
)
