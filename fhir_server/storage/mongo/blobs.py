"""MongoBlobs: large content in chunks, found by its digest.

    store.blobs    {_id digest, size, u upload}
    store.chunks   {_id {u upload, c place}, u, c, b bytes}
    store.uploads  {_id upload, at ms}    while a stream arrives

The digest is known when the stream ends, so chunks arrive under an upload of their own; the one
document that names the digest makes them content. What a killed process left is removed after
a day.
"""

import hashlib
from collections.abc import AsyncIterator

from bson.int64 import Int64

from fhir_server.kit.ids import TimeOrderedIds
from fhir_server.storage.base import StoreError
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.ordinals import insert_new
from fhir_server.storage.mongo.store import MongoStore
from fhir_server.storage.mongo.topology import Document, driver_errors

CHUNK_BYTES = 1024 * 1024
_ABANDONED = 86_400_000


class MongoBlobs:
    """Shares the database of a store; usable while that is open."""

    def __init__(self, store: MongoStore) -> None:
        self._store = store
        self._ids = TimeOrderedIds(store.clock)

    @driver_errors
    async def put(self, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
        await self._clear_abandoned()
        upload = self._ids.new_id()
        started = {"_id": upload, "at": Int64(self._store.clock.now())}
        await self._of.uploads.insert_one(started)
        digest = ""
        try:
            digest, size = await self._receive(upload, chunks)
            await self._name(upload, digest, size)
        except BaseException:
            await self._of.blobs.delete_one({"_id": digest, "u": upload})
            await self._drop(upload)
            raise
        return digest, size

    async def get(
        self, digest: str, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        found = await self._find(digest)
        if found is None:
            raise KeyError(digest)
        last = found["size"] if end is None else min(end, found["size"])
        place, skipped = divmod(max(start, 0), CHUNK_BYTES)
        while place * CHUNK_BYTES + skipped < last:
            chunk = await self._chunk(found["u"], place)
            if chunk is None:
                raise KeyError(digest)
            yield chunk[skipped : last - place * CHUNK_BYTES]
            place, skipped = place + 1, 0

    async def size(self, digest: str) -> int | None:
        found = await self._find(digest)
        return None if found is None else int(found["size"])

    @driver_errors
    async def delete(self, digest: str) -> bool:
        found = await self._of.blobs.find_one({"_id": digest})
        if found is None:
            return False
        named = {"_id": digest, "u": found["u"]}
        deleted = (await self._of.blobs.delete_one(named)).deleted_count
        await self._drop(found["u"])
        return deleted == 1

    @property
    def _of(self) -> Collections:
        return self._store.collections

    @driver_errors
    async def _find(self, digest: str) -> Document | None:
        return await self._of.blobs.find_one({"_id": digest})

    @driver_errors
    async def _chunk(self, upload: str, place: int) -> bytes | None:
        found = await self._of.chunks.find_one({"_id": {"u": upload, "c": place}})
        return None if found is None else bytes(found["b"])

    async def _receive(self, upload: str, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
        """Store a stream in chunks of one size; its digest and size."""
        hashed, size, waiting = hashlib.sha256(), 0, bytearray()
        place = 0
        async for piece in chunks:
            hashed.update(piece)
            size += len(piece)
            waiting += piece
            while len(waiting) >= CHUNK_BYTES:
                await self._keep(upload, place, bytes(waiting[:CHUNK_BYTES]))
                del waiting[:CHUNK_BYTES]
                place += 1
        if waiting:
            await self._keep(upload, place, bytes(waiting))
        return hashed.hexdigest(), size

    async def _keep(self, upload: str, place: int, chunk: bytes) -> None:
        identity = {"u": upload, "c": place}
        await self._of.chunks.insert_one({"_id": identity, **identity, "b": chunk})

    async def _name(self, upload: str, digest: str, size: int) -> None:
        """Make the upload the content of a digest, unless another one is that already."""
        named = {"_id": digest, "size": Int64(size), "u": upload}
        known = await insert_new(self._of.blobs, [named])
        done = await self._of.uploads.delete_one({"_id": upload})
        if not done.deleted_count:
            raise StoreError("an upload took so long that it was cleared away")
        if known:
            await self._drop(upload)

    async def _drop(self, upload: str) -> None:
        await self._of.chunks.delete_many({"u": upload})
        await self._of.uploads.delete_one({"_id": upload})

    async def _clear_abandoned(self) -> None:
        """Remove uploads a killed process left; who still writes to one will be told."""
        old = {"at": {"$lt": Int64(self._store.clock.now() - _ABANDONED)}}
        async for started in self._of.uploads.find(old):
            await self._of.uploads.delete_one({"_id": started["_id"]})
            if await self._of.blobs.find_one({"u": started["_id"]}) is None:
                await self._of.chunks.delete_many({"u": started["_id"]})
