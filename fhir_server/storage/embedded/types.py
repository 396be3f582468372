"""The small numbers that stand for types in the indexes. A number, once given, never changes."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from fhir_server.storage.base import StoreError


class TypeNumbers:
    """What is known of the table `types`; one for all threads. Only what is durable is kept."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, connection: sqlite3.Connection, name: str) -> int | None:
        """None when no version of the type was ever stored."""
        number = self._numbers.get(name)
        if number is None:
            for (number,) in _read(connection, "SELECT y FROM types WHERE name = ?", (name,)):
                self._numbers[name] = number
        return number

    def all(self, connection: sqlite3.Connection) -> dict[int, str]:
        """The names of all types by their numbers."""
        return dict(_read(connection, "SELECT y, name FROM types ORDER BY y"))


def _read(connection: sqlite3.Connection, statement: str, values: Sequence[str] = ()) -> list[Any]:
    try:
        return connection.execute(statement, values).fetchall()
    except sqlite3.Error as error:
        raise StoreError(f"the store cannot be read: {error}") from error
