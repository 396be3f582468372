"""MongoBlobs: large content in chunks, found by its digest.

    store.blobs    {_id digest, size, u upload}
    store.chunks   {_id {u upload, c place}, u, c, b bytes}

The digest is known when the stream ends, so chunks arrive under an upload of their own
(uploads.py); the one document that names the digest makes them content. What was never named is
removed after a day.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress

from bson.int64 import Int64
from pymongo.errors import PyMongoError

from fhir_server.storage.base import StoreError
from fhir_server.storage.mongo.calls import Calls
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.ordinals import insert_new
from fhir_server.storage.mongo.store import MongoStore
from fhir_server.storage.mongo.topology import Document, driver_errors, in_time
from fhir_server.storage.mongo.uploads import Uploads

CHUNK_BYTES = 1024 * 1024


class MongoBlobs:
    """Shares the database of a store; usable while that is open."""

    def __init__(self, store: MongoStore) -> None:
        self._store = store

    @property
    def deadline(self) -> float:
        return self._store.deadline

    @property
    def calls(self) -> Calls:
        return self._store.calls

    @driver_errors
    async def put(self, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
        await self.calls.carry(self._clear_abandoned())
        upload = await self.calls.carry(self._uploads.begin())
        try:
            digest, size = await self._receive(upload, chunks)
        except BaseException:
            with suppress(PyMongoError):  # it has not ended: what may be left is found
                await self._of.chunks.delete_many({"u": upload})
            raise
        await self.calls.carry(self._name(upload, digest, size))
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
        return await self.calls.carry(self._delete(digest))

    async def _delete(self, digest: str) -> bool:
        found = await self._of.blobs.find_one({"_id": digest})
        if found is None:
            return False
        await self._uploads.erase(found["u"])
        named = {"_id": digest, "u": found["u"]}
        deleted = (await self._of.blobs.delete_one(named)).deleted_count
        await self._drop(found["u"])
        return deleted == 1

    @property
    def _of(self) -> Collections:
        return self._store.collections

    @property
    def _uploads(self) -> Uploads:
        return self._store.uploads

    @in_time
    async def _find(self, digest: str) -> Document | None:
        return await self._of.blobs.find_one({"_id": digest})

    @in_time
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

    @in_time
    async def _keep(self, upload: str, place: int, chunk: bytes) -> None:
        identity = {"u": upload, "c": place}
        await self._of.chunks.insert_one({"_id": identity, **identity, "b": chunk})

    async def _name(self, upload: str, digest: str, size: int) -> None:
        """Make the upload the content of a digest, unless another one is that already.

        From when the name may be there on it is never taken back, whatever happens: others count
        on the content they found under it.
        """
        if not await self._uploads.renew(upload):
            raise StoreError("an upload took so long that it was cleared away")
        named = {"_id": digest, "size": Int64(size), "u": upload}
        known = await insert_new(self._of.blobs, [named])
        if known and await self._of.blobs.find_one(named) is None:
            await self._drop(upload)
        else:
            await self._uploads.end([upload])

    async def _drop(self, upload: str) -> None:
        await self._of.chunks.delete_many({"u": upload})
        await self._uploads.end([upload])

    async def _clear_abandoned(self) -> None:
        async for started in self._uploads.abandoned(of_resources=False):
            upload = started["_id"]
            if await self._of.blobs.find_one({"u": upload}) is None:
                await self._drop(upload)
            else:
                await self._uploads.end([upload])
