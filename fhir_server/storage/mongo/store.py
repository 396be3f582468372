"""MongoStore: versions and their terms in MongoDB, or in what speaks its protocol.

    documents  what is stored          indexes       where, and by what it is found
    render     plans as filters        queries       plans carried out
    history    versions by time        single        commits of one resource
    redo       commits without transactions          transactions  commits with them
    claims     guards that exclude each other        topology      which of the two it is
    calls      what is under way

See https://www.mongodb.com/docs/manual/ for the query language; what is used of it is the portable
subset that also look-alike servers get right.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import structlog
from bson.int64 import Int64
from pymongo import UpdateOne
from pymongo.errors import PyMongoError

from fhir_server.kit.clock import Clock, SystemClock
from fhir_server.kit.ids import TimeOrderedIds
from fhir_server.storage.base import (
    SCHEMA_VERSION,
    Conflict,
    Facts,
    GuardFailed,
    NewerSchema,
    StoreError,
)
from fhir_server.storage.mongo.calls import Calls
from fhir_server.storage.mongo.claims import NO_CLAIMS, Claims, Job, Waiting, claims_of
from fhir_server.storage.mongo.coalescing import Coalescer
from fhir_server.storage.mongo.contents import Contents
from fhir_server.storage.mongo.documents import (
    ALL,
    INLINE_BYTES,
    PROJECTION,
    Write,
    terms_of,
    version_of,
    write_of,
)
from fhir_server.storage.mongo.entries import Entries
from fhir_server.storage.mongo.history import History
from fhir_server.storage.mongo.holding import Holding
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.ordinals import Ordinals, insert_new
from fhir_server.storage.mongo.queries import Queries
from fhir_server.storage.mongo.redo import RedoLog
from fhir_server.storage.mongo.render import LIVE
from fhir_server.storage.mongo.single import SingleWrites
from fhir_server.storage.mongo.topology import (
    Client,
    Document,
    Session,
    connect,
    detect,
    driver_errors,
    in_time,
)
from fhir_server.storage.mongo.transactions import Transactions
from fhir_server.storage.mongo.uploads import Uploads
from fhir_server.storage.query import Driver, Guard, Plan
from fhir_server.storage.versions import Change, HistoryPosition, Page, Version

PATIENCE = 5.0
"""Seconds after which a commit that is in the way counts as dead."""

_SWEEP_SECONDS = 10.0
_DAY = 86_400_000
_AT_ONCE = 1000
_SCHEMA = "schema"
_log = structlog.get_logger()


class _Atomic(Protocol):
    """Either way to commit several resources."""

    async def commit(self, job: Job) -> None: ...


class MongoStore:
    """Open it on the event loop that will use it."""

    def __init__(
        self,
        url: str,
        database: str,
        *,
        deadline: float = 15.0,
        clock: Clock | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """`deadline` limits each call and `patience` the waiting for a dead commit, in seconds.

        A commit whose caller is not waiting any more goes on to its end.
        """
        self._url = url
        self._name = database
        self.deadline = deadline
        self._patience = patience
        self.clock = clock or SystemClock()
        self._ids = TimeOrderedIds(self.clock)
        self._client: Client | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._closing = False
        self.calls = Calls()
        self._facts = Facts("MongoDB, not open", isolated=False)

    @property
    def facts(self) -> Facts:
        return self._facts

    @property
    def collections(self) -> Collections:
        """For what shares the database with this store."""
        return self._collections

    @driver_errors
    async def open(self) -> None:
        client = connect(self._url, self.deadline)
        try:
            topology = await detect(client, self._name)
            self._facts = topology.facts
            collections = Collections(topology.database, self.calls)
            self._build(client, collections, transactions=topology.transactions)
            await self._check_schema()
            await self._collections.prepare()
            await self._recover()
        except BaseException:
            await client.close()
            raise
        self._client, self._closing = client, False
        self._sweeper = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        if self._client is None or self._sweeper is None:
            return
        self._closing = True  # the driver may let a cancellation go under
        self._sweeper.cancel()
        await asyncio.wait([self._sweeper])
        await self.calls.ended()  # also what callers who have gone away left behind
        await self._client.close()
        self._client = None

    @in_time
    async def get(self, type_: str, id_: str) -> Version | None:
        document = await self._read(type_, id_)
        if document is None or not document["v"]:
            return None
        whole = await self._contents.fill(type_, [document])
        return version_of(type_, whole[0]) if whole else None

    @in_time
    async def get_many(self, type_: str, ids: Sequence[str]) -> Mapping[str, Version]:
        found: dict[str, Version] = {}
        for start in range(0, len(ids), _AT_ONCE):
            documents = await self._current(type_, ids[start : start + _AT_ONCE])
            present = [document for document in documents if document["v"]]
            whole = await self._contents.fill(type_, present)
            found |= {document["_id"]: version_of(type_, document) for document in whole}
        return found

    @in_time
    async def get_version(self, type_: str, id_: str, number: int) -> Version | None:
        return await self._history.version(type_, id_, number)

    @in_time
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
        return await self._history.page(type_, id_, since, at, after, limit)

    @in_time
    async def commit(self, changes: Sequence[Change], guards: Sequence[Guard] = ()) -> None:
        pointers: list[str] = []
        try:
            writes = [await self._write(*one, pointers) for one in enumerate(changes)]
            await self._commit(writes, claims_of(changes, guards), guards)
        except (Conflict, GuardFailed):
            await self._contents.drop(pointers)
            raise
        with suppress(PyMongoError):  # it is stored; the sweep finds out that they are named
            await self._contents.named(pointers)

    @in_time
    async def find(self, plan: Plan) -> Page:
        return await self._queries.find(plan)

    @in_time
    async def find_ids(self, plan: Plan) -> Sequence[str]:
        return await self._queries.find_ids(plan)

    @in_time
    async def find_keys(self, plan: Plan, low: bytes, high: bytes) -> Sequence[bytes]:
        return await self._queries.find_keys(plan, low, high)

    @in_time
    async def count(self, plan: Plan, cap: int | None = None) -> tuple[int, bool]:
        return await self._queries.count(plan, cap)

    @in_time
    async def estimate(self, type_: str, driver: Driver | None) -> int:
        return await self._queries.estimate(type_, driver)

    @in_time
    async def scan(self, type_: str, after: str = "", limit: int = 1000) -> Sequence[Version]:
        if limit < 1:
            return []  # to the server, 0 is no limit
        while True:
            wanted = {"_id": {"$gt": after}, **LIVE}
            found = self._collections.current(type_).find(wanted, PROJECTION)
            found = found.sort([("_id", 1)]).limit(limit).batch_size(limit)
            documents = await found.to_list()
            whole = await self._contents.fill(type_, documents)
            if whole or not documents:
                return [version_of(type_, document) for document in whole]
            after = documents[-1]["_id"]  # all of them are being erased: that is not the end

    @in_time
    async def retag(self, changes: Sequence[Change]) -> int:
        by_type: dict[str, list[Change]] = {}
        for change in changes:
            by_type.setdefault(change.version.type, []).append(change)
        return sum([await self._retag(type_, some) for type_, some in by_type.items()])

    @in_time
    async def counts(self) -> Mapping[str, int]:
        numbers = {
            type_: await self._collections.current(type_).count_documents({"k": ALL})
            for type_ in await self._collections.types()
        }
        return {type_: number for type_, number in numbers.items() if number}

    @in_time
    async def purge(self, type_: str, id_: str) -> bool:
        waiting = self._waiting()
        while True:
            document = await self._read(type_, id_)
            if document is None or not document["v"]:
                return False
            write = Write(0, type_, id_, document["n"], document["v"], None)
            try:
                job = Job(self._ids.new_id(), [write], NO_CLAIMS, _unguarded, waiting)
                await self.calls.finish(self._atomic.commit(job))
            except Conflict:
                await waiting.pause()
            else:
                return True

    def _build(self, client: Client, collections: Collections, *, transactions: bool) -> None:
        """The parts and what each of them needs."""
        self._collections = collections
        ids = self._ids
        ordinals = Ordinals(collections.ordinals)
        entries = Entries(collections, self.clock)
        self.uploads = Uploads(collections, ids, self.clock)
        self._contents = contents = Contents(collections, self.uploads)
        self._history = History(collections, contents)
        self._queries = Queries(collections, contents, self.clock)
        self._redo = RedoLog(collections, entries, Holding(collections, ordinals, contents), ids)
        self._reads: Coalescer[str, Document | None] = Coalescer(self._read_batch, self.calls)
        self._single = SingleWrites(
            collections, ordinals, ids, self._read, self._redo.clear, self.calls
        )
        self._atomic: _Atomic = self._redo
        if transactions:
            clear = self._redo.clear
            self._atomic = Transactions(
                client, collections, entries, ordinals, contents, ids, clear
            )

    async def _check_schema(self) -> None:
        """Mark a new database; refuse one that a newer program wrote."""
        await insert_new(self._collections.meta, [{"_id": _SCHEMA, "version": SCHEMA_VERSION}])
        found = await self._collections.meta.find_one({"_id": _SCHEMA})
        if found is None or not isinstance(found.get("version"), int):
            raise StoreError(f"database {self._name} belongs to another program")
        if found["version"] > SCHEMA_VERSION:
            raise NewerSchema(
                f"database {self._name} has schema {found['version']}; "
                f"this program knows {SCHEMA_VERSION}"
            )

    async def _write(self, index: int, change: Change, pointers: list[str]) -> Write:
        version = change.version
        await self._collections.ready(version.type)
        if version.content is None or len(version.content) <= INLINE_BYTES:
            return write_of(index, change)
        pointer = await self._contents.keep(version, version.content)
        pointers.append(pointer)
        return write_of(index, change, pointer)

    async def _commit(
        self, writes: Sequence[Write], claims: Claims, guards: Sequence[Guard]
    ) -> None:
        if not guards and len(writes) == 1:
            return await self._single.commit(writes[0], self._waiting())
        if not writes:
            return await self._queries.check(guards)

        async def check(session: Session | None) -> None:
            await self._queries.check(guards, session)

        job = Job(self._ids.new_id(), writes, claims, check, self._waiting())
        return await self.calls.finish(self._atomic.commit(job))

    def _waiting(self) -> Waiting:
        return Waiting(self.deadline, self._patience)

    async def _read(self, type_: str, id_: str) -> Document | None:
        return await self._reads(type_, id_)

    async def _read_batch(self, type_: str, ids: Sequence[str]) -> Sequence[Document | None]:
        documents = await self._current(type_, ids)
        found = {document["_id"]: document for document in documents}
        return [found.get(id_) for id_ in ids]

    async def _current(self, type_: str, ids: Sequence[str]) -> Sequence[Document]:
        wanted = {"_id": ids[0] if len(ids) == 1 else {"$in": sorted(set(ids))}}
        found = self._collections.current(type_).find(wanted, PROJECTION)
        return await found.batch_size(len(ids) + 1).to_list()

    async def _retag(self, type_: str, changes: Sequence[Change]) -> int:
        current = self._collections.current(type_)
        done = 0
        for start in range(0, len(changes), _AT_ONCE):
            some = changes[start : start + _AT_ONCE]
            documents = await self._current(type_, [change.version.id for change in some])
            known = {document["_id"]: document for document in documents}
            same = [
                (change, document)
                for change in some
                if (document := known.get(change.version.id)) is not None
                and (document["v"], document.get("n")) == _identity(change)
            ]
            updates = [_retagging(change) for change, document in same if "x" not in document]
            done += len(same) - len(updates)
            if updates:
                done += (await current.bulk_write(updates, ordered=False)).matched_count
        return done

    async def _recover(self) -> None:
        """Finish what others left, and what is older than any commit may become."""
        now = self.clock.now()
        await self._redo.recover(now - int(2000 * (self.deadline + self._patience)))
        await self._contents.sweep()

    async def _sweep(self) -> None:
        while not self._closing:
            await asyncio.sleep(_SWEEP_SECONDS)
            for duty in (self._recover, self._forget_expired):
                try:
                    await self.calls.carry(duty())
                except Exception as error:  # noqa: BLE001  # whatever it is, the next may do better
                    _log.error("sweeping failed", duty=duty.__name__.strip("_"), exc_info=error)

    async def _forget_expired(self) -> None:
        """Remove the records that expired a day ago."""
        expired = {"x": {"$lt": Int64(self.clock.now() - _DAY)}}
        await self._collections.records.delete_many(expired)


def _identity(change: Change) -> tuple[int, int]:
    """What tells a version from all others of its id."""
    return change.version.number, change.version.ordinal


def _retagging(change: Change) -> UpdateOne:
    """New terms for a version that is still current and live."""
    fields = terms_of(change.terms)
    number, ordinal = _identity(change)
    wanted = {"_id": change.version.id, "v": number, "n": Int64(ordinal), "x": {"$exists": False}}
    gone = {name: "" for name in ("c", "r") if name not in fields}
    return UpdateOne(wanted, {"$set": fields, **({"$unset": gone} if gone else {})})


async def _unguarded(session: Session | None) -> None:
    """A commit without guards has nothing to look at."""
