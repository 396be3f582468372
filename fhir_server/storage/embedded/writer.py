"""The one thread that writes: jobs that wait at the same time become durable together.

Each job checks before it changes anything, so that a refused one leaves no trace and the rest
of its group goes on. When something unexpected happens the group is rolled back and its jobs
are tried one by one: only the guilty one fails. A job's checks have one deadline together, and
jobs that check for long are not kept in one group: nobody else can write meanwhile, in any process.

While nobody asks for anything by its terms, groups that only create put off their index rows, and
many groups' rows are written together: when the writer is idle, when they are many, or when
somebody asks.
"""

import asyncio
import queue
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from fhir_server.storage.base import Conflict, DeadlineExceeded, GuardFailed, StoreError
from fhir_server.storage.embedded import schema
from fhir_server.storage.embedded.splitting import Splitting
from fhir_server.storage.embedded.timed import Deadline, Timed
from fhir_server.storage.embedded.transaction import Transaction
from fhir_server.storage.embedded.types import TypeNumbers

T = TypeVar("T")
Work = Callable[[Transaction], T]

REFUSALS = (Conflict, GuardFailed, DeadlineExceeded)
"""What a job raises before it has changed anything."""
QUIET_SECONDS = 0.2
"""Index rows are put off when nobody has asked for so long."""

_MOST_PUT_OFF = 512
"""Fewer cost more each; more are no cheaper, and whoever creates meanwhile waits for all."""
_GROUP = 256
_GROUP_SECONDS = 0.5
"""A group that takes this long is ended; its other jobs are in the next."""
_IDLE_SECONDS = 0.1
_LONGEST_IDLE_SECONDS = 10.0
"""After some failures to index when idle."""
_LOG_PAGES = 8192
"""Copied into the file at once, while writers wait."""
_LOG_BYTES = 128 << 20
_CACHE_KIB = 32_768
_STEPS = 20_000
_PATIENCE = 0.25
"""Part of a group's time that may be spent on waiting for a larger next one."""
_MOST_PATIENCE = 0.002
_TURN_SECONDS = (0.0002, 0.002)
_LONG_TURN_SECONDS = 0.05
"""After a turn this long others, who look for theirs at times, must not miss the end of it."""


class _Job(NamedTuple):
    work: Work[Any]
    puts_off: bool
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class _Outcome(NamedTuple):
    result: Any = None
    error: Exception | None = None


