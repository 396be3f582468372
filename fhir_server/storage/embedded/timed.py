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

_AT_ONCE = 16
"""Rows between two looks at the clock: reading one that is long takes few steps of a query."""
_WAITED = 5
"""How many times the work of a turn it may last."""


class TooLarge(Exception):
    """A value is larger than a connection may read, or be given."""


class Deadline:
    """A moment of the monotonic clock at which queries end; sooner when nobody waits any more."""

    def __init__(self, at: float, abandoned: Callable[[], bool] | None = None) -> None:
        self.at = at
        self._abandoned = abandoned

    def cancel(self) -> None:
        self.at = 0.0

    @property
    def passed(self) -> bool:
        return time.monotonic() > self.at or (self._abandoned is not None and self._abandoned())


class Turn(Deadline):
    """A short time for a query that may be begun again elsewhere.

    It is the thread's own time that counts, up to some multiple of it: to begin again because
    another process had the processor meanwhile would only make more work.
    """

    def __init__(self, seconds: float, until: float) -> None:
        """`seconds` of work; it ends at `until`, of the monotonic clock, in any case."""
        now = time.monotonic()
        super().__init__(min(now + seconds, until))
        self._last = min(now + _WAITED * seconds, until)
        self._worked = time.thread_time() + seconds

    @property
    def passed(self) -> bool:
        now = time.monotonic()
        if now <= self.at:
            return False
        left = self._worked - time.thread_time()
        self.at = min(now + left, self._last)
        return now >= self.at


NEVER = Deadline(math.inf)

Gather = Callable[[sqlite3.Cursor, Deadline], T]
"""Makes of rows, as they come, what is wanted of them; DeadlineExceeded when the time is up."""


def all_rows(cursor: sqlite3.Cursor, deadline: Deadline) -> list[Row]:
    rows = some = cursor.fetchmany(_AT_ONCE)
    while len(some) == _AT_ONCE:
        if deadline.passed:
            raise DeadlineExceeded
        some = cursor.fetchmany(_AT_ONCE)
        rows += some
    return rows


class Timed:
    """One connection, used by one thread at a time."""

    def __init__(
        self,
        path: str,
        *,
        steps: int,
        cache: int,
        statements: int = 128,
        largest: int | None = None,
    ) -> None:
        """`steps` of SQLite's machine lie between two looks at the clock.

        `cache` is in KiB; so many `statements` are kept prepared. No value has more bytes than
        `largest`: to read one takes long, and nothing interrupts it.
        """
        self.connection = connect(path, cache, statements)
        if largest is not None:
            self.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, largest)
        self.connection.set_progress_handler(self._late, steps)
        self._deadline = NEVER
        self._stopped = False

    def rows(self, statement: Sql, deadline: Deadline) -> list[Row]:
        """All rows; DeadlineExceeded when the time is up."""
        return self.gathered(statement, deadline, all_rows)

    def gathered(self, statement: Sql, deadline: Deadline, gather: Gather[T]) -> T:
        """What is gathered from the rows; DeadlineExceeded when the time is up, or TooLarge."""
        if deadline.passed:
            raise DeadlineExceeded
        self._deadline = deadline
        try:
            return gather(self.connection.execute(*statement), deadline)
        except sqlite3.Error as error:
            raise _as_told(error) from error
        finally:
            self._deadline = NEVER

    def row(self, statement: str, values: tuple[Any, ...]) -> Row | None:
        """The only row of a point read, which is over at once; or TooLarge."""
        try:
            found: Row | None = self.connection.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise _as_told(error) from error
        return found

    def stop(self) -> None:
        """Interrupt what runs and whatever follows."""
        self._stopped = True

    def _late(self) -> bool:
        return self._stopped or self._deadline.passed


def _as_told(error: sqlite3.Error) -> Exception:
    match getattr(error, "sqlite_errorcode", None):
        case sqlite3.SQLITE_INTERRUPT:
            return DeadlineExceeded()
        case sqlite3.SQLITE_TOOBIG:
            return TooLarge()
        case _:
            return StoreError(f"the store cannot be read: {error}")
