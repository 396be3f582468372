"""The entries of commits in flight, in `store.commits`; `redo.py` says what they are for.

    {_id commit, s state, at ms, age, g reads, w writes, held {type: [id]}, ordinals, docs, parts}

Final documents are in the entry itself while there is room, the rest in `store.parts`:
`{_id {x commit, i place}, x, i, docs}`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bson.int64 import Int64

from fhir_server.kit.clock import Clock
from fhir_server.storage.base import StoreError
from fhir_server.storage.mongo.claims import ABORTED, DECIDED, PENDING, Claims
from fhir_server.storage.mongo.documents import Write, held_by
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.topology import Document

ENTRY_BYTES = 4 * 1024 * 1024
"""Of documents in the entry itself, which has its claims and ids beside them."""
PART_BYTES = 8 * 1024 * 1024
MOST_WRITES = 50_000
"""Of one commit, so that their ids fit into the entry."""
_TERM_BYTES = 28
_DOCUMENT_BYTES = 400


class Entries:
    def __init__(self, collections: Collections, clock: Clock) -> None:
        self._commits = collections.commits
        self._parts = collections.parts
        self._clock = clock

    async def register(
        self, commit: str, age: str, claims: Claims, writes: Sequence[Write] = ()
    ) -> None:
        """Write the entry, pending, and all its parts; StoreError when the writes are too many."""
        if len(writes) > MOST_WRITES:
            raise StoreError(f"a commit has {len(writes)} changes, more than {MOST_WRITES}")
        first, *rest = _split(writes)
        held, ordinals = held_by(writes)
        entry = {
            "_id": commit,
            "s": PENDING,
            "at": Int64(self._clock.now()),
            "age": age,
            "g": list(claims.reads),
            "w": list(claims.writes),
            "held": held,
            "ordinals": ordinals,
            "docs": first,
            "parts": len(rest),
        }
        await self._commits.insert_one(entry)
        for place, documents in enumerate(rest):
            identity = {"x": commit, "i": place}
            await self._parts.insert_one({"_id": identity, **identity, "docs": documents})

    async def decide(self, commit: str) -> bool:
        """Whether the commit has happened by this call."""
        return await self._turn(commit, DECIDED)

    async def abort(self, commit: str) -> bool:
        """Whether the commit has failed by this call."""
        return await self._turn(commit, ABORTED)

    async def forget(self, commit: str) -> None:
        """Remove an entry that holds nothing any more, then its parts."""
        await self._commits.delete_one({"_id": commit})
        await self._parts.delete_many({"x": commit})

    async def find(self, commit: str) -> Document | None:
        return await self._commits.find_one({"_id": commit})

    async def writes(self, entry: Mapping[str, Any]) -> Sequence[Write]:
        """All the final documents of an entry that has been decided."""
        found = list(entry["docs"])
        if entry["parts"]:
            parts = self._parts.find({"x": entry["_id"]}).sort([("i", 1)])
            async for part in parts:
                found += part["docs"]
        return [
            Write(place, one["type"], one["id"], one["n"], one["p"], one["doc"])
            for place, one in enumerate(found)
        ]

    async def unfinished(self) -> Sequence[Document]:
        """Every entry, without its documents."""
        return await self._commits.find({}, {"s": 1, "at": 1}).to_list()

    async def sweep(self) -> None:
        """Remove parts whose entry is gone."""
        for commit in await self._parts.distinct("x"):
            if await self._commits.find_one({"_id": commit}, {"_id": 1}) is None:
                await self._parts.delete_many({"x": commit})

    async def _turn(self, commit: str, state: str) -> bool:
        pending = {"_id": commit, "s": PENDING}
        result = await self._commits.update_one(pending, {"$set": {"s": state}})
        return result.matched_count == 1


def _split(writes: Sequence[Write]) -> list[list[Document]]:
    """The writes as documents, in groups of a size that fits into one document."""
    groups: list[list[Document]] = [[]]
    room = ENTRY_BYTES
    for write in writes:
        size = _size(write.document or {})
        if size > room and (groups[-1] or len(groups) == 1):
            groups.append([])
            room = PART_BYTES
        room -= size
        groups[-1].append(
            {
                "type": write.type,
                "id": write.id,
                "n": Int64(write.ordinal),
                "p": write.predecessor,
                "doc": write.document,
            }
        )
    return groups


def _size(document: Mapping[str, Any]) -> int:
    """About how many bytes it has, rather more than less."""
    terms = len(document.get("k", ())) + len(document.get("c", ())) + 2 * len(document.get("r", ()))
    texts = sum(len(key) for key in document.get("k", ()) if isinstance(key, str))
    return _DOCUMENT_BYTES + len(document.get("b", b"")) + _TERM_BYTES * terms + 4 * texts
