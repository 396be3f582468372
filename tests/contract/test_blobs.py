"""The promises of `BlobStore`."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable

import pytest

from fhir_server.storage.base import BlobStore

pytestmark = pytest.mark.anyio

LARGE = bytes(range(256)) * 12_345
UNKNOWN = hashlib.sha256(b"unknown").hexdigest()


async def stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def content(blobs: BlobStore, digest: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in blobs.get(digest, start, end)])


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [b""],
        [b"a"],
        [b"a", b"", b"bc"],
        [LARGE],
        [LARGE[at : at + 999] for at in range(0, len(LARGE), 999)],
    ],
    ids=["nothing", "empty", "one", "small chunks", "one large", "many chunks"],
)
async def test_content_is_found_by_its_digest(blobs: BlobStore, chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    digest, size = await blobs.put(stream(chunks))
    assert digest == hashlib.sha256(whole).hexdigest()
    assert size == len(whole) == await blobs.size(digest)
    assert await content(blobs, digest) == whole


RANGES = [
    *((0, 1), (1, 5), (0, None), (5, 5), (len(LARGE) - 1, None), (len(LARGE), None)),
    *((262_143, 262_145), (1_048_575, 2_097_153), (10, len(LARGE) + 10), (len(LARGE) + 5, None)),
    (7, 3),
]


@pytest.mark.parametrize(("start", "end"), RANGES)
async def test_a_part_is_read_alone(blobs: BlobStore, start: int, end: int | None) -> None:
    digest, _ = await blobs.put(stream([LARGE]))
    assert await content(blobs, digest, start, end) == LARGE[start:end]


@pytest.mark.parametrize("digest", [UNKNOWN, "", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 65])
async def test_what_is_not_there_is_a_key_error(blobs: BlobStore, digest: str) -> None:
    assert await blobs.size(digest) is None
    assert not await blobs.delete(digest)
    with pytest.raises(KeyError):
        await content(blobs, digest)


async def test_half_a_stream_leaves_nothing_behind(blobs: BlobStore) -> None:
    class Broken(Exception):
        pass

    async def half() -> AsyncIterator[bytes]:
        yield LARGE
        raise Broken

    with pytest.raises(Broken):
        await blobs.put(half())
    assert await blobs.size(hashlib.sha256(LARGE).hexdigest()) is None


async def test_the_same_content_is_stored_once(blobs: BlobStore) -> None:
    puts = [blobs.put(stream([LARGE, b"x"])) for _ in range(4)]
    ((digest, _),) = set(await asyncio.gather(*puts))
    assert await content(blobs, digest) == LARGE + b"x"
    assert await blobs.delete(digest)
    assert await blobs.size(digest) is None
    assert not await blobs.delete(digest)


async def test_deleted_content_can_be_put_again(blobs: BlobStore) -> None:
    digest, _ = await blobs.put(stream([b"abc"]))
    assert await blobs.delete(digest)
    assert await blobs.put(stream([b"abc"])) == (digest, 3)
    assert await content(blobs, digest) == b"abc"
