"""Commits of one resource without guards: atomic by themselves, so no log is needed.

A create is one insert. A change keeps the predecessor in history first, then replaces it if it
still is the current one: a crash between the two leaves a copy of the current version in history,
which reads hide. Neither touches a resource that a larger commit holds.
"""

from collections.abc import Awaitable, Callable, Sequence

from fhir_server.kit.ids import IdSource
from fhir_server.storage.base import Conflict
from fhir_server.storage.mongo.calls import Calls
from fhir_server.storage.mongo.claims import Contended, Waiting
from fhir_server.storage.mongo.coalescing import Coalescer
from fhir_server.storage.mongo.documents import Write, history_of
from fhir_server.storage.mongo.holding import drop_orphans, expected, hurdle
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.ordinals import Ordinals, insert_new
from fhir_server.storage.mongo.topology import Document

Read = Callable[[str, str], Awaitable[Document | None]]
"""The current document of a resource, without terms."""
Clear = Callable[[Contended, Waiting], Awaitable[None]]
"""Lets another commit pass."""


class SingleWrites:
    def __init__(
        self,
        collections: Collections,
        ordinals: Ordinals,
        ids: IdSource,
        read: Read,
        clear: Clear,
        calls: Calls,
    ) -> None:
        self._collections = collections
        self._ordinals = ordinals
        self._ids = ids
        self._read = read
        self._clear = clear
        self._insert: Coalescer[Write, None] = Coalescer(self._insert_batch, calls)

    async def commit(self, write: Write, waiting: Waiting) -> None:
        """Store the version, or raise Conflict."""
        while True:
            try:
                if write.creates:
                    return await self._insert(write.type, write)
                return await self._replace(write)
            except Contended as contended:
                await self._clear(contended, waiting)

    async def _replace(self, write: Write) -> None:
        found = await self._read(write.type, write.id)
        stopped = hurdle(write, found)
        if found is None or not isinstance(stopped, Contended):
            raise Conflict(write.index)
        if stopped.commit is not None:
            raise stopped
        history = self._collections.history(write.type)
        await insert_new(history, [history_of(found)])
        current = self._collections.current(write.type)
        result = await current.replace_one(expected(write), write.document or {})
        if result.matched_count:
            return
        await drop_orphans(self._collections, write.type, [write])
        raise Contended(None, write.type, write.id)

    async def _insert_batch(
        self, type_: str, writes: Sequence[Write]
    ) -> Sequence[Exception | None]:
        """Insert the new ones; what each of the others met."""
        commit = self._ids.new_id()
        taken = set(await self._ordinals.reserve(writes, commit))
        going = [place for place in range(len(writes)) if place not in taken]
        current = self._collections.current(type_)
        refused = await insert_new(current, [writes[place].document or {} for place in going])
        outcomes: list[Exception | None] = [None] * len(writes)
        for place in taken:
            outcomes[place] = Conflict(writes[place].index)
        if refused:
            places = [going[one] for one in refused]
            await self._ordinals.free([writes[place].ordinal for place in places], commit)
            ids = [writes[place].id for place in places]
            wanted = current.find({"_id": {"$in": ids}}, {"v": 1, "n": 1, "t": 1})
            found = {document["_id"]: document async for document in wanted}
            for place in places:
                outcomes[place] = hurdle(writes[place], found.get(writes[place].id))
        return outcomes
