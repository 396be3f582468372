"""Content too large for a document, in chunks of `store.contents`.

    {_id {p pointer, c place}, p, c, z bytes of all chunks, o "Type/id/ordinal", b bytes}

The document of the version keeps the pointer in `l`; the pointer is an upload (uploads.py) until
then. Each attempt to write has one of its own, so what a failed one leaves is never another's. An
erased resource takes all of its own along, and nothing of one that is created anew under its id.

Who reads while a resource is erased gets its content whole or not at all.
"""

from collections.abc import Iterable, Sequence

from pymongo.asynchronous.client_session import AsyncClientSession

from fhir_server.storage.base import StoreError
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.topology import Document
from fhir_server.storage.mongo.uploads import Uploads
from fhir_server.storage.versions import Version

CHUNK_BYTES = 8 * 1024 * 1024


class Contents:
    def __init__(self, collections: Collections, uploads: Uploads) -> None:
        self._collections = collections
        self._chunks = collections.contents
        self._uploads = uploads

    async def keep(self, version: Version, content: bytes) -> str:
        """Store content of a version; returns its pointer."""
        pointer = await self._uploads.begin(version.type, version.id)
        owner = _owner(version.type, version.id, version.ordinal)
        for place, start in enumerate(range(0, len(content), CHUNK_BYTES)):
            identity = {"p": pointer, "c": place}
            chunk = content[start : start + CHUNK_BYTES]
            await self._chunks.insert_one(
                {"_id": identity, **identity, "z": len(content), "o": owner, "b": chunk}
            )
        return pointer

    async def named(self, pointers: Sequence[str]) -> None:
        """They are in documents now."""
        await self._uploads.end(pointers)

    async def drop(self, pointers: Sequence[str]) -> None:
        """Erase what a failed attempt stored, of which nothing is under way any more."""
        if pointers:
            await self._chunks.delete_many({"p": {"$in": list(pointers)}})
            await self._uploads.end(pointers)

    async def fill(self, type_: str, documents: Iterable[Document]) -> list[Document]:
        """The documents with their content where only a pointer was, without the erased ones."""
        return [one for one in documents if "l" not in one or await self._fill(type_, one)]

    async def erase(
        self, type_: str, id_: str, ordinal: int, session: AsyncClientSession | None = None
    ) -> None:
        """Erase all content of a resource."""
        await self._chunks.delete_many({"o": _owner(type_, id_, ordinal)}, session=session)

    async def sweep(self) -> None:
        """Remove what was never named; no commit of more than a day ago may be unfinished."""
        async for upload in self._uploads.abandoned(of_resources=True):
            pointer = upload["_id"]
            if not await self._is_named(upload["r"], upload["i"], pointer, {}):
                await self._chunks.delete_many({"p": pointer})
            await self._uploads.end([pointer])

    async def _fill(self, type_: str, document: Document) -> bool:
        """Whether it has its content now; StoreError if that is lost and nobody erased it."""
        pointer = document["l"]
        chunks = await self._chunks.find({"p": pointer}).sort([("c", 1)]).to_list()
        content = b"".join(chunk["b"] for chunk in chunks)
        if chunks and len(content) == chunks[0]["z"]:
            document["b"] = content
            return True
        id_ = document["i"] if "i" in document else document["_id"]
        if await self._is_named(type_, id_, pointer, {"t": {"$exists": False}}):
            raise StoreError(f"content of {type_}/{id_} is missing")
        return False

    async def _is_named(self, type_: str, id_: str, pointer: str, held: Document) -> bool:
        """Whether a version has it; `held` narrows which current ones count.

        Superseded ones go to history before they are replaced, and are erased from there first.
        """
        current, history = self._collections.current(type_), self._collections.history(type_)
        named = await current.find_one({"_id": id_, "l": pointer, **held}, {"_id": 1})
        return bool(named or await history.find_one({"i": id_, "l": pointer}, {"_id": 1}))


def _owner(type_: str, id_: str, ordinal: int) -> str:
    return f"{type_}/{id_}/{ordinal}"
