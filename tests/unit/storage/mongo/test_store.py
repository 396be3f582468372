"""What only the MongoDB store has to be asked: facts, schema, large content, traces."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Sized
from dataclasses import dataclass, field

import pytest
from msgspec import structs
from structlog.testing import capture_logs

from fhir_server.kit.clock import SettableClock
from fhir_server.storage.base import Conflict, DeadlineExceeded, NewerSchema, StoreError
from fhir_server.storage.mongo import MongoKeyValue, MongoStore
from fhir_server.storage.query import Plan
from fhir_server.storage.versions import Change, Terms, Version
from tests.support.mongo import new_address
from tests.support.mongo_alone import opened
from tests.support.mongo_proxy import Connection, Message, Proxy, Slow, Stall

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_transactions")]

DAY = 86_400_000


def change(id_: str, number: int = 1, ordinal: int = 1, content: bytes | None = b"{}") -> Change:
    return Change(Version("Alpha", id_, number, ordinal, number, "PUT", content), Terms())


@pytest.fixture
async def store() -> AsyncIterator[MongoStore]:
    async with opened(new_address()) as store:
        yield store


async def test_a_server_without_transactions_is_told_with_a_warning() -> None:
    async with opened(new_address()) as store:
        assert store.facts.name.startswith("MongoDB ")
        assert not store.facts.isolated
        assert "no transactions" in store.facts.warnings[-1]


async def test_a_newer_schema_is_refused() -> None:
    address = new_address()
    async with opened(address) as store:
        newer = {"$set": {"version": 2}}
        await store.collections.meta.update_one({"_id": "schema"}, newer)
    with pytest.raises(NewerSchema, match="schema 2"):
        async with opened(address):
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the driver's
async def test_a_server_that_is_not_there_is_a_store_that_cannot_be_opened() -> None:
    with pytest.raises(StoreError, match="no MongoDB answers"):
        async with opened("mongodb://127.0.0.1:9/nothing", deadline=0.2):
            pass
    gc.collect()  # the driver leaves a socket of a connection that it gave up


async def test_an_update_that_comes_behind_an_erasure_leaves_no_history() -> None:
    address = new_address()
    stall = Stall(address)
    async with opened(address) as other, stall.listening(), opened(stall.url) as slow:
        await other.commit([change("one")])
        await slow.get("Alpha", "one")
        await slow.commit([change("two", ordinal=2)])
        stall.commands.clear()
        stall.at = 1
        late = asyncio.create_task(slow.commit([change("one", number=2)]))
        await stall.reached.wait()
        assert await other.purge("Alpha", "one")
        stall.go.set()
        with pytest.raises(Conflict):
            await late
        assert await other.collections.history("Alpha").count_documents({"i": "one"}) == 0


async def test_a_slow_server_is_a_deadline_exceeded() -> None:
    address = new_address()
    stall = Stall(address)
    async with stall.listening(), opened(stall.url, deadline=0.5) as store:
        stall.at = len(stall.commands)
        with pytest.raises(DeadlineExceeded):
            await store.find(Plan("Alpha"))


MANY = [f"{number}" for number in range(6000)]
SLOW_CALLS: dict[str, Callable[[MongoStore], Awaitable[object]]] = {
    "history": lambda store: store.history("Alpha", at=(100, 100), limit=2),
    "get_many": lambda store: store.get_many("Alpha", MANY),
    "counts": lambda store: store.counts(),
    "retag": lambda store: store.retag([change(id_) for id_ in MANY]),
    "commit": lambda store: store.commit([change("one", ordinal=50), change("two", ordinal=51)]),
    "update": lambda store: store.commit([change("old", 21), change("two", ordinal=51)]),
    "purge": lambda store: store.purge("Alpha", "old"),
}


@pytest.mark.parametrize("call", SLOW_CALLS)
async def test_a_call_of_many_commands_ends_at_its_deadline(call: str) -> None:
    """No command takes too long, but all of them together do."""
    address = new_address()
    slow = Slow(address)
    async with opened(address) as other, slow.listening(), opened(slow.url) as store:
        for ordinal, type_ in enumerate(("Beta", "Gamma", "Delta", "Epsilon"), 60):
            version = structs.replace(change("one", ordinal=ordinal).version, type=type_)
            await other.commit([Change(version)])
        for number in range(1, 21):
            await other.commit([change("old", number)])
        await store.commit([change("first", ordinal=40)])
        slow.pause, store.deadline = 0.1, 0.35
        with pytest.raises(DeadlineExceeded):
            async with asyncio.timeout(0.7):
                await SLOW_CALLS[call](store)
        slow.pause, store.deadline = 0.0, 15.0
        assert await store.get("Alpha", "first")


async def test_reads_and_creates_made_together_are_few_commands() -> None:
    proxy = Proxy(new_address())
    async with proxy.listening(), opened(proxy.url) as store:
        await store.commit([change("first", ordinal=1000)])
        proxy.commands.clear()
        changes = [change(f"{number}", ordinal=number) for number in range(50)]
        await asyncio.gather(*(store.commit([one]) for one in changes))
        assert proxy.commands == ["insert", "insert"]
        proxy.commands.clear()
        found = await asyncio.gather(*(store.get("Alpha", f"{n}") for n in range(50)))
        assert found == [one.version for one in changes]
        assert proxy.commands == ["find"]


async def test_of_creates_made_together_only_those_that_conflict_fail(store: MongoStore) -> None:
    changes = [
        change("one"),
        change("one", ordinal=2),
        change("two", ordinal=1),
        change("three", ordinal=3),
    ]
    commits = [store.commit([one]) for one in changes]
    results = await asyncio.gather(*commits, return_exceptions=True)
    assert [result is None for result in results] == [True, False, False, True]
    assert await store.find_ids(Plan("Alpha")) == ["one", "three"]
    await store.commit([change("four", ordinal=2)])


async def test_a_commit_goes_on_when_its_caller_goes_away() -> None:
    address = new_address()
    stall = Stall(address)
    async with opened(address) as other, stall.listening(), opened(stall.url) as store:
        await other.commit([change("zero", ordinal=9)])
        await store.commit([change("none", ordinal=8)])
        stall.commands.clear()
        stall.at = 1
        both = [change("one"), change("two", ordinal=2)]
        caller = asyncio.create_task(store.commit(both))
        await stall.reached.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        stall.go.set()
        await store.close()
        assert await other.counts() == {"Alpha": 4}
        await store.open()


SEVERAL = 300
"""More than a server sends at once of its own accord."""
THEIR_IDS = [f"{number:03}" for number in range(SEVERAL)]
IN_ONE_GO: dict[str, Callable[[MongoStore], Awaitable[Sized]]] = {
    "get_many": lambda store: store.get_many("Alpha", THEIR_IDS),
    "find_ids": lambda store: store.find_ids(Plan("Alpha", limit=SEVERAL)),
    "scan": lambda store: store.scan("Alpha"),
}


@dataclass
class Asked(Proxy):
    """Notes how many documents each query lets the server send at once."""

    at_once: list[int] = field(default_factory=list)

    async def answer(self, request: Message, server: Connection) -> Message:
        if request.command == "find":
            self.at_once.append(request.body.get("batchSize", 101))
        return await super().answer(request, server)


@pytest.mark.parametrize("read", IN_ONE_GO)
async def test_many_are_read_in_one_go(read: str) -> None:
    """MongoDB itself sends 101 at first unless it is asked for more; the wire server sends all."""
    address = new_address()
    async with Asked(address).listening() as proxy, opened(proxy.url) as store:
        await store.commit([change(id_, ordinal=n) for n, id_ in enumerate(THEIR_IDS)])
        proxy.commands.clear()
        proxy.at_once.clear()
        assert len(await IN_ONE_GO[read](store)) == SEVERAL
        assert proxy.commands == ["find"]
        assert min(proxy.at_once) > SEVERAL


async def test_a_record_too_large_is_refused(store: MongoStore) -> None:
    records = MongoKeyValue(store, SettableClock())
    assert await records.compare_and_set("space", "key", None, bytes(1024 * 1024))
    with pytest.raises(StoreError, match="1048577 bytes"):
        await records.compare_and_set("space", "other", None, bytes(1024 * 1024 + 1))


async def test_whatever_fails_in_a_sweep_is_logged_and_the_next_one_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An entry that nobody understands, as a fault of the program's own would leave it."""
    monkeypatch.setattr("fhir_server.storage.mongo.store._SWEEP_SECONDS", 0.01)
    clock = SettableClock()
    with capture_logs() as logs:
        async with opened(new_address(), clock=clock) as store:
            await store.collections.commits.insert_one({"_id": "strange", "s": "decided"})
            await _until(lambda: len(logs) > 1)
            records = MongoKeyValue(store, clock)
            await records.compare_and_set("space", "key", None, b"x", expires=1)
            clock.advance(2 * DAY)
            await _until(lambda: store.collections.records.find_one({}), is_=None)
    assert {(log["event"], log["duty"], log["log_level"]) for log in logs} == {
        ("sweeping failed", "recover", "error")
    }
    assert isinstance(logs[0]["exc_info"], KeyError)


