"""Many at once, in one process and in several: one winner, no gaps, nothing half seen."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from fhir_server.storage.base import Conflict, GuardFailed, Store
from fhir_server.storage.query import Guard, KeyIn, KeyIs, Not, Plan, UpdatedIn
from fhir_server.storage.versions import Change
from tests.support.store_invariants import histories_are_dense, terms_agree_with_contents
from tests.support.store_worker import (
    SHARED,
    batch_key,
    first_version,
    next_version,
    tag_key,
    terms_of,
)
from tests.support.stores import opened
from tests.support.version_making import TYPE, created, found, key, keyed, updated

pytestmark = pytest.mark.anyio

CHECKOUT = Path(__file__).resolve().parents[2]


async def worker(mode: str, address: str, seed: int) -> list[tuple[str, str, int]]:
    """Run a worker process to its end; what it says was acknowledged."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.store_worker", mode, address, str(seed)),
        stdout=asyncio.subprocess.PIPE,
        cwd=CHECKOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return [tuple(each) for line in output.splitlines() for each in json.loads(line)]


async def test_of_racing_updates_each_version_has_one_author(store: Store) -> None:
    won: Counter[tuple[str, int]] = Counter()

    async def compete(seed: int) -> None:
        random = Random(seed)
        for turn in range(12):
            id_ = random.choice(SHARED)
            before = await store.get("Alpha", id_)
            name = f"{seed}-{turn}"
            after = (
                next_version(before, name, turn % 7)
                if before
                else first_version("Alpha", id_, name, turn % 7)
            )
            try:
                await store.commit([Change(after, terms_of(after))])
            except Conflict:
                continue
            won[id_, after.number] += 1

    await asyncio.gather(*(compete(seed) for seed in range(20)))
    assert set(won.values()) == {1}
    histories = [await store.history("Alpha", id_, limit=1000) for id_ in SHARED]
    assert sum(map(len, histories)) == len(won)
    await histories_are_dense(store)
    await terms_agree_with_contents(store)


async def test_processes_that_race_write_each_version_once(address: str) -> None:
    async with opened(address) as storage:
        told = await asyncio.gather(*(worker("compare_and_set", address, n) for n in range(3)))
        acknowledged = Counter(version for each in told for version in each)
        assert sum(acknowledged.values()) == 3 * 40
        assert set(acknowledged.values()) == {1}
        stored = {
            (each.type, each.id, each.number) for each in await storage.store.history(limit=999)
        }
        assert stored == set(acknowledged)
        await histories_are_dense(storage.store)
        await terms_agree_with_contents(storage.store)


async def test_of_racing_conditional_creations_one_wins(store: Store) -> None:
    nobody = Guard(Plan(TYPE, KeyIs((key(1),))), frozenset())
    results = await asyncio.gather(
        *(store.commit([created(f"id-{n}", keyed(key(1)))], [nobody]) for n in range(20)),
        return_exceptions=True,
    )
    assert results.count(None) == 1
    assert all(result is None or isinstance(result, GuardFailed) for result in results)
    assert await found(store, Plan(TYPE, KeyIs((key(1),)))) == [f"id-{results.index(None)}"]


async def test_of_processes_that_race_to_create_one_wins_each_time(address: str) -> None:
    async with opened(address) as storage:
        told = await asyncio.gather(*(worker("create_if_none", address, n) for n in range(3)))
        assert sum(map(len, told)) == 25
        for number in range(25):
            plan = Plan("Alpha", KeyIs((batch_key(f"only-{number}"),)))
            assert len(await storage.store.find_ids(plan)) == 1


async def test_a_guard_and_an_update_that_exclude_each_other_do_not_both_happen(
    store: Store,
) -> None:
    for round_ in range(10):
        mark = key(100 + round_)
        one = created(f"one-{round_}")
        await store.commit([one])
        takes_it = updated(one, keyed(mark))
        nobody = Guard(Plan(TYPE, KeyIs((mark,))), frozenset())
        results = await asyncio.gather(
            store.commit([takes_it], [nobody]),
            store.commit([created(f"two-{round_}", keyed(mark))], [nobody]),
            return_exceptions=True,
        )
        assert results.count(None) == 1
        assert len(await found(store, Plan(TYPE, KeyIs((mark,))))) == 1


