"""Holding resources for a commit, letting them go, and replacing them: `redo.py` says when.

Each operation here is atomic for its document and may be done twice, at once or late.
"""

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from bson.int64 import Int64
from pymongo import ReplaceOne, UpdateOne

from fhir_server.storage.base import Conflict
from fhir_server.storage.mongo.claims import Contended
from fhir_server.storage.mongo.contents import Contents
from fhir_server.storage.mongo.documents import PROJECTION, Write, history_of
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.ordinals import Ordinals, insert_new
from fhir_server.storage.mongo.topology import Document

T = TypeVar("T")

FREE: Document = {"$exists": False}
_AT_ONCE = 500


class Holding:
    def __init__(self, collections: Collections, ordinals: Ordinals, contents: Contents) -> None:
        self._collections = collections
        self._ordinals = ordinals
        self._contents = contents

    async def hold(self, commit: str, writes: Sequence[Write]) -> None:
        """Hold every resource in the state its write follows; Conflict, or Contended."""
        taken = await self._ordinals.reserve(writes, commit)
        groups = _by_type(writes).items()
        held = await _all(self._hold(commit, *group) for group in groups)
        conflicts = [Conflict(writes[place].index) for place in taken]
        raise_first([*conflicts, *(hurdle for found in held for hurdle in found)])

    async def release(
        self, commit: str, held: Mapping[str, Sequence[str]], ordinals: Sequence[int] = ()
    ) -> None:
        """Take the commit's marks and placeholders away."""
        for type_, ids in held.items():
            current = self._collections.current(type_)
            own = {"_id": {"$in": list(ids)}, "t": commit}
            await current.delete_many({**own, "v": 0})
            await current.update_many({**own, "v": {"$gt": 0}}, {"$unset": {"t": ""}})
        await self._ordinals.free(ordinals, commit)

    async def apply(self, commit: str, writes: Sequence[Write]) -> None:
        """Put the final documents where the commit still holds."""
        groups = _by_type(writes).items()
        await _all(self._apply(commit, *group) for group in groups)

    async def _hold(
        self, commit: str, type_: str, writes: Sequence[Write]
    ) -> Sequence[Conflict | Contended]:
        current = self._collections.current(type_)
        creating = [write for write in writes if write.creates]
        places = [{"_id": write.id, "v": 0, "t": commit} for write in creating]
        unsure = [creating[place] for place in await insert_new(current, places)]
        following = [write for write in writes if not write.creates]
        if following:
            marks = [UpdateOne(expected(write), {"$set": {"t": commit}}) for write in following]
            result = await current.bulk_write(marks, ordered=False)
            if result.matched_count != len(following):
                unsure += following
        return await self._hurdles(commit, type_, unsure)

    async def _hurdles(
        self, commit: str, type_: str, writes: Sequence[Write]
    ) -> Sequence[Conflict | Contended]:
        if not writes:
            return ()
        wanted = {"_id": {"$in": [write.id for write in writes]}}
        found = self._collections.current(type_).find(wanted, {"v": 1, "n": 1, "t": 1})
        documents = {document["_id"]: document async for document in found}
        judged = (hurdle(write, documents.get(write.id), commit) for write in writes)
        return [one for one in judged if one is not None]

    async def _apply(self, commit: str, type_: str, writes: Sequence[Write]) -> None:
        current = self._collections.current(type_)
        following = [write.id for write in writes if not write.creates and write.document]
        for start in range(0, len(following), _AT_ONCE):
            held = {"_id": {"$in": following[start : start + _AT_ONCE]}, "t": commit}
            documents = await current.find(held, PROJECTION).to_list()
            kept = [history_of(document) for document in documents if document["v"]]
            await insert_new(self._collections.history(type_), kept)
        final = [
            ReplaceOne({"_id": write.id, "t": commit}, write.document)
            for write in writes
            if write.document
        ]
        if final:
            result = await current.bulk_write(final, ordered=False)
            if result.matched_count != len(final):
                await drop_orphans(self._collections, type_, writes)
        for write in writes:
            if write.document is None:
                await self._erase(commit, write)

    async def _erase(self, commit: str, write: Write) -> None:
        """Erase a resource; its current document is the last to go that others can see.

        All by its ordinal: who comes late must leave alone what was created anew under its id.
        """
        history = self._collections.history(write.type)
        own = {"i": write.id, "n": Int64(write.ordinal)}
        await history.delete_many(own)
        await self._contents.erase(write.type, write.id, write.ordinal)
        await self._ordinals.erase(write.ordinal, write.type, write.id)
        await self._collections.current(write.type).delete_one({"_id": write.id, "t": commit})
        await history.delete_many(own)


async def drop_orphans(collections: Collections, type_: str, writes: Sequence[Write]) -> None:
    """Take away history that came too late, of resources that were erased meanwhile."""
    wanted = {"_id": {"$in": [write.id for write in writes]}}
    found = collections.current(type_).find(wanted, {"n": 1})
    present = {(one["_id"], one.get("n")) async for one in found}
    for write in writes:
        if (write.id, write.ordinal) not in present:
            orphans = {"i": write.id, "n": write.ordinal}
            await collections.history(type_).delete_many(orphans)


def expected(write: Write) -> Document:
    """What the predecessor of a write looks like, held by nobody."""
    return {"_id": write.id, "v": write.predecessor, "n": write.ordinal, "t": FREE}


def hurdle(
    write: Write, found: Mapping[str, Any] | None, commit: str | None = None
) -> Conflict | Contended | None:
    """Why a write cannot go on from what was found; None if its own commit holds the resource."""
    number = 0 if found is None else found["v"]
    holder = None if found is None else found.get("t")
    if number != write.predecessor or (number and found and found["n"] != write.ordinal):
        return Conflict(write.index)
    if holder is not None and holder == commit:
        return None
    return Contended(holder, write.type, write.id)


def raise_first(hurdles: Sequence[Conflict | Contended]) -> None:
    """Raise the first conflict, as no waiting will mend it; else what stands in the way."""
    conflicts = [one for one in hurdles if isinstance(one, Conflict)]
    if conflicts:
        raise min(conflicts, key=lambda conflict: conflict.index)
    if hurdles:
        raise hurdles[0]


async def _all(calls: Iterable[Coroutine[Any, Any, T]]) -> Sequence[T]:
    """All results, once none is under way any more; or else the first error."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def _by_type(writes: Sequence[Write]) -> Mapping[str, Sequence[Write]]:
    groups: dict[str, list[Write]] = defaultdict(list)
    for write in writes:
        groups[write.type].append(write)
    return groups
