"""Commits on a server without transactions, stopped or held up at each of their steps."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

import pytest
from msgspec import structs

from fhir_server.kit.clock import SettableClock
from fhir_server.storage.base import Conflict, GuardFailed, StoreError
from fhir_server.storage.mongo import MongoStore
from fhir_server.storage.query import Guard, IdIs, KeyIs, Plan
from fhir_server.storage.versions import Change, Terms, Version
from tests.support import mongo_alone
from tests.support.mongo import new_address
from tests.support.mongo_proxy import Cut, Proxy, Stall

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_transactions")]

KEY = b"k" * 16
T = TypeVar("T")
Told = Mapping[tuple[str, str], tuple[int, ...]]


def change(type_: str, id_: str, number: int, ordinal: int, *, by: str = "A") -> Change:
    content = None if by == "deletion" else f'{{"number":{number},"by":"{by}"}}'.encode()
    version = Version(type_, id_, number, ordinal, 1000 + number, "PUT", content)
    return Change(version, Terms() if content is None else Terms(keys=[KEY, f"{id_}:{by}"]))


FIRST = [
    change("Alpha", "old", 1, 1),
    change("Beta", "doomed", 1, 2),
]
COMMIT = [
    change("Alpha", "new", 1, 3),
    change("Alpha", "old", 2, 1),
    change("Beta", "doomed", 2, 2, by="deletion"),
    change("Beta", "new", 1, 4),
]
BEFORE: Told = {("Alpha", "old"): (1,), ("Beta", "doomed"): (1,)}
AFTER: Told = {
    ("Alpha", "new"): (1,),
    ("Alpha", "old"): (2, 1),
    ("Beta", "doomed"): (2, 1),
    ("Beta", "new"): (1,),
}
NOBODY_YET = Guard(Plan("Beta", KeyIs(("new:A",))), frozenset())


opened = partial(mongo_alone.opened, patience=0.03, retried=False)


async def told(store: MongoStore) -> Told:
    """The numbers of every resource's versions, newest first, as history and reads agree."""
    found: dict[tuple[str, str], tuple[int, ...]] = {}
    for version in await store.history(limit=1000):
        key = (version.type, version.id)
        found[key] = (*found.get(key, ()), version.number)
    for (type_, id_), numbers in found.items():
        current = await store.get(type_, id_)
        assert current is not None
        assert numbers == tuple(range(current.number, 0, -1))
        plan = Plan(type_, KeyIs((KEY,)))
        assert (id_ in await store.find_ids(plan)) != current.deleted
    return found


async def left_over(store: MongoStore) -> Sequence[str]:
    """What no finished commit leaves behind: entries, parts, marks and placeholders."""
    of = store.collections
    left = [f"{c.name} {d['_id']}" for c in (of.commits, of.parts) async for d in c.find({})]
    for type_ in await of.types():
        held = of.current(type_).find({"t": {"$exists": True}})
        left += [f"{type_} {document['_id']}" async for document in held]
    return left


async def commands_of(address: str) -> int:
    async with opened(address) as store:
        await store.commit(FIRST)
    async with Proxy(address).listening() as proxy, opened(proxy.url) as store:
        proxy.commands.clear()
        await store.commit(COMMIT, [NOBODY_YET])
        return len(proxy.commands)


async def at_every_step(trial: Callable[[int], Awaitable[T]]) -> list[T]:
    """The trial with each command of a commit, several side by side as most of it is waiting."""
    room = asyncio.Semaphore(8)

    async def one(step: int) -> T:
        async with room:
            return await trial(step)

    return await asyncio.gather(*(one(step) for step in range(await commands_of(new_address()))))


async def test_a_commit_killed_at_any_step_is_whole_or_absent() -> None:
    async def trial(step: int) -> Told:
        address, clock = new_address(), SettableClock()
        await killed_at(step, address)
        clock.advance(60_000)
        async with opened(address, clock=clock) as store:
            state = await told(store)
            assert state in (BEFORE, AFTER), step
            assert await left_over(store) == [], step
            if state == BEFORE:
                await store.commit(COMMIT, [NOBODY_YET])
            assert await told(store) == AFTER
            return state

    states = await at_every_step(trial)
    assert BEFORE in states
    assert AFTER in states


async def killed_at(step: int, address: str) -> None:
    """A commit by a client that dies once the server has carried out this command."""
    async with opened(address) as store:
        await store.commit(FIRST)
    proxy = Cut(address)
    async with proxy.listening(), opened(proxy.url) as store:
        proxy.commands.clear()
        proxy.at = step
        with suppress(StoreError):
            await store.commit(COMMIT, [NOBODY_YET])
        assert proxy.dead


async def test_who_is_hindered_by_a_dead_commit_finishes_it() -> None:
    late = [
        structs.replace(one, version=structs.replace(one.version, method="PATCH")) for one in COMMIT
    ]

    async def trial(step: int) -> bool:
        address = new_address()
        await killed_at(step, address)
        async with opened(address) as other:
            with suppress(Conflict, GuardFailed):
                await other.commit(late, [NOBODY_YET])
            assert await told(other) == AFTER, step
            winner = await other.get("Beta", "new")
            assert winner is not None
            return winner.method == "PATCH"

    assert set(await at_every_step(trial)) == {True, False}


