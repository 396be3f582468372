"""Content too large for a document: whole wherever it is read, gone with what it belongs to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from itertools import count

import pytest

from fhir_server.kit.clock import SettableClock
from fhir_server.storage.base import Conflict, StoreError
from fhir_server.storage.mongo import MongoStore
from fhir_server.storage.mongo.documents import INLINE_BYTES
from fhir_server.storage.query import IdIs, Plan
from fhir_server.storage.versions import Change, Page, Terms, Version
from tests.support.mongo import new_address
from tests.support.mongo_alone import opened
from tests.support.mongo_proxy import Cut, Stall

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_transactions")]

LARGE = b"0123456789abcdef" * (INLINE_BYTES // 16 + 1)
DAY = 86_400_000


def change(id_: str, number: int = 1, ordinal: int = 1, content: bytes | None = b"{}") -> Change:
    return Change(Version("Alpha", id_, number, ordinal, number, "PUT", content), Terms())


@pytest.fixture
async def store() -> AsyncIterator[MongoStore]:
    async with opened(new_address()) as store:
        yield store


async def test_large_content_lies_apart_and_is_read_everywhere(store: MongoStore) -> None:
    first = change("large", content=LARGE)
    await store.commit([first])
    document = await store.collections.current("Alpha").find_one({"_id": "large"})
    assert document is not None
    assert "b" not in document
    second = change("large", number=2, content=LARGE[:-1])
    await store.commit([second, change("small", ordinal=2)])
    assert await store.get("Alpha", "large") == second.version
    assert (await store.get_many("Alpha", ["large"]))["large"] == second.version
    assert await store.get_version("Alpha", "large", 1) == first.version
    found = await store.find(Plan("Alpha", IdIs(frozenset({"large"}))))
    assert found.versions == [second.version]
    history = await store.history("Alpha", "large")
    assert history == [second.version, first.version]


async def test_large_content_that_lost_leaves_nothing(store: MongoStore) -> None:
    await store.commit([change("one")])
    with pytest.raises(Conflict):
        await store.commit([change("one", content=LARGE)])
    assert await store.collections.contents.count_documents({}) == 0


async def test_an_erased_resource_takes_its_large_content_along(store: MongoStore) -> None:
    await store.commit([change("one", content=LARGE)])
    await store.commit([change("one", number=2)])
    assert await store.purge("Alpha", "one")
    assert await store.collections.contents.count_documents({}) == 0
    assert await store.collections.history("Alpha").count_documents({}) == 0
    await store.commit([change("another")])


THREE_CHUNKS = b"0123456789abcdefghij"
READS: dict[str, tuple[Callable[[MongoStore], Awaitable[object]], object]] = {
    "get": (lambda store: store.get("Alpha", "one"), None),
    "get_many": (lambda store: store.get_many("Alpha", ["one"]), {}),
    "get_version": (lambda store: store.get_version("Alpha", "one", 1), None),
    "history": (lambda store: store.history("Alpha", "one"), []),
    "find": (lambda store: store.find(Plan("Alpha", IdIs(frozenset({"one"})))), ()),
    "scan": (lambda store: store.scan("Alpha", limit=1), ["two"]),
}


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("read", READS)
async def test_content_erased_while_it_is_read_is_not_told_in_part(read: str) -> None:
    address = new_address()
    stall = Stall(address)
    call, answer = READS[read]
    async with opened(address) as other, stall.listening(), opened(stall.url) as reader:
        await other.commit([change("one", content=THREE_CHUNKS)])
        await other.commit([change("two", ordinal=2)])
        before = len(stall.commands)
        await call(reader)
        content_is_read = len(stall.commands) - before - 1
        stall.at = len(stall.commands) + content_is_read
        reading = asyncio.create_task(_told(call(reader)))
        await stall.reached.wait()
        assert await other.purge("Alpha", "one")
        stall.go.set()
        assert await reading == answer


async def _told(call: Awaitable[object]) -> object:
    """What a call answers; the versions of a page, the ids of a scan."""
    answer = await call
    if isinstance(answer, Page):
        return tuple(answer.versions)
    if isinstance(answer, list):
        return [version.id for version in answer]
    return answer


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("number", [1, 2])
async def test_content_that_was_lost_is_an_error(store: MongoStore, number: int) -> None:
    await store.commit([change("one", content=THREE_CHUNKS)])
    await store.commit([change("one", number=2, content=THREE_CHUNKS)])
    await store.collections.contents.delete_many({"c": 2})
    with pytest.raises(StoreError, match="content of Alpha/one is missing"):
        await store.get_version("Alpha", "one", number)


@pytest.mark.usefixtures("small_chunks")
async def test_content_of_a_commit_that_failed_is_removed_a_day_later() -> None:
    """Whatever command it failed at; what was stored after all keeps its content."""
    address, clock = new_address(), SettableClock()
    async with opened(address, clock=clock) as store:
        for step in count():
            id_, cut = f"{step}", Cut(address, at=10**9)
            first = change(id_, ordinal=step, content=THREE_CHUNKS)
            second = change(id_, 2, step, THREE_CHUNKS[::-1])
            await store.commit([first])
            async with cut.listening(), opened(cut.url, clock=clock, retried=False) as failing:
                cut.at = len(cut.commands) + step
                with suppress(StoreError):
                    await failing.commit([second])
            clock.advance(DAY + 1)
            async with opened(address, clock=clock):  # which sweeps first of all
                pass
            told = await store.history("Alpha", id_)
            assert told in ([first.version], [second.version, first.version]), step
            versions = len(await store.history(limit=1000))
            assert await store.collections.contents.count_documents({}) == 3 * versions, step
            assert await store.collections.uploads.count_documents({}) == 0, step
            if not cut.dead:
                break
    assert step > 5


@pytest.mark.usefixtures("small_chunks")
async def test_a_late_erasure_leaves_alone_what_was_created_anew() -> None:
    """It was slow, at each of its steps, and another has brought it to its end meanwhile."""
    address = new_address()
    stall = Stall(address)
    left = []
    async with (
        opened(address, patience=0.03) as other,
        stall.listening(),
        opened(stall.url, patience=0.03) as slow,
    ):
        for step in count():
            id_ = f"{step}"
            await other.commit([change(id_, ordinal=2 * step, content=THREE_CHUNKS)])
            again = [change(id_, n, 2 * step + 1, THREE_CHUNKS + b"%d" % n) for n in (1, 2, 3)]
            stall.hold(step)
            erasing = asyncio.create_task(slow.purge("Alpha", id_))
            if not await stall.holds(erasing):
                break
            await other.purge("Alpha", id_)
            for one in again:
                await other.commit([one])
            stall.go.set()
            assert await erasing
            told = await other.history("Alpha", id_)
            assert told in ([], [one.version for one in again[::-1]]), step
            left.append(bool(told))
    assert left.count(True) > 5


@pytest.mark.usefixtures("small_chunks")
async def test_what_is_created_while_its_forerunner_is_erased_keeps_its_content() -> None:
    address = new_address()
    stall = Stall(address)
    async with opened(address) as other, stall.listening(), opened(stall.url) as store:
        await store.commit([change("warm", ordinal=9)])
        await store.commit([change("one", content=THREE_CHUNKS)])
        again = change("one", ordinal=2, content=THREE_CHUNKS)
        stall.hold_next("insert", "Alpha")
        creating = asyncio.create_task(store.commit([again]))
        assert await stall.holds(creating)
        assert await other.purge("Alpha", "one")
        stall.go.set()
        await creating
        assert await other.get("Alpha", "one") == again.version
