"""Plans carried out: pages, ids, counts, estimates, and whether guards hold."""

import asyncio
from collections.abc import Sequence

from pymongo.errors import OperationFailure

from fhir_server.kit.clock import Clock
from fhir_server.storage.base import GuardFailed
from fhir_server.storage.mongo.contents import Contents
from fhir_server.storage.mongo.documents import PROJECTION, version_of
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.render import filter_of, hint_of, position_of, sort_of
from fhir_server.storage.mongo.topology import Cursor, Document, Session
from fhir_server.storage.query import Driver, Guard, Order, Plan, is_short
from fhir_server.storage.versions import Page

ESTIMATE_CAP = 1000
_ESTIMATE_AGE = 5_000
_ESTIMATES_KEPT = 10_000
_BAD_VALUE = 2
_GUARDS_AT_ONCE = 20
_KEYS_AT_ONCE = 1000
"""Documents whose keys are looked at before others get their turn."""


class Queries:
    def __init__(self, collections: Collections, contents: Contents, clock: Clock) -> None:
        self._collections = collections
        self._contents = contents
        self._clock = clock
        self._estimates: dict[tuple[str, Driver | None], tuple[int, int]] = {}

    async def find(self, plan: Plan) -> Page:
        if plan.limit < 1:
            return Page([], None)
        documents = await self._find(plan, PROJECTION, plan.limit + 1)
        more = len(documents) > plan.limit
        kept = documents[: plan.limit]
        whole = await self._contents.fill(plan.type, kept)
        versions = [version_of(plan.type, document) for document in whole]
        if not kept:
            return Page([], None)
        following = position_of(plan.order, kept[-1]) if more else None
        return Page(versions, following, position_of(plan.order, kept[0]))

    async def find_ids(self, plan: Plan, session: Session | None = None) -> Sequence[str]:
        documents = await self._find(plan, {"_id": 1}, plan.limit, session)
        return [document["_id"] for document in documents]

    async def find_keys(self, plan: Plan, low: bytes, high: bytes) -> Sequence[bytes]:
        if plan.limit < 1:
            return []
        collection = self._collections.current(plan.type)
        cursor = collection.find(filter_of(plan, paged=False), {"_id": 0, "k": 1})
        cursor = cursor.batch_size(_KEYS_AT_ONCE)
        try:
            return await _keys(cursor.clone().hint(hint_of(plan.drive)), low, high, plan.limit)
        except OperationFailure as error:
            if error.code != _BAD_VALUE:
                raise
        return await _keys(cursor, low, high, plan.limit)  # as in `_find`

    async def count(self, plan: Plan, cap: int | None = None) -> tuple[int, bool]:
        wanted = filter_of(plan, paged=False)
        collection = self._collections.current(plan.type)
        limit: Document = {} if cap is None else {"limit": cap + 1}
        number = await collection.count_documents(wanted, **limit)
        return (number, True) if cap is None or number <= cap else (cap, False)

    async def estimate(self, type_: str, driver: Driver | None) -> int:
        """A capped count, remembered for a few seconds once it is worth it."""
        now = self._clock.now()
        number, until = self._estimates.get((type_, driver), (0, now))
        if until > now:
            return number
        number, _ = await self.count(Plan(type_, driver), ESTIMATE_CAP)
        if number == ESTIMATE_CAP and is_short(driver):
            if len(self._estimates) >= _ESTIMATES_KEPT:
                self._estimates.clear()
            self._estimates[type_, driver] = (number, now + _ESTIMATE_AGE)
        return number

    async def check(self, guards: Sequence[Guard], session: Session | None = None) -> None:
        """Raise GuardFailed for the first guard that does not hold."""
        at_once = _GUARDS_AT_ONCE if session is None else 1  # a session asks one thing at a time
        for start in range(0, len(guards), at_once):
            some = guards[start : start + at_once]
            held = await asyncio.gather(*(self._holds(guard, session) for guard in some))
            if not all(held):
                raise GuardFailed(start + held.index(False))

    async def _holds(self, guard: Guard, session: Session | None) -> bool:
        limit = max(2, len(guard.expected) + 1)
        plan = Plan(guard.plan.type, guard.plan.drive, guard.plan.tests, Order(), None, limit)
        return set(await self.find_ids(plan, session)) == guard.expected

    async def _find(
        self, plan: Plan, fields: Document, limit: int, session: Session | None = None
    ) -> list[Document]:
        if limit < 1:
            return []  # to the server, 0 is no limit
        collection = self._collections.current(plan.type)
        wanted = filter_of(plan)

        def cursor() -> Cursor:
            found = collection.find(wanted, fields, session=session)
            return found.sort(sort_of(plan.order)).limit(limit).batch_size(limit)

        try:
            return await cursor().hint(hint_of(plan.drive, plan.order.by)).to_list()
        except OperationFailure as error:
            if error.code != _BAD_VALUE or session is not None:
                raise
        return await cursor().to_list()  # another process is just making the indexes


async def _keys(cursor: Cursor, low: bytes, high: bytes, most: int) -> list[bytes]:
    found: set[bytes] = set()
    async with cursor:
        async for document in cursor:
            found.update(key for key in document["k"] if type(key) is bytes and low <= key < high)
            if len(found) >= most:
                break
    return sorted(found)[:most]
