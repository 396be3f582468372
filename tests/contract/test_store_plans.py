"""Random writes and random plans: a store answers as the oracle does, page by page."""

from random import Random

import pytest
from msgspec import structs
from msgspec.structs import replace

from fhir_server.storage.base import Store
from fhir_server.storage.query import Plan
from fhir_server.storage.versions import KEY_BYTES, Change, HistoryPosition
from tests.support.oracle import Oracle
from tests.support.random_versions import BYTE_KEYS, IDS, TYPES, Writing, random_plan, random_terms

pytestmark = pytest.mark.anyio

SEEDS = range(4)
COMMITS = 60
PLANS = 120
PAGES = 8


async def fill(store: Store, random: Random, commits: int = COMMITS) -> Oracle:
    """The same random commits in the store and in the oracle."""
    oracle, writing = Oracle(), Writing(random)
    for _ in range(commits):
        changes = writing.changes()
        await store.commit(changes)
        oracle.commit(changes)
    return oracle


async def pages_agree(store: Store, oracle: Oracle, plan: Plan) -> None:
    """The first pages of a plan hold the same versions and end at the same positions."""
    for _ in range(PAGES):
        expected, found = oracle.find(plan), await store.find(plan)
        assert list(found.versions) == list(expected.versions), plan
        assert (found.first, found.next) == (expected.first, expected.next), plan
        if expected.next is None:
            return
        plan = replace(plan, after=expected.next)


async def keys_agree(store: Store, oracle: Oracle, plan: Plan, random: Random) -> None:
    """All keys in a range when there are as many as the limit at most; else some, of that number.

    The range is that of one key, of a common beginning, or any.
    """
    low, high = sorted(random.choices(BYTE_KEYS, k=2))
    high = random.choice(
        (high, _following(low, KEY_BYTES), _following(low, 5), b"\xff" * KEY_BYTES)
    )
    for limit in (0, 1, 3, 1000):
        found = await store.find_keys(replace(plan, limit=limit), low, high)
        expected = oracle.find_keys(plan, low, high)
        assert list(found) == sorted(set(found)), plan
        assert len(found) == min(limit, len(expected)), plan
        assert set(found) <= set(expected), plan


def _following(key: bytes, common: int) -> bytes:
    """What follows all keys that have this beginning of the key; the last key when none does."""
    following = int.from_bytes(key[:common]) + 1
    if following == 256**common:
        return b"\xff" * KEY_BYTES
    return following.to_bytes(common) + bytes(KEY_BYTES - common)


@pytest.mark.parametrize("seed", SEEDS)
async def test_random_plans_find_what_the_oracle_finds(store: Store, seed: int) -> None:
    random = Random(seed)
    oracle = await fill(store, random)
    for _ in range(PLANS):
        plan = random_plan(random)
        await pages_agree(store, oracle, plan)
        assert list(await store.find_ids(plan)) == list(oracle.find_ids(plan)), plan
        await keys_agree(store, oracle, plan, random)
        cap = random.choice((None, 0, 1, 5, 1000))
        assert await store.count(plan, cap) == oracle.count(plan, cap), plan


@pytest.mark.parametrize("seed", SEEDS)
async def test_plans_between_writes_find_all_that_was_acknowledged(store: Store, seed: int) -> None:
    """Many ids, so that most writes create; a few plans after every few writes."""
    random = Random(seed)
    oracle, writing = Oracle(), Writing(random, [f"id-{number}" for number in range(400)])
    for _ in range(60):
        for _ in range(random.randint(1, 4)):
            changes = writing.changes(3)
            await store.commit(changes)
            oracle.commit(changes)
        for _ in range(random.randint(1, 3)):
            await pages_agree(store, oracle, random_plan(random))
            plan = random_plan(random)
            assert await store.count(plan) == oracle.count(plan), plan


@pytest.mark.parametrize("seed", SEEDS)
async def test_random_histories_are_what_the_oracle_tells(store: Store, seed: int) -> None:
    random = Random(seed)
    oracle = await fill(store, random)
    times = [version.updated for version in oracle.history(limit=10_000)]
    for _ in range(60):
        type_ = random.choice((None, *TYPES))
        id_ = random.choice((None, *IDS)) if type_ else None
        since = random.choice((None, random.choice(times)))
        first, last = sorted(random.choices(times, k=2))
        at = random.choice((None, (first, last), (first, first)))
        limit = random.choice((1, 3, 50))
        after: HistoryPosition | None = None
        for _ in range(PAGES):
            expected = oracle.history(type_, id_, since=since, at=at, after=after, limit=limit)
            found = await store.history(type_, id_, since=since, at=at, after=after, limit=limit)
            assert list(found) == list(expected), (type_, id_, since, at, after, limit)
            if not expected:
                break
            oldest = expected[-1]
            after = HistoryPosition(oldest.updated, oldest.ordinal, oldest.number)


async def test_random_versions_are_read_as_they_were_written(store: Store) -> None:
    random = Random(1)
    oracle = await fill(store, random)
    for type_ in TYPES:
        many = await store.get_many(type_, [*IDS, "unknown"])
        present = {id_: oracle.get(type_, id_) for id_ in IDS}
        assert dict(many) == {id_: version for id_, version in present.items() if version}
        for id_ in (*IDS, "unknown"):
            assert await store.get(type_, id_) == oracle.get(type_, id_)
            for number in range(-1, 8):
                expected = oracle.get_version(type_, id_, number)
                assert await store.get_version(type_, id_, number) == expected
        assert list(await store.scan(type_)) == list(oracle.scan(type_))
        assert list(await store.scan(type_, "id-20", 7)) == list(oracle.scan(type_, "id-20", 7))
    assert dict(await store.counts()) == dict(oracle.counts())


@pytest.mark.parametrize("seed", SEEDS)
async def test_after_retagging_and_purging_plans_find_the_new_state(
    store: Store, seed: int
) -> None:
    random = Random(seed)
    oracle = await fill(store, random, commits=25)
    for type_ in TYPES:
        changes = [
            Change(
                structs.replace(
                    version,
                    number=version.number - (random.random() < 0.3),
                    ordinal=version.ordinal + (random.random() < 0.2),
                ),
                random_terms(random),
            )
            for version in oracle.scan(type_)
        ]
        changes = [change for change in changes if random.random() < 0.6]
        assert await store.retag(changes) == oracle.retag(changes)
        for id_ in random.sample(IDS, 8):
            assert await store.purge(type_, id_) == oracle.purge(type_, id_)
    for _ in range(PLANS):
        await pages_agree(store, oracle, random_plan(random))
    assert list(await store.history(limit=1000)) == list(oracle.history(limit=1000))
    assert dict(await store.counts()) == dict(oracle.counts())
