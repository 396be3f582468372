"""The collections and their indexes, made when a type is first written to.

A type has five indexes, however many search parameters there are:

    _id            read
    k, n           keys, in order of creation
    c, d, n        drivers, in order of the main date
    r.p, r.a, r.z  intervals
    u, n           last change

Each index is looked for first and created in a call of its own; two processes may do so at once.
"""

import asyncio
from collections.abc import Sequence

from fhir_server.storage.mongo.calls import Calls
from fhir_server.storage.mongo.topology import META, Collection, Database, make

Keys = tuple[tuple[str, int], ...]

CURRENT: dict[str, Keys] = {
    "k": (("k", 1), ("n", 1)),
    "c": (("c", 1), ("d", -1), ("n", -1)),
    "r": (("r.p", 1), ("r.a", 1), ("r.z", 1)),
    "u": (("u", -1), ("n", -1)),
}
HISTORY: dict[str, Keys] = {
    "i": (("i", 1), ("v", -1)),
    "u": (("u", -1), ("n", -1), ("v", -1)),
}
CONTENTS: dict[str, Keys] = {
    "p": (("p", 1), ("c", 1)),
    "o": (("o", 1),),
}
RECORDS: dict[str, Keys] = {"s": (("s", 1), ("k", 1)), "x": (("x", 1),)}
BLOBS: dict[str, Keys] = {"u": (("u", 1),)}
CHUNKS: dict[str, Keys] = {"u": (("u", 1), ("c", 1))}
UPLOADS: dict[str, Keys] = {"at": (("at", 1),)}
PARTS: dict[str, Keys] = {"x": (("x", 1), ("i", 1))}

_OWN = "store."
_HISTORY = "_h"


class Collections:
    """Every collection of a database, by what it is for."""

    def __init__(self, database: Database, calls: Calls) -> None:
        self._database = database
        self._calls = calls
        self._ready: dict[str, asyncio.Task[None]] = {}
        self._handles: dict[str, Collection] = {}
        self.meta = database[META]
        self.ordinals = database["store.ordinals"]
        """Which resource an ordinal belongs to: `{_id: ordinal, r: "Type/id"}`."""
        self.commits = database["store.commits"]
        self.parts = database["store.parts"]
        self.contents = database["store.contents"]
        self.records = database["store.records"]
        self.blobs = database["store.blobs"]
        self.chunks = database["store.chunks"]
        self.uploads = database["store.uploads"]

    def current(self, type_: str) -> Collection:
        return self._handle(type_)

    def history(self, type_: str) -> Collection:
        return self._handle(type_ + _HISTORY)

    async def types(self) -> Sequence[str]:
        """Every type that was ever written, in order."""
        names = await self._database.list_collection_names()
        return sorted(
            name
            for name in names
            if not name.startswith((_OWN, "system.")) and not name.endswith(_HISTORY)
        )

    async def prepare(self) -> None:
        """Make the store's own collections and indexes."""
        own: dict[Collection, dict[str, Keys]] = {
            self.ordinals: {},
            self.commits: {},
            self.parts: PARTS,
            self.contents: CONTENTS,
            self.records: RECORDS,
            self.blobs: BLOBS,
            self.chunks: CHUNKS,
            self.uploads: UPLOADS,
        }
        for collection, indexes in own.items():
            await self._index(collection, indexes)

    async def ready(self, type_: str) -> None:
        """Make a type's collections and indexes, once in the life of this process."""
        task = self._ready.get(type_)
        if task is None:
            task = self._ready[type_] = self._calls.begin(self._make(type_))  # for all who wait
        try:
            await asyncio.shield(task)
        except Exception:  # whatever it was: told, and tried anew by the next who asks
            self._ready.pop(type_, None)
            raise

    def _handle(self, name: str) -> Collection:
        """Kept, as the driver is slow to make one."""
        handle = self._handles.get(name)
        if handle is None:
            handle = self._handles[name] = self._database[name]
        return handle

    async def _make(self, type_: str) -> None:
        for collection, indexes in (
            (self.history(type_), HISTORY),
            (self.current(type_), CURRENT),
        ):
            await self._index(collection, indexes)

    async def _index(self, collection: Collection, wanted: dict[str, Keys]) -> None:
        found = {
            index["name"]: tuple(index["key"].items())
            async for index in await collection.list_indexes()
        }
        if not found:
            await make(self._database, collection.name)
        for name, keys in wanted.items():
            if found.get(name) != keys:
                await collection.create_index(list(keys), name=name)
