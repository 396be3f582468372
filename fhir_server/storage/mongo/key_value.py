"""MongoKeyValue: small records, compared and set by one atomic operation each.

    {_id {s namespace, k key}, s, k, b value, x expires (ms)}

Whether a record is live is decided here alone, by the clock that was passed in. What expired a
day ago is removed by the store's sweep.
"""

from collections.abc import Sequence

from bson.int64 import Int64

from fhir_server.kit.clock import Clock
from fhir_server.storage.base import StoreError
from fhir_server.storage.mongo.calls import Calls
from fhir_server.storage.mongo.ordinals import insert_new
from fhir_server.storage.mongo.store import MongoStore
from fhir_server.storage.mongo.topology import Collection, Document, in_time
from fhir_server.storage.versions import LATEST

VALUE_BYTES = 1024 * 1024


class MongoKeyValue:
    """Shares the database of a store; usable while that is open."""

    def __init__(self, store: MongoStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @property
    def deadline(self) -> float:
        return self._store.deadline

    @property
    def calls(self) -> Calls:
        return self._store.calls

    @in_time
    async def get(self, namespace: str, key: str) -> bytes | None:
        found = await self._records.find_one(self._live(namespace, key))
        return None if found is None else bytes(found["b"])

    @in_time
    async def compare_and_set(
        self,
        namespace: str,
        key: str,
        expected: bytes | None,
        value: bytes | None,
        expires: int | None = None,
    ) -> bool:
        if value is not None and len(value) > VALUE_BYTES:
            raise StoreError(f"a record has {len(value)} bytes, more than {VALUE_BYTES}")
        record = None if value is None else _record(namespace, key, value, expires)
        if expected is None:
            return await self._create(namespace, key, record)
        wanted = {**self._live(namespace, key), "b": expected}
        if record is None:
            return (await self._records.delete_one(wanted)).deleted_count == 1
        return (await self._records.replace_one(wanted, record)).matched_count == 1

    @in_time
    async def items(self, namespace: str) -> Sequence[tuple[str, bytes]]:
        live = {"s": namespace, "x": {"$gt": Int64(self._clock.now())}}
        found = await self._records.find(live).sort([("s", 1), ("k", 1)]).to_list()
        return sorted((record["k"], bytes(record["b"])) for record in found)

    @property
    def _records(self) -> Collection:
        return self._store.collections.records

    async def _create(self, namespace: str, key: str, record: Document | None) -> bool:
        """Where no live record is: insert, or replace one that has expired."""
        if record is None:
            return await self._records.find_one(self._live(namespace, key)) is None
        if not await insert_new(self._records, [record]):
            return True
        expired = {"_id": record["_id"], "x": {"$lte": Int64(self._clock.now())}}
        return (await self._records.replace_one(expired, record)).matched_count == 1

    def _live(self, namespace: str, key: str) -> Document:
        return {"_id": {"s": namespace, "k": key}, "x": {"$gt": Int64(self._clock.now())}}


def _record(namespace: str, key: str, value: bytes, expires: int | None) -> Document:
    identity = {"s": namespace, "k": key}
    until = Int64(LATEST if expires is None else expires)
    return {"_id": identity, **identity, "b": value, "x": until}
