"""A connection whose queries end at a deadline: interrupted, not abandoned."""

import math
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fhir_server.storage.base import DeadlineExceeded, StoreError
from fhir_server.storage.embedded.pieces import Sql
from fhir_server.storage.embedded.schema import connect

T = TypeVar("T")
Row = Sequence[Any]
Gather = Callable[[sqlite3.Cursor], T]
"""Makes of rows, as they come, what is wanted of them."""


class Deadline:
    """A moment of the monotonic clock at which a query ends; sooner when it is cancelled."""

    def __init__(self, at: float) -> None:
        self.at = at

    def cancel(self) -> None:
        self.at = 0.0

    @property
    def passed(self) -> bool:
        return time.monotonic() > self.at


_NEVER = Deadline(math.inf)


class Timed:
    """One connection, used by one thread at a time."""

    def __init__(self, path: str, *, steps: int, cache: int) -> None:
        """`steps` of SQLite's machine lie between two looks at the clock; `cache` is in KiB."""
        self.connection = connect(path, cache)
        self.connection.set_progress_handler(self._late, steps)
        self._deadline = _NEVER
        self._stopped = False

    def rows(self, statement: Sql, deadline: Deadline) -> list[Row]:
        """All rows; DeadlineExceeded when the time is up."""
        return self.gathered(statement, deadline, sqlite3.Cursor.fetchall)

    def gathered(self, statement: Sql, deadline: Deadline, gather: Gather[T]) -> T:
        """What is gathered from the rows; DeadlineExceeded when the time is up."""
        if deadline.passed:
            raise DeadlineExceeded
        self._deadline = deadline
        try:
            return gather(self.connection.execute(*statement))
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise DeadlineExceeded from error
            raise StoreError(f"the store cannot be read: {error}") from error
        finally:
            self._deadline = _NEVER

    def row(self, statement: str, values: tuple[Any, ...]) -> Row | None:
        """The only row of a point read, which is over at once."""
        try:
            found: Row | None = self.connection.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"the store cannot be read: {error}") from error
        return found

    def stop(self) -> None:
        """Interrupt what runs and whatever follows."""
        self._stopped = True

    def _late(self) -> bool:
        return self._stopped or self._deadline.passed
