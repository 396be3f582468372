"""Blobs in MongoDB: what those who give up, or are killed, leave to the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count

import pytest

from fhir_server.kit.clock import SettableClock
from fhir_server.storage.base import StoreError
from fhir_server.storage.mongo import MongoBlobs, MongoStore
from tests.support.mongo import new_address
from tests.support.mongo_alone import opened
from tests.support.mongo_proxy import Cut, Stall

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_transactions", "small_chunks")]

DAY = 86_400_000


def three_chunks(number: int) -> bytes:
    return b"0123456789abcdefgh%02d" % number


async def test_an_upload_that_was_killed_is_removed_a_day_later() -> None:
    clock = SettableClock()
    async with opened(new_address(), clock=clock) as store:
        chunks = {"_id": {"u": "dead", "c": 0}, "u": "dead", "c": 0, "b": b"x"}
        await store.collections.uploads.insert_one({"_id": "dead", "at": clock.now()})
        await store.collections.chunks.insert_one(chunks)
        blobs = MongoBlobs(store)
        kept, _ = await blobs.put(_stream(b"first"))
        assert await store.collections.chunks.count_documents({"u": "dead"}) == 1
        clock.advance(DAY + 1)
        await blobs.put(_stream(b"second"))
        assert await store.collections.chunks.count_documents({"u": "dead"}) == 0
        assert b"".join([piece async for piece in blobs.get(kept)]) == b"first"


async def test_content_put_by_two_is_there_when_one_of_them_gives_up() -> None:
    """At each command of the one that gives up, which the server carries out later all the same."""
    address, clock = new_address(), SettableClock()
    stall = Stall(address)
    async with (
        opened(address, clock=clock) as store,
        stall.listening(),
        opened(stall.url, clock=clock) as other,
    ):
        blobs = MongoBlobs(store)
        for step in count():
            content = three_chunks(step)
            stall.hold(step)
            giving_up = asyncio.create_task(MongoBlobs(other).put(_stream(content)))
            if not await stall.holds(giving_up):
                break
            digest, _ = await blobs.put(_stream(content))
            giving_up.cancel()
            await asyncio.wait({giving_up})
            stall.go.set()
            await asyncio.sleep(0.02)
            assert await _content(blobs, digest) == content, step
            clock.advance(DAY + 1)
            await blobs.put(_stream(b"x"))
            assert await _content(blobs, digest) == content, step
            assert await _nameless(store) == 0, step
            assert await store.collections.uploads.count_documents({}) == 0, step
    assert step > 6


async def test_an_erasure_that_was_cut_off_is_finished_a_day_later() -> None:
    address, clock = new_address(), SettableClock()
    async with opened(address, clock=clock) as store:
        blobs = MongoBlobs(store)
        for step in count():
            content = three_chunks(step)
            digest, _ = await blobs.put(_stream(content))
            cut = Cut(address)
            async with cut.listening(), opened(cut.url, clock=clock, retried=False) as failing:
                cut.at = len(cut.commands) + step
                with suppress(StoreError):
                    await MongoBlobs(failing).delete(digest)
            clock.advance(DAY + 1)
            await blobs.put(_stream(b"x"))
            assert await _nameless(store) == 0, step
            if await blobs.size(digest) is not None:
                assert await _content(blobs, digest) == content
            if not cut.dead:
                break
    assert step > 3


async def _nameless(store: MongoStore) -> int:
    """How many chunks belong to nothing."""
    named = await store.collections.blobs.distinct("u")
    return await store.collections.chunks.count_documents({"u": {"$nin": named}})


async def _content(blobs: MongoBlobs, digest: str) -> bytes:
    return b"".join([piece async for piece in blobs.get(digest)])


async def _stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
