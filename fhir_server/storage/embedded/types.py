"""The small numbers that stand for types in the indexes. A number, once given, never changes."""

import sqlite3


class TypeNumbers:
    """What is known of the table `types`; one for all threads. Only what is durable is kept."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, connection: sqlite3.Connection, name: str) -> int | None:
        """None when no version of the type was ever stored."""
        number = self._numbers.get(name)
        if number is None:
            found = connection.execute("SELECT y FROM types WHERE name = ?", (name,)).fetchone()
            if found:
                self._numbers[name] = number = found[0]
        return number

    def all(self, connection: sqlite3.Connection) -> dict[int, str]:
        """The names of all types by their numbers."""
        return dict(connection.execute("SELECT y, name FROM types ORDER BY y").fetchall())
