"""Queries under a deadline: begun on the event loop, moved to a thread when they take long.

A short query costs less than the way to a thread and back. So each is first tried on the event
loop for a millisecond at most; one that is not done by then is interrupted and begun again on a
reader thread, where the next ones of its form go at once: as many as twice the last time. When its
time is up it is interrupted there too: no query outlives its deadline or its caller.
"""

import asyncio
import queue
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from fhir_server.storage.base import DeadlineExceeded
from fhir_server.storage.embedded.pieces import Sql
from fhir_server.storage.embedded.timed import Deadline, Gather, Row, T, Timed

_LOOP_SECONDS = 0.001
_LOOP_STEPS = 100
_LOOP_CHARACTERS = 10_000
"""A statement longer than this takes long to prepare, which nothing interrupts."""
_LOOP_CACHE_KIB = 8192
_THREADS = 4
_THREAD_STEPS = 20_000
_THREAD_CACHE_KIB = 4096
_MOST_SPARED = 256
_FORMS = 1000


class _Slow:
    """How often a form of query is not tried on the event loop, now and the next time."""

    def __init__(self) -> None:
        self.spared = 0
        self.next = 1


class Readers:
    """One connection for the event loop, and a few for threads."""

    def __init__(self, path: str, seconds: float) -> None:
        """`seconds` is the deadline of a query."""
        self.here = Timed(path, steps=_LOOP_STEPS, cache=_LOOP_CACHE_KIB)
        """For point reads on the event loop."""
        self._seconds = seconds
        self._there = [
            Timed(path, steps=_THREAD_STEPS, cache=_THREAD_CACHE_KIB) for _ in range(_THREADS)
        ]
        self._idle: queue.LifoQueue[Timed] = queue.LifoQueue()
        for timed in (self.here, *self._there):
            timed.connection.execute("PRAGMA query_only = ON")
        for timed in self._there:
            self._idle.put(timed)
        self._threads = ThreadPoolExecutor(_THREADS, "store-reader")
        self._slow: dict[str, _Slow] = {}

    async def rows(self, statement: Sql) -> list[Row]:
        """All rows of a query; DeadlineExceeded when its time is up."""
        return await self.gathered(statement, sqlite3.Cursor.fetchall)

    async def gathered(self, statement: Sql, gather: Gather[T]) -> T:
        """What is gathered from the rows of a query, perhaps in a thread and more than once."""
        now = time.monotonic()
        form = statement.text
        if self._may_try(form):
            try:
                soon = Deadline(now + min(_LOOP_SECONDS, self._seconds))
                found = self.here.gathered(statement, soon, gather)
            except DeadlineExceeded:
                self._was_slow(form)
            else:
                self._slow.pop(form, None)
                return found
        return await self._elsewhere(statement, Deadline(now + self._seconds), gather)

    def close(self) -> None:
        for timed in self._there:
            timed.stop()
        self._threads.shutdown()
        for timed in (self.here, *self._there):
            timed.connection.close()

    def _may_try(self, form: str) -> bool:
        """Whether a query of this form may be tried on the event loop."""
        if len(form) > _LOOP_CHARACTERS:
            return False
        slow = self._slow.get(form)
        if slow is None or slow.spared == 0:
            return True
        slow.spared -= 1
        return False

    def _was_slow(self, form: str) -> None:
        if len(self._slow) >= _FORMS:
            self._slow.clear()
        slow = self._slow.setdefault(form, _Slow())
        slow.spared = slow.next
        slow.next = min(2 * slow.next, _MOST_SPARED)

    async def _elsewhere(self, statement: Sql, deadline: Deadline, gather: Gather[T]) -> T:
        loop = asyncio.get_running_loop()
        run = partial(self._gathered, statement, deadline, gather)
        try:
            return await loop.run_in_executor(self._threads, run)
        except asyncio.CancelledError:
            deadline.cancel()
            raise

    def _gathered(self, statement: Sql, deadline: Deadline, gather: Gather[T]) -> T:
        timed = self._idle.get()
        try:
            return timed.gathered(statement, deadline, gather)
        finally:
            self._idle.put(timed)
