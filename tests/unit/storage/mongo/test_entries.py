"""The log of a commit: all of its documents come back, however many parts they need."""

from collections.abc import AsyncIterator

import pytest
from pymongo import AsyncMongoClient

from fhir_server.kit.clock import SettableClock
from fhir_server.storage.mongo.claims import Claims
from fhir_server.storage.mongo.documents import Write, write_of
from fhir_server.storage.mongo.entries import Entries
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.topology import Document
from fhir_server.storage.versions import Change, Terms, Version
from tests.support.mongo import new_address

pytestmark = pytest.mark.anyio

MEGABYTE = b"x" * 2**20


@pytest.fixture
async def collections() -> AsyncIterator[Collections]:
    client: AsyncMongoClient[Document] = AsyncMongoClient(new_address())
    async with client:
        yield Collections(client.get_default_database())


def write(index: int, content: bytes) -> Write:
    version = Version("Alpha", f"id-{index}", 1, index + 1, 1, "POST", content)
    return write_of(index, Change(version, Terms(keys=[b"k" * 16, "text"])))


@pytest.mark.parametrize("sizes", [[], [0], [1] * 5, [1] * 30, [12], [12, 0, 12, 12]], ids=repr)
async def test_every_document_comes_back_in_order(
    collections: Collections, sizes: list[int]
) -> None:
    entries = Entries(collections, SettableClock())
    writes = [write(index, MEGABYTE * size) for index, size in enumerate(sizes)]
    await entries.register("commit", "age", Claims(), writes)
    entry = await entries.find("commit")
    assert entry is not None
    assert await entries.writes(entry) == writes
    await entries.forget("commit")
    assert await entries.find("commit") is None
    assert await collections.parts.find_one({}) is None


async def test_an_entry_is_decided_or_aborted_once(collections: Collections) -> None:
    entries = Entries(collections, SettableClock())
    for first, second in ((entries.decide, entries.abort), (entries.abort, entries.decide)):
        await entries.register("commit", "age", Claims())
        assert await first("commit")
        assert not await second("commit")
        assert not await first("commit")
        await entries.forget("commit")
    assert not await entries.decide("commit")


async def test_parts_without_an_entry_are_swept(collections: Collections) -> None:
    entries = Entries(collections, SettableClock())
    await entries.register("commit", "age", Claims(), [write(0, MEGABYTE * 12)])
    await entries.sweep()
    assert await collections.parts.find_one({}) is not None
    await collections.commits.delete_one({"_id": "commit"})
    await entries.sweep()
    assert await collections.parts.find_one({}) is None
