"""Ordinals belong to one resource each, over all types: `{_id: ordinal, r: "Type/id"}`.

Reserved before the resource is created, so a crash between the two leaves a row that only keeps
an ordinal from ever being used again. `x` names the commit that made the row, so that only it (or
whoever aborts it) takes the row away again, and only while nobody else counts on it.
"""

from collections.abc import Collection as Several
from collections.abc import Sequence

from bson.int64 import Int64
from pymongo.errors import BulkWriteError

from fhir_server.storage.mongo.documents import Write
from fhir_server.storage.mongo.topology import DUPLICATE_KEY, Collection, Document, Session


class Ordinals:
    def __init__(self, rows: Collection) -> None:
        self._rows = rows

    async def reserve(self, writes: Sequence[Write], commit: str) -> Sequence[int]:
        """Reserve for those that create; the places of those whose ordinal is another's."""
        places = [place for place, write in enumerate(writes) if write.creates]
        refused = await insert_new(self._rows, [_row(writes[place], commit) for place in places])
        return [places[one] for one in refused if not await self._shares(writes[places[one]])]

    async def reserve_within(self, writes: Sequence[Write], session: Session) -> Sequence[int]:
        """The same inside a transaction, where nothing may be inserted that is there already."""
        creating = [write for write in writes if write.creates]
        wanted = {"_id": {"$in": [Int64(write.ordinal) for write in creating]}}
        found = self._rows.find(wanted, session=session)
        owners: dict[int, str] = {row["_id"]: row["r"] async for row in found}
        known = set(owners)
        for write in creating:
            owners.setdefault(write.ordinal, _owner(write))
        missing = {write.ordinal: _row(write) for write in creating if write.ordinal not in known}
        if missing:
            await self._rows.insert_many(list(missing.values()), session=session)
        return [
            place
            for place, write in enumerate(writes)
            if write.creates and owners[write.ordinal] != _owner(write)
        ]

    async def free(self, ordinals: Several[int], commit: str) -> None:
        """Take away the rows this commit made."""
        if ordinals:
            wanted = {"$in": [Int64(ordinal) for ordinal in ordinals]}
            await self._rows.delete_many({"_id": wanted, "x": commit})

    async def erase(
        self, ordinal: int, type_: str, id_: str, session: Session | None = None
    ) -> None:
        """Take away the row of a resource that is erased."""
        row = {"_id": Int64(ordinal), "r": f"{type_}/{id_}"}
        await self._rows.delete_one(row, session=session)

    async def _shares(self, write: Write) -> bool:
        """Whether the row is the resource's own; one that two have reserved stays for good."""
        own = {"_id": Int64(write.ordinal), "r": _owner(write)}
        result = await self._rows.update_one(own, {"$unset": {"x": ""}})
        return result.matched_count == 1


async def insert_new(collection: Collection, documents: Sequence[Document]) -> Sequence[int]:
    """Insert what is not there yet; the places of those that were. Any other error is raised."""
    if not documents:
        return ()
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        failed = error.details.get("writeErrors", [])
        if error.details.get("writeConcernErrors") or any(
            one["code"] != DUPLICATE_KEY for one in failed
        ):
            raise
        return [one["index"] for one in failed]
    return ()


def _owner(write: Write) -> str:
    return f"{write.type}/{write.id}"


def _row(write: Write, commit: str | None = None) -> Document:
    made = {} if commit is None else {"x": commit}
    return {"_id": Int64(write.ordinal), "r": _owner(write), **made}
