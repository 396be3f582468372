"""Queries under a deadline: begun on the event loop, moved to a thread when they take long.

A short query costs less than the way to a thread and back. So each is first tried on the event
loop for a millisecond at most; one that is not done by then is interrupted and begun again on a
reader thread, where the next ones of its form go at once: as many as twice the last time. When its
time is up it is interrupted there too: no query outlives its deadline or its caller.
"""

import asyncio
import math
import queue
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fhir_server.storage.base import DeadlineExceeded, StoreError
from fhir_server.storage.embedded.conditions import Sql
from fhir_server.storage.embedded.schema import connect

Row = Sequence[Any]

_LOOP_SECONDS = 0.001
_LOOP_STEPS = 200
"""Virtual machine steps between two looks at the clock, a few microseconds."""
_THREADS = 4
_THREAD_STEPS = 20_000
_LOOP_CACHE_KIB = 8192
_THREAD_CACHE_KIB = 4096
_MOST_SPARED = 256
_SLOW_FORMS = 1000


class Deadline:
    """A moment of the monotonic clock at which a query ends; sooner when it is cancelled."""

    def __init__(self, at: float) -> None:
        self.at = at

    def cancel(self) -> None:
        self.at = 0.0

    @property
    def passed(self) -> bool:
        return time.monotonic() > self.at


class Timed:
    """A connection for reading, whose queries are interrupted at their deadline."""

    def __init__(self, path: str, steps: int, cache: int) -> None:
        self.connection = connect(path, cache)
        self.connection.execute("PRAGMA query_only = ON")
        self.connection.set_progress_handler(self._late, steps)
        self._deadline = _NEVER
        self._stopped = False

    def rows(self, statement: Sql, deadline: Deadline) -> list[Row]:
        """All rows; DeadlineExceeded when the time is up."""
        if deadline.passed:
            raise DeadlineExceeded
        self._deadline = deadline
        try:
            return self.connection.execute(*statement).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise DeadlineExceeded from error
            raise StoreError(f"the store cannot be read: {error}") from error
        finally:
            self._deadline = _NEVER

    def stop(self) -> None:
        """Interrupt what runs and whatever follows."""
        self._stopped = True

    def _late(self) -> bool:
        return self._stopped or self._deadline.passed


_NEVER = Deadline(math.inf)


class _Slow:
    """How often a form of query is not tried on the event loop, now and the next time."""

    def __init__(self) -> None:
        self.spared = 0
        self.next = 1


class Readers:
    """One connection for the event loop, and a few for threads."""

    def __init__(self, path: str, deadline: float) -> None:
        self._seconds = deadline
        self._here = Timed(path, _LOOP_STEPS, _LOOP_CACHE_KIB)
        self._there = [Timed(path, _THREAD_STEPS, _THREAD_CACHE_KIB) for _ in range(_THREADS)]
        self._idle: queue.LifoQueue[Timed] = queue.LifoQueue()
        for timed in self._there:
            self._idle.put(timed)
        self._threads = ThreadPoolExecutor(_THREADS, "store-reader")
        self._slow: dict[str, _Slow] = {}

    @property
    def connection(self) -> sqlite3.Connection:
        """For point reads on the event loop."""
        return self._here.connection

    async def rows(self, statement: Sql) -> list[Row]:
        """All rows of a query; DeadlineExceeded when its time is up."""
        now = time.monotonic()
        form = statement.text
        if self._may_try(form):
            try:
                rows = self._here.rows(statement, Deadline(now + min(_LOOP_SECONDS, self._seconds)))
            except DeadlineExceeded:
                self._was_slow(form)
            else:
                self._slow.pop(form, None)
                return rows
        return await self._elsewhere(statement, Deadline(now + self._seconds))

    def close(self) -> None:
        for timed in self._there:
            timed.stop()
        self._threads.shutdown()
        for timed in (self._here, *self._there):
            timed.connection.close()

    def _may_try(self, form: str) -> bool:
        """Whether a query of this form may be tried on the event loop."""
        slow = self._slow.get(form)
        if slow is None or slow.spared == 0:
            return True
        slow.spared -= 1
        return False

    def _was_slow(self, form: str) -> None:
        if len(self._slow) >= _SLOW_FORMS:
            self._slow.clear()
        slow = self._slow.setdefault(form, _Slow())
        slow.spared = slow.next
        slow.next = min(2 * slow.next, _MOST_SPARED)

    async def _elsewhere(self, statement: Sql, deadline: Deadline) -> list[Row]:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._rows, statement, deadline)
        except asyncio.CancelledError:
            deadline.cancel()
            raise

    def _rows(self, statement: Sql, deadline: Deadline) -> list[Row]:
        timed = self._idle.get()
        try:
            return timed.rows(statement, deadline)
        finally:
            self._idle.put(timed)
