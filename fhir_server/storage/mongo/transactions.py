"""Commits of several resources on a server that has transactions.

Everything is read and written in one snapshot; a write conflict ends the attempt and a new one
begins from a fresh snapshot. A snapshot alone would let two commits with guards pass each other,
each not seeing what the other writes. So such a commit registers first (claims.py), looks for
rivals inside its snapshot, and takes its entry away with its own writes: whoever does not see a
rival's entry sees what that rival wrote, and whoever had its entry taken away cannot commit.

Correctness rests on filters by number and on unique keys, never on the server's own replay.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby

from pymongo import ReplaceOne
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from fhir_server.kit.ids import IdSource
from fhir_server.storage.base import Conflict
from fhir_server.storage.mongo.claims import PENDING, Contended, Job, Overtaken, Waiting, rival
from fhir_server.storage.mongo.contents import Contents
from fhir_server.storage.mongo.documents import PROJECTION, Write, history_of
from fhir_server.storage.mongo.entries import Entries
from fhir_server.storage.mongo.holding import expected, hurdle, raise_first
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.ordinals import Ordinals
from fhir_server.storage.mongo.single import Clear
from fhir_server.storage.mongo.topology import DUPLICATE_KEY, Client, Document, Session, begin

_NO_SUCH_TRANSACTION = 251
_PASSING_CODES = {DUPLICATE_KEY, _NO_SUCH_TRANSACTION, 24, 112, 246}
"""Among them lock timeout, write conflict and snapshot unavailable."""


class _Again(Exception):
    """The attempt failed for a passing reason."""


class Transactions:
    def __init__(
        self,
        client: Client,
        collections: Collections,
        entries: Entries,
        ordinals: Ordinals,
        contents: Contents,
        ids: IdSource,
        clear: Clear,
    ) -> None:
        self._client = client
        self._collections = collections
        self._entries = entries
        self._ordinals = ordinals
        self._contents = contents
        self._ids = ids
        self._clear = clear

    async def commit(self, job: Job) -> None:
        """Store all or nothing; Conflict, GuardFailed, or DeadlineExceeded with nothing stored."""
        while True:
            commit = self._ids.new_id()
            if job.claims.reads:
                await self._entries.register(commit, job.age, job.claims)
            try:
                return await self._attempts(commit, job)
            except Overtaken as overtaken:
                await self._withdraw(commit, job)
                await self._clear(overtaken, job.waiting)
            except BaseException:
                await self._withdraw(commit, job)
                raise

    async def _withdraw(self, commit: str, job: Job) -> None:
        if job.claims.reads and await self._entries.abort(commit):
            await self._entries.forget(commit)

    async def _attempts(self, commit: str, job: Job) -> None:
        """Try until it is done; whoever waits here keeps its entry, so that it is next."""
        while True:
            try:
                async with self._client.start_session() as session:  # its end aborts what is open
                    await begin(session)
                    await self._turn(commit, job, session)
                    await job.check(session)
                    await self._write(job.writes, session)
                    return await self._finish(session, job.writes, job.waiting)
            except Overtaken:
                raise
            except Contended as contended:
                await self._clear(contended, job.waiting)
            except (_Again, PyMongoError) as error:
                if not _passing(error):
                    raise
                await job.waiting.pause()

    async def _turn(self, commit: str, job: Job, session: Session) -> None:
        if not job.claims.reads:
            return
        commits = self._collections.commits
        other = await rival(commits, commit, job, session)
        if other is not None:
            raise Contended(other)
        own = {"_id": commit, "s": PENDING}
        if not (await commits.delete_one(own, session=session)).deleted_count:
            raise Overtaken(None)

    async def _write(self, writes: Sequence[Write], session: Session) -> None:
        ordered = sorted(writes, key=lambda write: write.type)
        groups = [(type_, list(some)) for type_, some in groupby(ordered, lambda w: w.type)]
        hurdles: list[Conflict | Contended] = []
        found: dict[str, Mapping[str, Document]] = {}
        for type_, some in groups:
            found[type_] = await self._current(type_, some, session)
            judged = (hurdle(write, found[type_].get(write.id)) for write in some)
            hurdles += (one for one in judged if isinstance(one, Conflict) or (one and one.commit))
        raise_first(hurdles)
        taken = await self._ordinals.reserve_within(writes, session)
        raise_first([Conflict(writes[place].index) for place in taken])
        for type_, some in groups:
            await self._supersede(type_, some, found[type_], session)
            await self._put(type_, some, session)

    async def _current(
        self, type_: str, writes: Sequence[Write], session: Session
    ) -> Mapping[str, Document]:
        wanted = {"_id": {"$in": [write.id for write in writes]}}
        found = self._collections.current(type_).find(wanted, PROJECTION, session=session)
        return {document["_id"]: document async for document in found}

    async def _supersede(
        self,
        type_: str,
        writes: Sequence[Write],
        found: Mapping[str, Document],
        session: Session,
    ) -> None:
        """Copy to history what is not there yet, as a duplicate would end the transaction."""
        kept = [history_of(found[w.id]) for w in writes if w.predecessor and w.document]
        if not kept:
            return
        history = self._collections.history(type_)
        wanted = {"_id": {"$in": [document["_id"] for document in kept]}}
        there = {
            (one["i"], one["v"])
            async for one in history.find(wanted, {"i": 1, "v": 1}, session=session)
        }
        new = [document for document in kept if (document["i"], document["v"]) not in there]
        if new:
            await history.insert_many(new, session=session)

    async def _put(self, type_: str, writes: Sequence[Write], session: Session) -> None:
        current = self._collections.current(type_)
        created = [w.document for w in writes if w.creates and w.document is not None]
        if created:
            await current.insert_many(created, session=session)
        replaced = [
            ReplaceOne(expected(write), write.document)
            for write in writes
            if not write.creates and write.document is not None
        ]
        if replaced:
            result = await current.bulk_write(replaced, session=session)
            if result.matched_count != len(replaced):
                raise _Again
        for write in writes:
            if write.document is None:
                await self._erase(write, session)

    async def _erase(self, write: Write, session: Session) -> None:
        current = self._collections.current(write.type)
        if not (await current.delete_one(expected(write), session=session)).deleted_count:
            raise _Again
        await self._collections.history(write.type).delete_many({"i": write.id}, session=session)
        await self._contents.erase(write.type, write.id, write.ordinal, session)
        await self._ordinals.erase(write.ordinal, write.type, write.id, session)

    async def _finish(self, session: Session, writes: Sequence[Write], waiting: Waiting) -> None:
        """Commit, and ask again while nobody can say whether it happened."""
        while True:
            try:
                return await session.commit_transaction()
            except PyMongoError as error:
                if error.has_error_label("UnknownTransactionCommitResult"):
                    await waiting.pause()
                elif _lost(error) and await self._is_stored(writes):
                    return None
                else:
                    raise

    async def _is_stored(self, writes: Sequence[Write]) -> bool:
        """Whether the first write, and so all of them, is there after all."""
        write = next(iter(writes), None)
        if write is None:
            return True
        current = self._collections.current(write.type)
        if write.document is None:
            return await current.find_one({"_id": write.id, "n": write.ordinal}) is None
        same = {name: write.document[name] for name in ("v", "n", "u", "m")}
        found = await current.find_one({"_id": write.id, **same}, PROJECTION)
        if found is None:
            found = await self._collections.history(write.type).find_one({"i": write.id, **same})
        content = ("b", "l", "x")
        return found is not None and all(found.get(c) == write.document.get(c) for c in content)


def _lost(error: PyMongoError) -> bool:
    """Whether the server knows nothing of the transaction, be it that it has forgotten."""
    return isinstance(error, OperationFailure) and error.code == _NO_SUCH_TRANSACTION


def _passing(error: _Again | PyMongoError) -> bool:
    """Whether a new attempt may do better; servers differ in whether they say so."""
    if isinstance(error, _Again) or error.has_error_label("TransientTransactionError"):
        return True
    if isinstance(error, BulkWriteError):
        failed = error.details.get("writeErrors", [])
        return any(one["code"] in _PASSING_CODES for one in failed)
    return isinstance(error, OperationFailure) and error.code in _PASSING_CODES