class Writer:
    def __init__(self, path: str, types: TypeNumbers, seconds: float) -> None:
        """`seconds` is the deadline of all queries together that a job makes."""
        self._types = types
        self._seconds = seconds
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._handed: deque[_Job] = deque()
        self._closed = False
        self._put_off = 0
        """How many versions wait to be indexed, as far as this process knows."""
        self._last_asked = 0.0
        self._idle_seconds = _IDLE_SECONDS
        self._erased = False
        """Whether the log still holds what was erased."""
        self._erase_at = 0.0
        """When it goes even though jobs wait."""
        self._under_way = 0
        """How many jobs the last group had, with those that came while it was written."""
        self._patience = 0.0
        self._timed = Timed(path, steps=_STEPS, cache=_CACHE_KIB)
        self._connection = self._timed.connection
        self._connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        self._connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        self._connection.execute("PRAGMA busy_timeout = 0")
        self._splitting = Splitting(self._connection)
        ((self._put_off,),) = self._connection.execute("SELECT count(*) FROM unindexed").fetchall()
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what waits, then end the thread."""
        self._closed = True
        self._hand_over()
        self._jobs.put(None)
        self._thread.join()
        self._connection.close()

    def asked(self) -> None:
        """Somebody asks for something by its terms: from now on index at once, for a while."""
        self._last_asked = time.monotonic()

    async def run(self, work: Work[T], *, puts_off: bool = False) -> T:
        """What the work returned, once it is durable. It may be done twice, so it keeps no state.

        Before it begins, all that was acknowledged is indexed, unless it `puts_off` indexing: it
        only creates, or has nothing to do with terms. A caller that is cancelled meanwhile does
        not learn whether it was done; if it had not begun, it is not.
        """
        if self._closed:
            raise StoreError("the store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._handed.append(_Job(work, puts_off, future, loop))
        loop.call_soon(self._hand_over)
        return await future

    def _hand_over(self) -> None:
        """Give the thread what came up in one turn of the event loop, at once.

        Given one by one it would begin with the first alone, which costs as much as with all.
        """
        while self._handed:
            self._jobs.put(self._handed.popleft())

    def _serve(self) -> None:
        settled = not self._put_off
        while True:
            try:
                first = self._jobs.get(timeout=None if settled else self._idle_seconds)
            except queue.Empty:
                settled = self._settle()
                continue
            group: list[_Job] = []
            ended = self._gather(first, group)
            if group:
                self._carry_out(group)
                settled = False
                self._erase_in_time()
            if ended:
                if self._put_off:
                    self._settle()
                self._settle()
                return

    def _gather(self, job: _Job | None, group: list[_Job]) -> bool:
        """Fill a group with this job and those behind it; True when the end is among them.

        Durability costs the same for few as for many. So when more were under way a moment ago
        than wait now, the rest is waited for, no longer than a part of what it costs.
        """
        ended = self._take(job, group)
        if not ended and len(group) < self._under_way:
            time.sleep(self._patience)
            with suppress(queue.Empty):
                ended = self._take(self._jobs.get_nowait(), group)
        return ended

    def _take(self, job: _Job | None, group: list[_Job]) -> bool:
        try:
            while job is not None:
                group.append(job)
                if len(group) >= _GROUP:
                    return False
                job = self._jobs.get_nowait()
        except queue.Empty:
            return False
        return True

    def _carry_out(self, group: list[_Job]) -> None:
        began = turn = time.monotonic()
        self._under_way = len(group)
        while group := [job for job in group if not job.future.cancelled()]:
            outcomes = self._write(group)
            done, group = group[: len(outcomes)], group[len(outcomes) :]
            _deliver(done, outcomes)
            now = time.monotonic()
            if now - turn > _LONG_TURN_SECONDS:
                time.sleep(2 * _TURN_SECONDS[1])
            turn = time.monotonic()
        self._patience = min((turn - began) * _PATIENCE, _MOST_PATIENCE)
        self._under_way += self._jobs.qsize()

    def _settle(self) -> bool:
        """Do what can wait until nobody does: index, then empty the log. True when all is done.

        Where something is in the way, a reader or a full disk, it is tried again, less and less.
        """
        indexing = bool(self._put_off)
        if indexing:
            self._write([])
        else:
            self._empty_log()
        failed = bool(self._put_off) if indexing else self._erased
        longer = min(2 * self._idle_seconds, _LONGEST_IDLE_SECONDS)
        self._idle_seconds = longer if failed else _IDLE_SECONDS
        return not indexing and not failed

    def _erase_in_time(self) -> None:
        """Where the writer is never idle, what was erased leaves the log all the same."""
        now = time.monotonic()
        if not self._erased:
            self._erase_at = now + _LONGEST_IDLE_SECONDS
        elif now > self._erase_at:
            self._empty_log()
            self._erase_at = now + _IDLE_SECONDS

    def _empty_log(self) -> None:
        mode = "TRUNCATE" if self._erased else "PASSIVE"
        with suppress(sqlite3.Error):
            pragma = self._connection.execute(f"PRAGMA wal_checkpoint({mode})")
            ((busy, *_),) = pragma.fetchall()
            self._erased = self._erased and bool(busy)

    def _write(self, group: Sequence[_Job]) -> list[_Outcome]:
        """What came of the first jobs, all of them unless they take long; they are durable."""
        try:
            self._begin()
        except sqlite3.Error as error:
            return [_Outcome(error=_cannot_begin(error))] * len(group)
        try:
            puts_off = self._may_put_off(group)
            transaction = Transaction(self._timed, self._types, self._splitting, puts_off=puts_off)
            outcomes = self._attempts(group, transaction)
            put_off = transaction.finish()
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001  whatever it is, it belongs to one of the jobs
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            if len(group) > 1:
                return [self._write([job])[0] for job in group]
            return [_Outcome(error=_unexpected(error))] * len(group)
        self._put_off = self._put_off + put_off if puts_off else 0
        self._erased = self._erased or transaction.erased
        return outcomes

    def _attempts(self, group: Sequence[_Job], transaction: Transaction) -> list[_Outcome]:
        until = time.monotonic() + _GROUP_SECONDS
        outcomes = []
        for job in group:
            now = time.monotonic()
            if now > until:
                break
            transaction.deadline = Deadline(now + self._seconds, job.future.cancelled)
            outcomes.append(_attempt(job, transaction))
        return outcomes

    def _may_put_off(self, group: Sequence[_Job]) -> bool:
        if not group or not all(job.puts_off for job in group):
            return False
        if self._put_off:
            waiting = self._connection.execute("SELECT 1 FROM unindexed LIMIT 1").fetchone()
            if waiting is None:
                self.asked()  # of another process, which had it indexed
        quiet = time.monotonic() - self._last_asked > QUIET_SECONDS
        return quiet and self._put_off < _MOST_PUT_OFF

    def _begin(self) -> None:
        """Wait for other processes in short turns: SQLite's own are long, and so unfair."""
        until = time.monotonic() + schema.BUSY_SECONDS
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if not schema.is_busy(error) or time.monotonic() > until:
                    raise
                time.sleep(random.uniform(*_TURN_SECONDS))  # noqa: S311  no secret, only apart
            else:
                return


def _attempt(job: _Job, transaction: Transaction) -> _Outcome:
    if job.future.cancelled():
        return _Outcome()  # to nobody
    try:
        return _Outcome(job.work(transaction))
    except REFUSALS as refusal:
        return _Outcome(error=refusal)


def _cannot_begin(error: sqlite3.Error) -> StoreError:
    if schema.is_busy(error):
        return StoreError(f"another process kept the store locked for {schema.BUSY_SECONDS:.0f} s")
    return StoreError(f"the store cannot be written: {error}")


def _unexpected(error: Exception) -> Exception:
    if isinstance(error, sqlite3.Error):
        return StoreError(f"the store cannot be written: {error}")
    return error


def _deliver(group: Sequence[_Job], outcomes: Sequence[_Outcome]) -> None:
    """Wake each event loop once for all its jobs."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Job, _Outcome]]] = {}
    for job, outcome in zip(group, outcomes, strict=True):
        by_loop.setdefault(job.loop, []).append((job, outcome))
    for loop, done in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed, and nobody waits any more
            loop.call_soon_threadsafe(_resolve, done)


def _resolve(done: Sequence[tuple[_Job, _Outcome]]) -> None:
    for job, outcome in done:
        if job.future.done():
            continue
        if outcome.error is None:
            job.future.set_result(outcome.result)
        else:
            job.future.set_exception(outcome.error)
