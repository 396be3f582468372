"""Content too large for a document, in chunks of `store.contents`.

    {_id {p pointer, c place}, p, c, o "Type/id", b bytes}

The document of the version keeps the pointer in `l`. Each attempt to write has a pointer of its
own, so what a failed one leaves is never another's; an erased resource takes all of its own along.
"""

from collections.abc import Iterable

from pymongo.asynchronous.client_session import AsyncClientSession

from fhir_server.kit.ids import IdSource
from fhir_server.storage.mongo.topology import Collection, Document

CHUNK_BYTES = 8 * 1024 * 1024


class Contents:
    def __init__(self, chunks: Collection, ids: IdSource) -> None:
        self._chunks = chunks
        self._ids = ids

    async def keep(self, type_: str, id_: str, content: bytes) -> str:
        """Store content; returns its pointer."""
        pointer = self._ids.new_id()
        for place, start in enumerate(range(0, len(content), CHUNK_BYTES)):
            identity = {"p": pointer, "c": place}
            chunk = content[start : start + CHUNK_BYTES]
            await self._chunks.insert_one(
                {"_id": identity, **identity, "o": f"{type_}/{id_}", "b": chunk}
            )
        return pointer

    async def fill(self, documents: Iterable[Document]) -> None:
        """Put the content where only a pointer is."""
        for document in documents:
            if "l" in document:
                chunks = self._chunks.find({"p": document["l"]}).sort([("c", 1)])
                document["b"] = b"".join([chunk["b"] async for chunk in chunks])

    async def drop(self, pointer: str) -> None:
        """Erase what a failed attempt stored."""
        await self._chunks.delete_many({"p": pointer})

    async def erase(self, type_: str, id_: str, session: AsyncClientSession | None = None) -> None:
        """Erase all content of a resource."""
        await self._chunks.delete_many({"o": f"{type_}/{id_}"}, session=session)