async def test_a_slow_commit_and_the_one_that_lost_patience_have_one_winner() -> None:
    rival = [change("Alpha", "old", 2, 1, by="B"), change("Beta", "mine", 1, 9, by="B")]
    further = {**AFTER, ("Alpha", "old"): (3, 2, 1)}
    instead = {**BEFORE, ("Alpha", "old"): (2, 1), ("Beta", "mine"): (1,)}

    async def trial(step: int) -> bool:
        address = new_address()
        proxy = Stall(address)
        async with opened(address) as other, proxy.listening(), opened(proxy.url) as slow:
            await other.commit(FIRST)
            proxy.commands.clear()
            proxy.at = step
            commit = asyncio.create_task(slow.commit(COMMIT, [NOBODY_YET]))
            await proxy.reached.wait()
            rival_stored = await stored(other.commit(rival))
            if not rival_stored:
                await other.commit([change("Alpha", "old", 3, 1, by="B")])
            proxy.go.set()
            slow_stored = await stored(commit)
            assert slow_stored != rival_stored, step
            assert await told(other) == (further if slow_stored else instead), step
            return slow_stored

    assert set(await at_every_step(trial)) == {True, False}


async def test_commits_of_one_respect_what_a_larger_one_holds() -> None:
    async def trial(step: int) -> bool:
        address = new_address()
        proxy = Stall(address)
        async with opened(address) as other, proxy.listening(), opened(proxy.url) as slow:
            await other.commit(FIRST)
            proxy.commands.clear()
            proxy.at = step
            commit = asyncio.create_task(slow.commit(COMMIT, [NOBODY_YET]))
            await proxy.reached.wait()
            single = await stored(other.commit([change("Alpha", "old", 2, 1, by="B")]))
            created = await stored(other.commit([change("Alpha", "new", 1, 8, by="B")]))
            proxy.go.set()
            whole = await stored(commit)
            assert whole != single, step
            assert whole != created, step
            state = await told(other)
            assert (("Beta", "new") in state) == whole, step
            assert state["Beta", "doomed"] == ((2, 1) if whole else (1,)), step
            return whole

    assert set(await at_every_step(trial)) == {True, False}


async def stored(commit: Awaitable[None]) -> bool:
    try:
        await commit
    except Conflict:
        return False
    return True


async def test_of_guards_that_exclude_each_other_one_holds() -> None:
    """Each creates what the other's guard forbids: only one order of the two is possible."""
    one, two = b"1" * 16, b"2" * 16
    address = new_address()
    async with opened(address) as first, opened(address) as second:
        for turn in range(20):
            both = Terms(keys=[bytes([turn]) + one[1:], bytes([turn]) + two[1:]])
            commits = [
                store.commit(
                    [
                        Change(
                            Version(
                                "Alpha",
                                f"{turn}-{name}",
                                1,
                                100 + 2 * turn + name,
                                1,
                                "POST",
                                b"{}",
                            ),
                            both,
                        )
                    ],
                    [Guard(Plan("Alpha", KeyIs((both.keys[name],))), frozenset())],
                )
                for name, store in enumerate((first, second))
            ]
            results = await asyncio.gather(*commits, return_exceptions=True)
            assert sorted(map(repr, results)) == ["GuardFailed('guard 0 does not hold')", "None"]
        assert await left_over(first) == []


async def test_of_many_guards_the_first_that_does_not_hold_is_told() -> None:
    wrong = {23, 24, 41}
    guards = [replace(NOBODY_YET, expected=frozenset("x" * (n in wrong))) for n in range(60)]
    async with opened(new_address()) as store:
        with pytest.raises(GuardFailed) as failed:
            await store.commit(FIRST, guards)
        assert failed.value.index == min(wrong)
        await store.commit(FIRST, [guard for guard in guards if not guard.expected])


async def test_what_is_too_large_for_the_database_is_told_in_our_words() -> None:
    long = frozenset(f"{number}{'x' * 2**20}" for number in range(17))
    async with opened(new_address()) as store:
        with pytest.raises(StoreError, match="one document of 16 MB"):
            await store.find_ids(Plan("Alpha", IdIs(long)))
        guard = Guard(Plan("Alpha", IdIs(long)), long)
        with pytest.raises(StoreError, match="one document of 16 MB"):
            await store.commit(FIRST, [guard])
        assert not any((await told(store)).values())
        assert await left_over(store) == []


async def test_commits_over_the_same_resources_all_come_through_or_conflict() -> None:
    address = new_address()
    async with opened(address, patience=5) as first, opened(address, patience=5) as second:
        resources = [(type_, id_) for type_ in ("Alpha", "Beta") for id_ in "abc"]

        async def work(store: MongoStore, by: str) -> int:
            done = 0
            for turn in range(12):
                chosen = resources[turn % 3 :: 2]
                changes = []
                for type_, id_ in chosen:
                    current = await store.get(type_, id_)
                    number = current.number + 1 if current else 1
                    changes.append(change(type_, id_, number, resources.index((type_, id_)), by=by))
                done += len(changes) * await stored(store.commit(changes))
            return done

        done = await asyncio.gather(work(first, "A"), work(second, "B"), work(first, "C"))
        assert sum(done) >= 24
        state = await told(first)
        assert sum(len(numbers) for numbers in state.values()) == sum(done)
        assert await left_over(first) == []