async def test_a_refused_commit_does_not_disturb_others(store: Store) -> None:
    """All wait together, so that a store which writes in groups puts them into one."""
    await store.commit([created("there")])
    commits = [
        store.commit([created("there"), created(f"refused-{n}")])
        if n % 3 == 0
        else store.commit([created(f"good-{n}", keyed(key(1)))])
        for n in range(30)
    ]
    results = await asyncio.gather(*commits, return_exceptions=True)
    assert [isinstance(result, Conflict) for result in results] == [n % 3 == 0 for n in range(30)]
    assert len(await found(store, Plan(TYPE, KeyIs((key(1),))))) == 20
    assert await store.counts() == {TYPE: 21}


@pytest.fixture
def isolated(store: Store) -> Store:
    if not store.facts.isolated:
        pytest.skip(f"{store.facts.name} cannot isolate commits, and says so")
    return store


async def until_done(work: Awaitable[None], watch: Callable[[], Awaitable[None]]) -> None:
    """Let two watch again and again while the work is done, and once more afterwards."""
    working = asyncio.ensure_future(work)

    async def go_on() -> None:
        while not working.done():
            await watch()
            await asyncio.sleep(0)

    await asyncio.gather(working, go_on(), go_on())
    await watch()


async def test_nobody_sees_half_of_an_update(isolated: Store) -> None:
    async def write() -> None:
        pair = [created("a", keyed(key(0))), created("b", keyed(key(0)))]
        await isolated.commit(pair)
        for number in range(1, 40):
            pair = [updated(each, keyed(key(number))) for each in pair]
            await isolated.commit(pair)

    async def watch() -> None:
        page = await isolated.find(Plan(TYPE, KeyIs(tuple(map(key, range(40))))))
        assert len({version.number for version in page.versions}) <= 1
        assert len(page.versions) in {0, 2}

    await until_done(write(), watch)


async def test_nobody_sees_half_of_a_creation(isolated: Store) -> None:
    """By its terms, without its terms, or by a test that would hold if it had none."""

    async def write() -> None:
        for number in range(60):
            await isolated.commit(
                [created(f"{name}-{number}", keyed(key(1), key(2))) for name in "abc"]
            )

    async def watch() -> None:
        for driver in (KeyIs((key(1),)), None, UpdatedIn()):
            assert (await isolated.count(Plan(TYPE, driver)))[0] % 3 == 0
            for test in (KeyIs((key(2),)), KeyIn(key(2), key(3))):
                assert await isolated.find_ids(Plan(TYPE, driver, (Not(test),))) == []

    await until_done(write(), watch)


async def test_what_is_seen_is_the_state_after_some_commit(isolated: Store, address: str) -> None:
    """Another process creates, then updates a counter: whoever sees the second sees the first."""

    async def write() -> None:
        await worker("count_up", address, 1)

    async def watch() -> None:
        page = await isolated.find(Plan("Alpha", KeyIs((tag_key(0),)), limit=1000))
        numbers = [each.number for each in page.versions if each.id == "counter"]
        counted = len(page.versions) - len(numbers)
        assert counted in ({numbers[0] - 1, numbers[0]} if numbers else {0})
        await asyncio.sleep(0.001)

    await until_done(write(), watch)


async def test_a_caller_that_goes_away_leaves_a_whole_commit_or_none(store: Store) -> None:
    for round_ in range(15):
        changes = [created(f"{name}-{round_}", keyed(key(round_))) for name in "abc"]
        commit = asyncio.create_task(store.commit(changes))
        await asyncio.sleep(0.0005 * round_)
        commit.cancel()
        await asyncio.wait([commit])
    await store.commit([created("last")])
    for round_ in range(15):
        assert len(await found(store, Plan(TYPE, KeyIs((key(round_),))))) in {0, 3}
