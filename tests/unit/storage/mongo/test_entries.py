"""The log of a commit: all of its documents come back, however many parts they need."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import bson
import pytest
from bson.int64 import Int64
from pymongo import AsyncMongoClient

from fhir_server.kit.clock import SettableClock
from fhir_server.storage.base import StoreError
from fhir_server.storage.mongo.calls import Calls
from fhir_server.storage.mongo.claims import CLAIMS, Claims, claims_of
from fhir_server.storage.mongo.documents import Write, write_of
from fhir_server.storage.mongo.entries import MOST_WRITES, Entries
from fhir_server.storage.mongo.indexes import Collections
from fhir_server.storage.mongo.topology import Document
from fhir_server.storage.query import Guard, Plan
from fhir_server.storage.versions import Change, Terms, Version
from tests.support.mongo import new_address

pytestmark = pytest.mark.anyio

MEGABYTE = b"x" * 2**20
SMALL = {"_id": "9" * 64, **dict.fromkeys("vnude", Int64(2**60)), "m": "PUT", "k": [0], "b": b"{}"}


@pytest.fixture
async def collections() -> AsyncIterator[Collections]:
    client: AsyncMongoClient[Document] = AsyncMongoClient(new_address())
    async with client:
        yield Collections(client.get_default_database(), Calls())


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


class Noting:
    """Takes documents and keeps their sizes alone."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    async def insert_one(self, document: Document) -> None:
        self.sizes.append(len(bson.encode(document)))


async def test_the_largest_of_entries_fits_into_documents() -> None:
    """The longest ids, as many writes as may be, and small ones, which have the most beside."""
    noting = Noting()
    collections = cast("Collections", SimpleNamespace(commits=noting, parts=noting))
    entries = Entries(collections, SettableClock())
    writes = [
        Write(index, "MedicinalProductUndesirableEffect", f"{index:064}", 2**60 + index, 0, SMALL)
        for index in range(MOST_WRITES)
    ]
    claimed = tuple(Int64(2**62 + number) for number in range(CLAIMS))
    await entries.register("commit", "age", Claims(claimed, claimed), writes)
    assert len(noting.sizes) > 1
    assert max(noting.sizes) < 16 * 2**20
    with pytest.raises(StoreError, match="50001 changes"):
        await entries.register("other", "age", Claims(), [*writes, writes[0]])


async def test_more_terms_than_an_entry_has_room_for_may_be_written(
    collections: Collections,
) -> None:
    version = Version("Alpha", "one", 1, 1, 1, "POST", b"{}")
    change = Change(version, Terms(keys=[f"{number}" for number in range(1_100_000)]))
    claims = claims_of([change], [Guard(Plan("Alpha"), frozenset())])
    entries = Entries(collections, SettableClock())
    await entries.register("commit", "age", claims)
    assert await entries.decide("commit")


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
