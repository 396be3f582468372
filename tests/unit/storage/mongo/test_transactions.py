"""Commits on a server with transactions, played over the wire server (mongo_replica_set.py)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from fhir_server.kit.clock import SettableClock
from fhir_server.storage.base import Conflict, DeadlineExceeded, GuardFailed, StoreError
from fhir_server.storage.mongo import MongoStore
from fhir_server.storage.mongo.entries import Entries
from fhir_server.storage.query import Guard, KeyIs, Plan
from fhir_server.storage.versions import Change, Terms, Version
from tests.support.mongo import new_wire_address
from tests.support.mongo_replica_set import ReplicaSet

pytestmark = pytest.mark.anyio

KEY = b"k" * 16


def change(
    type_: str, id_: str, number: int, ordinal: int, content: bytes | None = b"{}"
) -> Change:
    version = Version(type_, id_, number, ordinal, 1000 + number, "PUT", content)
    return Change(version, Terms(keys=[KEY]) if content else Terms())


FIRST = [change("Alpha", "old", 1, 1), change("Beta", "doomed", 1, 2)]
COMMIT = [
    change("Alpha", "new", 1, 3),
    change("Alpha", "old", 2, 1, b'{"a":2}'),
    change("Beta", "doomed", 2, 2, None),
]
NONE_IN_GAMMA = Guard(Plan("Gamma", KeyIs((KEY,))), frozenset())


@asynccontextmanager
async def playing() -> AsyncIterator[ReplicaSet]:
    server = ReplicaSet(new_wire_address())
    async with server.listening():
        yield server


@asynccontextmanager
async def opened(
    server: ReplicaSet, *, deadline: float = 5.0, options: str = "replicaSet=played"
) -> AsyncIterator[MongoStore]:
    url, _, database = server.url.rpartition("/")
    store = MongoStore(f"{url}/?{options}", database, deadline=deadline, clock=SettableClock())
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def all_is_stored(store: MongoStore) -> None:
    history = await store.history()
    assert set(history) == {one.version for one in (*FIRST, *COMMIT)}
    assert await store.find_ids(Plan("Alpha")) == ["old", "new"]
    assert await store.counts() == {"Alpha": 2}


async def test_a_server_whose_transactions_work_is_told_to_be_isolated() -> None:
    async with playing() as server, opened(server) as store:
        assert store.facts.isolated
        assert store.facts.warnings == ()
        assert "replica set" in store.facts.name


DIRECT = "directConnection=true"


@pytest.mark.parametrize("options", ["replicaSet=played", DIRECT])
async def test_what_is_written_to_a_member_is_acknowledged_by_the_majority(options: str) -> None:
    async with playing() as server, opened(server, options=options) as store:
        assert "replica set" in store.facts.name
        assert store.facts.isolated
        await store.commit(FIRST[:1])
        await store.commit(COMMIT[:2])
        assert server.committed
        assert server.concerns
        for concern in server.concerns:
            assert concern == {"w": "majority", "j": True}


@pytest.mark.parametrize(("others", "warned"), [((), False), (("localhost:9",), True)])
async def test_an_address_of_one_member_among_others_is_warned_of(
    others: tuple[str, ...],
    warned: bool,  # noqa: FBT001  # a case
) -> None:
    async with playing() as server:
        server.others = others
        async with opened(server, options=DIRECT) as store:
            assert ["add replicaSet=played" in one for one in store.facts.warnings] == (
                [True] if warned else []
            )


async def test_an_address_of_a_secondary_alone_is_refused() -> None:
    async with playing() as server:
        server.secondary = True
        with pytest.raises(
            StoreError, match=r"primary, so nothing can be written there; .* add replicaSet=played"
        ):
            async with opened(server, options=DIRECT):
                pass


async def test_a_replica_set_that_only_pretends_gets_the_redo_log() -> None:
    async with playing() as server:
        server.conflicts = 1
        server.labelled = False
        async with opened(server) as store:
            assert not store.facts.isolated
            await store.commit(FIRST)
            await store.commit(COMMIT)
            await all_is_stored(store)


async def test_a_commit_of_several_is_one_transaction() -> None:
    async with playing() as server, opened(server) as store:
        await store.commit(FIRST)
        before = server.committed
        await store.commit(COMMIT)
        assert server.committed == before + 1
        await all_is_stored(store)


@pytest.mark.parametrize("labelled", [True, False])
async def test_a_write_conflict_is_tried_again(labelled: bool) -> None:  # noqa: FBT001  # a case
    async with playing() as server, opened(server) as store:
        await store.commit(FIRST)
        server.conflicts, server.labelled = 4, labelled
        await store.commit(COMMIT, [NONE_IN_GAMMA])
        await all_is_stored(store)


async def test_write_conflicts_without_end_run_into_the_deadline() -> None:
    async with playing() as server, opened(server, deadline=0.5) as store:
        await store.commit(FIRST)
        server.conflicts = 10**9
        with pytest.raises(DeadlineExceeded):
            await store.commit(COMMIT)
        await store.calls.ended()  # it goes on for a moment without its caller
        server.conflicts = 0
        assert {one.version for one in FIRST} == set(await store.history())


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize(("answers", "commits"), [(1, 0), (0, 1), (2, 2)])
async def test_a_commit_whose_answer_is_lost_happens_once(
    answers: int,
    commits: int,
    forgets: bool,  # noqa: FBT001  # a case
) -> None:
    async with playing() as server, opened(server) as store:
        await store.commit(FIRST)
        server.lost_answers, server.lost_commits, server.forgets = answers, commits, forgets
        await store.commit(COMMIT, [NONE_IN_GAMMA])
        await all_is_stored(store)
        assert await store.collections.commits.find_one({}) is None


async def test_what_does_not_follow_is_a_conflict_and_nothing_of_it_is_stored() -> None:
    async with playing() as server, opened(server) as store:
        await store.commit(FIRST)
        wrong = {
            0: change("Alpha", "old", 1, 7),
            1: change("Alpha", "old", 3, 1),
            2: change("Alpha", "other", 1, 2),
        }
        for index, one in wrong.items():
            changes = [change("Gamma", f"{n}", 1, 20 + n) for n in range(2)]
            changes.insert(index, one)
            with pytest.raises(Conflict) as failed:
                await store.commit(changes)
            assert failed.value.index == index
        assert {one.version for one in FIRST} == set(await store.history())


async def test_of_guards_that_exclude_each_other_one_holds() -> None:
    async with playing() as server, opened(server) as first, opened(server) as second:
        for turn in range(8):
            keys = [bytes([turn, name]) * 8 for name in (1, 2)]
            commits = []
            for name, store in enumerate((first, second)):
                made = change("Alpha", f"{turn}-{name}", 1, 100 + 2 * turn + name)
                guard = Guard(Plan("Alpha", KeyIs((keys[name],))), frozenset())
                commits.append(
                    store.commit([structs.replace(made, terms=Terms(keys=keys))], [guard])
                )
            results = await asyncio.gather(*commits, return_exceptions=True)
            assert sorted(map(repr, results)) == ["GuardFailed('guard 0 does not hold')", "None"]
        assert await first.collections.commits.find_one({}) is None


async def test_a_guard_that_does_not_hold_stores_nothing() -> None:
    async with playing() as server, opened(server) as store:
        await store.commit(FIRST)
        guard = Guard(Plan("Alpha", KeyIs((KEY,))), frozenset())
        with pytest.raises(GuardFailed):
            await store.commit(COMMIT, [guard])
        await store.commit(COMMIT, [replace(guard, expected=frozenset({"old"}))])
        await all_is_stored(store)


async def test_who_lost_its_entry_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another took it for dead: what it saw since then may not be true any more."""
    registered: list[str] = []
    register = Entries.register

    async def registering(entries: Entries, commit: str, age: str, *rest: Any) -> None:
        await register(entries, commit, age, *rest)
        registered.append(age)
        if len(registered) == 1:
            assert await entries.abort(commit)
            await entries.forget(commit)

    monkeypatch.setattr(Entries, "register", registering)
    async with playing() as server, opened(server) as store:
        await store.commit(FIRST)
        await store.commit(COMMIT, [NONE_IN_GAMMA])
        await all_is_stored(store)
    assert len(registered) == 2
    assert len(set(registered)) == 1


async def test_erasing_takes_every_version_along() -> None:
    async with playing() as server, opened(server) as store:
        await store.commit(FIRST)
        await store.commit(COMMIT)
        assert await store.purge("Alpha", "old")
        assert not await store.purge("Alpha", "old")
        assert {version.id for version in await store.history()} == {"new", "doomed"}
        await store.commit([change("Alpha", "old", 1, 1), change("Alpha", "again", 1, 9)])
