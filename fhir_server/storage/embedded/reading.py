"""Queries under a deadline: begun on the event loop, moved to a thread when they take long.

A short query costs less than the way to a thread and back, where others want the interpreter for
each of its rows. So each is first tried on the event loop for two milliseconds of work at most; one
that is not done by then is interrupted and begun again on a reader thread, where the next ones of
its form go at once: as many as twice the last time. When its time is up it is interrupted there
too: no query outlives its deadline or its caller.

A large value takes long to read, which is not interrupted either: the event loop leaves it to the
threads.

Long statements take long to prepare, which nothing interrupts, and much memory while they are kept
prepared. They go to threads at once, to connections that keep a few only.
"""

import asyncio
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from fhir_server.storage.base import DeadlineExceeded
from fhir_server.storage.embedded.pieces import LONG_TEXT, Sql
from fhir_server.storage.embedded.timed import (
    Deadline,
    Gather,
    Row,
    T,
    Timed,
    TooLarge,
    Turn,
    all_rows,
)

_LOOP_SECONDS = 0.002
_LOOP_STEPS = 500
_LOOP_CACHE_KIB = 8192
_LOOP_LARGEST = 128 << 10
_THREADS = 4
_THREAD_STEPS = 20_000
_THREAD_CACHE_KIB = 4096
_LONG_STATEMENTS = 8
"""Kept prepared by a connection for long ones. Of the others each is small."""
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
        self.here = Timed(path, steps=_LOOP_STEPS, cache=_LOOP_CACHE_KIB, largest=_LOOP_LARGEST)
        """For point reads of what is small on the event loop."""
        self._seconds = seconds
        self._there = [
            Timed(path, steps=_THREAD_STEPS, cache=_THREAD_CACHE_KIB) for _ in range(_THREADS)
        ]
        self._for_long = [
            Timed(path, steps=_THREAD_STEPS, cache=_THREAD_CACHE_KIB, statements=_LONG_STATEMENTS)
            for _ in range(_THREADS)
        ]
        for timed in self._all():
            timed.connection.execute("PRAGMA query_only = ON")
        self._idle = _pool(self._there)
        self._idle_for_long = _pool(self._for_long)
        self._threads = ThreadPoolExecutor(_THREADS, "store-reader")
        self._slow: dict[str, _Slow] = {}

    async def row(self, statement: str, values: tuple[Any, ...]) -> Row | None:
        """The only row of a point read, of whatever size."""
        try:
            return self.here.row(statement, values)
        except TooLarge:
            deadline = Deadline(time.monotonic() + self._seconds)
            rows = await self._elsewhere(Sql(statement, values), deadline, all_rows)
            return rows[0] if rows else None

    async def rows(self, statement: Sql, until: float | None = None) -> list[Row]:
        """All rows of a query; DeadlineExceeded when its time is up."""
        return await self.gathered(statement, all_rows, until)

    async def gathered(self, statement: Sql, gather: Gather[T], until: float | None = None) -> T:
        """What is gathered from the rows of a query, perhaps in a thread and more than once.

        `until`, of the monotonic clock, is when it ends if its time began before.
        """
        until = time.monotonic() + self._seconds if until is None else until
        form = statement.text
        if self._may_try(form):
            try:
                soon = Turn(_LOOP_SECONDS, until)
                found = self.here.gathered(statement, soon, gather)
            except (DeadlineExceeded, TooLarge):
                self._was_slow(form)
            else:
                self._slow.pop(form, None)
                return found
        return await self._elsewhere(statement, Deadline(until), gather)

    def close(self) -> None:
        for timed in self._all():
            timed.stop()
        self._threads.shutdown()
        for timed in self._all():
            timed.connection.close()

    def _all(self) -> list[Timed]:
        return [self.here, *self._there, *self._for_long]

    def _may_try(self, form: str) -> bool:
        """Whether a query of this form may be tried on the event loop."""
        if len(form) > LONG_TEXT:
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
        idle = self._idle_for_long if len(statement.text) > LONG_TEXT else self._idle
        timed = idle.get()
        try:
            return timed.gathered(statement, deadline, gather)
        finally:
            idle.put(timed)


def _pool(all_: list[Timed]) -> queue.LifoQueue[Timed]:
    pool: queue.LifoQueue[Timed] = queue.LifoQueue()
    for timed in all_:
        pool.put(timed)
    return pool