async def test_closing_waits_for_a_create_whose_caller_has_gone() -> None:
    address = new_address()
    async with opened(address) as store:
        await store.commit([change("known")])
        left = [
            asyncio.create_task(store.commit([change(f"left-{n}", ordinal=9 + n)]))
            for n in range(3)
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in left:
            task.cancel()
        await store.close()
        assert [task for task in asyncio.all_tasks() if "Coalescer" in repr(task)] == []
    async with opened(address) as store:
        assert await store.get("Alpha", "left-0") is not None


async def test_closing_ends_though_a_cancellation_went_under(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a driver may do that is cancelled at the moment its answer comes."""
    monkeypatch.setattr("fhir_server.storage.mongo.store._SWEEP_SECONDS", 0.001)
    sweeping = asyncio.Event()

    async def swallow(_store: MongoStore) -> None:
        sweeping.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    async with opened(new_address()) as store:
        monkeypatch.setattr(MongoStore, "_forget_expired", swallow)
        await sweeping.wait()
        async with asyncio.timeout(5):
            await store.close()


async def _until(asked: Callable[[], object], *, is_: object = True) -> None:
    async with asyncio.timeout(5):
        while True:
            answer = asked()
            if (await answer if isinstance(answer, Awaitable) else answer) == is_:
                return
            await asyncio.sleep(0.005)
