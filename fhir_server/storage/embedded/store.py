"""EmbeddedStore: versions and their terms in one SQLite file.

    schema    the tables                    writer       one thread, groups of jobs
    types     types as small numbers        transaction  what a group does to the indexes
    packing   terms as bytes                splitting    index rows of new versions
    pieces    how SQL is put together       changes      what a commit does
    render    plans as SQL                  reading      queries, on the loop and on threads
    sources   where a plan begins           timed        deadlines
    conditions  tests as SQL                history      versions by time

Point reads happen at once, writes on the writer's thread, whatever may scan under a deadline.
"""

# ruff: noqa: S608  all text here is ours and constant; what a caller gives is always a bound value

import asyncio
import sqlite3
import time
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import starmap
from typing import Any

from msgspec.structs import replace

from fhir_server.kit.clock import Clock, SystemClock
from fhir_server.storage.base import DeadlineExceeded, Facts, StoreError
from fhir_server.storage.embedded import changes as writes
from fhir_server.storage.embedded import history, schema
from fhir_server.storage.embedded.listed import among
from fhir_server.storage.embedded.packing import askable, keys_between, shared_beginning
from fhir_server.storage.embedded.pieces import Sql
from fhir_server.storage.embedded.reading import Readers
from fhir_server.storage.embedded.render import VERSION_COLUMNS, counted, keys_of, matches
from fhir_server.storage.embedded.timed import Deadline, Row
from fhir_server.storage.embedded.transaction import Transaction
from fhir_server.storage.embedded.types import TypeNumbers
from fhir_server.storage.embedded.writer import Writer
from fhir_server.storage.query import By, Driver, Guard, Plan, is_short
from fhir_server.storage.versions import Change, HistoryPosition, Page, Position, Version

_GUARD_SECONDS = 5.0
"""A guard that takes longer fails: nobody can write meanwhile, in any process."""
_ESTIMATE_MOST = 1000
_ESTIMATE_SECONDS = 60.0
_ESTIMATES = 1000


