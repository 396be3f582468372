"""Content on its way: written in chunks before a document names it, or erased after none does.

    store.uploads  {_id upload, at ms, r type, i id, x: 1 once it is cleared away}

With `r` and `i` it is content of that resource (`contents.py`), without of a blob (`blobs.py`).

An upload begins before its first chunk is written and ends when it is named or nothing of it is
left. In between a process may die, or a caller give up while a command of his is still under way
and nobody can say what will become of it. So what has not ended within a day is looked at again:
what is named stays, the rest is removed.
"""

from collections.abc import AsyncIterator, Sequence

from bson.int64 import Int64

from fhir_server.kit.clock import Clock
from fhir_server.kit.ids import IdSource
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.ordinals import insert_new
from fhir_server.storage.mongo.topology import Document

_ABANDONED = 86_400_000


class Uploads:
    def __init__(self, collections: Collections, ids: IdSource, clock: Clock) -> None:
        self._uploads = collections.uploads
        self._ids = ids
        self._clock = clock

    async def begin(self, type_: str = "", id_: str = "") -> str:
        """A new upload, of content of a resource if one is given."""
        upload = self._ids.new_id()
        await self._note({"_id": upload, **({"r": type_, "i": id_} if type_ else {})})
        return upload

    async def erase(self, upload: str) -> None:
        """Begin to erase what was named once: it ends when nothing of it is left."""
        await self._note({"_id": upload})

    async def renew(self, upload: str) -> bool:
        """Leave another day for naming it; False when it is cleared away already."""
        wanted = {"_id": upload, "x": {"$exists": False}}
        result = await self._uploads.update_one(wanted, {"$set": {"at": self._now}})
        return result.matched_count == 1

    async def end(self, uploads: Sequence[str]) -> None:
        if uploads:
            await self._uploads.delete_many({"_id": {"$in": list(uploads)}})

    async def abandoned(self, *, of_resources: bool) -> AsyncIterator[Document]:
        """Those that have not ended in a day, each from when on it cannot be renewed any more."""
        old = {"at": {"$lt": self._now - _ABANDONED}, "r": {"$exists": of_resources}}
        for upload in await self._uploads.find(old).to_list():
            same = {"_id": upload["_id"], "at": upload["at"]}
            if (await self._uploads.update_one(same, {"$set": {"x": 1}})).matched_count:
                yield upload

    @property
    def _now(self) -> Int64:
        return Int64(self._clock.now())

    async def _note(self, upload: Document) -> None:
        await insert_new(self._uploads, [{**upload, "at": self._now}])