class EmbeddedStore:
    """Open it on the event loop that will use it, and after any fork."""

    def __init__(self, path: str, *, deadline: float = 15.0, clock: Clock | None = None) -> None:
        """`deadline` is in seconds; `path` names the file, whose folder must exist."""
        self.path = path
        self.clock = clock or SystemClock()
        self._deadline = deadline
        self._types = TypeNumbers()
        self._estimates: dict[tuple[str, Driver | None], tuple[float, int]] = {}

    @property
    def facts(self) -> Facts:
        return Facts(f"SQLite {sqlite3.sqlite_version}", isolated=True, at_once=True)

    @property
    def writer(self) -> Writer:
        """For what shares the file with this store."""
        return self._writer

    async def point(self, statement: str, values: tuple[Any, ...]) -> Row | None:
        """A point read, for this store and what shares its file."""
        return await self._readers.row(statement, values)

    async def query(self, statement: Sql) -> Sequence[Row]:
        """Rows of a query under the deadline, for this store and what shares its file."""
        return await self._readers.rows(statement)

    async def open(self) -> None:
        """StoreError when the file is not one of this program's, or cannot be used."""
        schema.prepare(self.path)
        self._readers = Readers(self.path, self._deadline)
        try:
            self._writer = Writer(self.path, self._types, min(self._deadline, _GUARD_SECONDS))
        except sqlite3.Error as error:
            self._readers.close()
            raise StoreError(f"the store's file cannot be read: {error}") from error
        except BaseException:
            self._readers.close()
            raise

    async def close(self) -> None:
        self._readers.close()
        self._writer.stop()

    async def get(self, type_: str, id_: str) -> Version | None:
        y = self._number(type_)
        if y is None:
            return None
        row = await self._readers.row(_GET, (y, id_))
        return None if row is None else Version(type_, *row)

    async def get_many(self, type_: str, ids: Sequence[str]) -> Mapping[str, Version]:
        y = self._number(type_)
        if y is None:
            return {}
        if len(ids) == 1:
            one = await self.get(type_, ids[0])
            return {} if one is None else {one.id: one}
        chosen, values = among("r.id", askable(ids))
        rows = await self._readers.rows(Sql(f"{_GET_MANY}{chosen}", (y, *values)))
        return {row[0]: Version(type_, *row) for row in rows}

    async def get_version(self, type_: str, id_: str, number: int) -> Version | None:
        y = self._number(type_)
        if y is None:
            return None
        row = await self._readers.row(_GET_VERSION, (number, y, id_))
        return None if row is None or row[1] is None else Version(type_, id_, number, *row)

    async def history(
        self,
        type_: str | None = None,
        id_: str | None = None,
        *,
        since: int | None = None,
        at: tuple[int, int] | None = None,
        after: HistoryPosition | None = None,
        limit: int = 50,
    ) -> Sequence[Version]:
        wanted = history.Selection(since, at, after, limit)
        names = self._types.all(self._readers.here.connection)
        numbers = [y for y, name in names.items() if type_ in (None, name)]
        if not numbers:
            return []
        if id_ is None:
            statement = history.of_types(numbers, wanted)
        else:
            statement = history.of_instance(numbers[0], id_, wanted)
        rows = await self._readers.rows(statement)
        return [Version(names[row[6]], *row[:6]) for row in rows]

    async def commit(self, changes: Sequence[Change], guards: Sequence[Guard] = ()) -> None:
        prepared = writes.prepared(changes)
        await self._writer.run(
            lambda transaction: writes.commit(transaction, prepared, guards),
            puts_off=writes.may_put_off(prepared, guards),
        )

    async def find(self, plan: Plan) -> Page:
        y = self._number(plan.type)
        if y is None or plan.limit < 1:
            return Page([], None)
        one_more = replace(plan, limit=plan.limit + 1)
        columns = _DATED_COLUMNS if plan.order.by is By.START else VERSION_COLUMNS
        rows = await self._matching(matches(one_more, y, columns))
        shown = rows[: plan.limit]
        following = _position(plan, shown[-1]) if len(rows) > plan.limit else None
        first = _position(plan, shown[0]) if shown else None
        if plan.order.by is By.START:
            shown = [row[:_VERSION_WIDTH] for row in shown]
        return Page(list(starmap(partial(Version, plan.type), shown)), following, first)

    async def find_ids(self, plan: Plan) -> Sequence[str]:
        y = self._number(plan.type)
        if y is None:
            return []
        return [row[0] for row in await self._matching(matches(plan, y, "r.id"))]

    async def find_keys(self, plan: Plan, low: bytes, high: bytes) -> Sequence[bytes]:
        y = self._number(plan.type)
        if y is None or plan.limit < 1:
            return []
        shared = shared_beginning(low, high)

        def gather(cursor: sqlite3.Cursor, _: Deadline) -> list[bytes]:
            found: set[bytes] = set()
            for (packed,) in cursor:
                found.update(keys_between(packed, low, high, shared))
                if len(found) >= plan.limit:
                    break
            return sorted(found)[: plan.limit]

        until = await self._settled()
        return await self._readers.gathered(keys_of(plan, y, shared), gather, until)

    async def count(self, plan: Plan, cap: int | None = None) -> tuple[int, bool]:
        y = self._number(plan.type)
        if y is None:
            return 0, True
        most = -1 if cap is None else cap + 1
        ((number,),) = await self._matching(counted(plan, y, most))
        return (number, True) if cap is None or number <= cap else (cap, False)

    async def estimate(self, type_: str, driver: Driver | None) -> int:
        now = time.monotonic()
        until, number = self._estimates.get((type_, driver), (0.0, 0))
        if until > now:
            return number
        y = self._number(type_)
        if y is None:
            return 0
        ((number,),) = await self._matching(counted(Plan(type_, driver), y, _ESTIMATE_MOST))
        if is_short(driver):
            if len(self._estimates) >= _ESTIMATES:
                self._estimates.clear()
            self._estimates[type_, driver] = (now + _ESTIMATE_SECONDS, number)
        return int(number)

    async def scan(self, type_: str, after: str = "", limit: int = 1000) -> Sequence[Version]:
        y = self._number(type_)
        if y is None:
            return []
        rows = await self._readers.rows(Sql(_SCAN, (y, after, limit)))
        return [Version(type_, *row) for row in rows]

    async def retag(self, changes: Sequence[Change]) -> int:
        prepared = writes.prepared(changes)
        return await self._writer.run(lambda transaction: writes.retag(transaction, prepared))

    async def counts(self) -> Mapping[str, int]:
        names = self._types.all(self._readers.here.connection)
        return {names[y]: number for y, number in await self._readers.rows(Sql(_COUNTS))}

    async def purge(self, type_: str, id_: str) -> bool:
        return await self._writer.run(lambda transaction: writes.purge(transaction, type_, id_))

    async def _matching(self, statement: Sql) -> Sequence[Row]:
        """Rows of a plan."""
        until = await self._settled()
        return await self._readers.rows(statement, until)

    async def _settled(self) -> float:
        """Wait until the indexes show all that was acknowledged before; when time will be up."""
        until = time.monotonic() + self._deadline
        self._writer.asked()
        if self._readers.here.row(_PUT_OFF, ()) is not None:
            await asyncio.sleep(0)  # who was called without a task has one from here on
            try:
                async with asyncio.timeout(self._deadline):
                    await self._writer.run(_only_index)
            except TimeoutError:
                raise DeadlineExceeded from None
        return until

    def _number(self, type_: str) -> int | None:
        return self._types.number(self._readers.here.connection, type_)


def _only_index(_: Transaction) -> None:
    """Nothing; but before it, what was put off is indexed."""


_PUT_OFF = "SELECT 1 FROM unindexed LIMIT 1"
_GET = f"SELECT {VERSION_COLUMNS} FROM resources r WHERE r.y = ? AND r.id = ?"
_GET_MANY = f"SELECT {VERSION_COLUMNS} FROM resources r WHERE r.y = ? AND "
_GET_VERSION = (
    "SELECT r.n, iif(r.number = ?1, r.updated, h.updated), iif(r.number = ?1, r.method, h.method),"
    " iif(r.number = ?1, r.content, h.content)"
    " FROM resources r LEFT JOIN history h ON h.n = r.n AND h.number = ?1"
    " WHERE r.y = ?2 AND r.id = ?3"
)
_SCAN = (
    f"SELECT {VERSION_COLUMNS} FROM resources r INDEXED BY resources_id"
    " WHERE r.y = ? AND r.id > ? AND r.live = 1 ORDER BY r.id LIMIT ?"
)
_COUNTS = "SELECT y, count(*) FROM resources INDEXED BY resources_live WHERE live = 1 GROUP BY y"


_DATED_COLUMNS = f"{VERSION_COLUMNS}, r.start"
_VERSION_WIDTH = VERSION_COLUMNS.count(",") + 1
_ORDINAL = 2
_COLUMNS_OF_ORDER = {By.ORDINAL: _ORDINAL, By.START: _VERSION_WIDTH, By.UPDATED: 3, By.ID: 0}


def _position(plan: Plan, row: Sequence[Any]) -> Position:
    return Position(row[_COLUMNS_OF_ORDER[plan.order.by]], row[_ORDINAL])
