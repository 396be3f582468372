"""The promises of `Store`, one by one, in the order of its docstrings."""

import pytest

from fhir_server.kit.clock import SettableClock
from fhir_server.storage.base import Conflict, GuardFailed, NewerSchema, Store
from fhir_server.storage.query import Guard, KeyIs, Plan
from fhir_server.storage.versions import Change, HistoryPosition, Terms, Version
from tests.support.stores import StoreKind, opened
from tests.support.version_making import (
    START,
    TYPE,
    created,
    deleted,
    found,
    key,
    keyed,
    updated,
)

pytestmark = pytest.mark.anyio

KEY = key(1)
BY_KEY = Plan(TYPE, KeyIs((KEY,)))


async def test_what_was_never_stored_is_none(store: Store) -> None:
    await store.commit([created("a")])
    assert await store.get(TYPE, "b") is None
    assert await store.get("Beta", "a") is None
    assert await store.get_version(TYPE, "b", 1) is None
    assert await store.get_version(TYPE, "a", 2) is None
    assert await store.get_version(TYPE, "a", 0) is None


@pytest.mark.parametrize(
    "content",
    [b"{}", b'{"a":1.10}', "é\U0001f600\u0000".encode(), bytes(range(256)), b"x" * 3_000_000],
    ids=["small", "decimal", "text", "bytes", "large"],
)
async def test_a_version_reads_back_as_it_was_written(store: Store, content: bytes) -> None:
    version = Version(TYPE, "A-1.b", 1, 2**62, START, "PATCH", content)
    await store.commit([Change(version)])
    assert await store.get(TYPE, "A-1.b") == version
    assert await store.get_version(TYPE, "A-1.b", 1) == version
    assert (await store.get_many(TYPE, ["A-1.b"])) == {"A-1.b": version}
    assert (await store.find(Plan(TYPE))).versions == [version]
    assert list(await store.history(TYPE, "A-1.b")) == [version]


async def test_the_same_id_in_two_types_is_two_resources(store: Store) -> None:
    one, other = created("a"), created("a", type_="Beta")
    await store.commit([one, other])
    assert await store.get(TYPE, "a") == one.version
    assert await store.get("Beta", "a") == other.version
    assert await found(store, Plan("Beta")) == ["a"]


async def test_ids_differ_by_case(store: Store) -> None:
    await store.commit([created("a"), created("A")])
    lower, upper = await store.get(TYPE, "a"), await store.get(TYPE, "A")
    assert lower is not None
    assert upper is not None
    assert (lower.id, upper.id) == ("a", "A")


async def test_a_deletion_is_the_current_version_without_content(store: Store) -> None:
    first = created("a", keyed(KEY))
    gone = deleted(first)
    await store.commit([first])
    await store.commit([gone])
    assert await store.get(TYPE, "a") == gone.version
    assert gone.version.deleted
    assert await store.get_many(TYPE, ["a"]) == {"a": gone.version}
    assert await store.get_version(TYPE, "a", 1) == first.version
    assert await found(store, BY_KEY) == []
    assert await found(store, Plan(TYPE)) == []


async def test_terms_of_a_deletion_count_for_nothing(store: Store) -> None:
    first = created("a")
    await store.commit([first])
    await store.commit([Change(deleted(first).version, keyed(KEY))])
    assert await found(store, BY_KEY) == []


async def test_a_deleted_resource_goes_on_with_the_next_number(store: Store) -> None:
    first = created("a")
    gone = deleted(first)
    again = updated(gone, keyed(KEY))
    for change in (first, gone, again):
        await store.commit([change])
    assert await store.get(TYPE, "a") == again.version
    assert await found(store, BY_KEY) == ["a"]
    assert [each.number for each in await store.history(TYPE, "a")] == [3, 2, 1]


async def test_many_are_read_at_once(store: Store) -> None:
    changes = [created(f"id-{number}") for number in range(700)]
    await store.commit(changes)
    wanted = [*(f"id-{number}" for number in range(0, 700, 2)), *map(str, range(9000))]
    versions = await store.get_many(TYPE, wanted)
    assert len(versions) == 350
    assert all(id_ == version.id for id_, version in versions.items())
    assert await store.get_many(TYPE, []) == {}
    assert await store.get_many("Beta", wanted) == {}


REFUSED = {
    "one that exists already": lambda old: created("old"),
    "a number that was": lambda old: Change(old.version),
    "a number too far": lambda old: updated(updated(old)),
    "an update of nothing": lambda old: updated(created("new")),
    "an ordinal of another": lambda old: created("new", ordinal=old.version.ordinal),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_a_change_that_does_not_follow_stores_nothing(store: Store, why: str) -> None:
    old = created("old")
    await store.commit([old])
    wrong = REFUSED[why](old)
    with pytest.raises(Conflict) as alone:
        await store.commit([wrong])
    assert alone.value.index == 0
    good = [created("x", keyed(KEY)), created("y", keyed(KEY))]
    with pytest.raises(Conflict) as last:
        await store.commit([*good, wrong])
    assert last.value.index == 2
    assert await store.get(TYPE, "old") == old.version
    assert await store.get_many(TYPE, ["x", "y", "new"]) == {}
    assert await found(store, BY_KEY) == []
    assert len(await store.history()) == 1


async def test_two_creations_with_one_ordinal_conflict(store: Store) -> None:
    with pytest.raises(Conflict) as refused:
        await store.commit([created("a", ordinal=10**9), created("b", ordinal=10**9)])
    assert refused.value.index == 1
    assert await store.counts() == {}


async def test_what_was_refused_can_be_stored_afterwards(store: Store) -> None:
    old, new = created("old"), created("new", keyed(KEY))
    await store.commit([old])
    with pytest.raises(Conflict):
        await store.commit([new, created("old")])
    await store.commit([new])
    assert await found(store, BY_KEY) == ["new"]


async def test_a_commit_of_many_changes_of_every_kind_is_whole(store: Store) -> None:
    olds = [created(f"old-{number}", keyed(KEY), type_="Beta") for number in range(30)]
    await store.commit(olds)
    mixed = [
        *(created(f"new-{number}", keyed(KEY)) for number in range(300)),
        *(updated(old, keyed(key(2))) for old in olds[:20]),
        *(deleted(old) for old in olds[20:]),
    ]
    await store.commit(mixed)
    assert len(await found(store, BY_KEY)) == 300
    assert await found(store, Plan("Beta", KeyIs((KEY,)))) == []
    assert len(await found(store, Plan("Beta", KeyIs((key(2),))))) == 20
    assert await store.counts() == {TYPE: 300, "Beta": 20}


async def test_an_empty_commit_stores_nothing(store: Store) -> None:
    await store.commit([])
    assert await store.counts() == {}


async def test_an_update_replaces_all_terms(store: Store) -> None:
    first = created("a", keyed(KEY, "text", key(2)))
    second = updated(first, keyed(key(2), key(3)))
    await store.commit([first])
    await store.commit([second])
    for one, ids in ((KEY, []), ("text", []), (key(2), ["a"]), (key(3), ["a"])):
        assert await found(store, Plan(TYPE, KeyIs((one,)))) == ids


GUARDS = [
    ("none is expected and none is there", [], frozenset(), True),
    ("none is expected and one is there", ["a"], frozenset(), False),
    ("one is expected and is there", ["a"], frozenset({"a"}), True),
    ("one is expected and none is there", [], frozenset({"a"}), False),
    ("one is expected and another is there", ["b"], frozenset({"a"}), False),
    ("one is expected and two are there", ["a", "b"], frozenset({"a"}), False),
    ("two are expected and are there", ["a", "b"], frozenset({"a", "b"}), True),
]


@pytest.mark.parametrize(
    ("there", "expected", "holds"), [case[1:] for case in GUARDS], ids=[case[0] for case in GUARDS]
)
async def test_a_commit_happens_only_if_its_guards_hold(
    store: Store, there: list[str], expected: frozenset[str], *, holds: bool
) -> None:
    await store.commit([created(id_, keyed(KEY)) for id_ in there])
    new = created("new", keyed(KEY))
    guards = [Guard(Plan("Beta"), frozenset()), Guard(BY_KEY, expected)]
    if holds:
        await store.commit([new], guards)
        assert await store.get(TYPE, "new") == new.version
        return
    with pytest.raises(GuardFailed) as failed:
        await store.commit([new], guards)
    assert failed.value.index == 1
    assert await store.get(TYPE, "new") is None


async def test_a_guard_sees_the_state_without_its_own_commit(store: Store) -> None:
    nobody = Guard(BY_KEY, frozenset())
    await store.commit([created("a", keyed(KEY)), created("b", keyed(KEY))], [nobody])
    assert await found(store, BY_KEY) == ["a", "b"]


async def test_order_limit_and_position_of_a_guard_do_not_matter(store: Store) -> None:
    await store.commit([created("a", keyed(KEY))])
    first = await store.get(TYPE, "a")
    assert first is not None
    limited = Plan(TYPE, KeyIs((KEY,)), limit=0)
    await store.commit([created("b")], [Guard(limited, frozenset({"a"}))])


async def test_a_history_is_newest_first_with_deletions(store: Store) -> None:
    one = created("a", at=START)
    two = created("b", at=START + 5, type_="Beta")
    gone = deleted(one, after=10)
    for change in (one, two, gone):
        await store.commit([change])
    assert list(await store.history()) == [gone.version, two.version, one.version]
    assert list(await store.history(TYPE)) == [gone.version, one.version]
    assert list(await store.history(TYPE, "a")) == [gone.version, one.version]
    assert list(await store.history(TYPE, "b")) == []
    assert list(await store.history("Gamma")) == []


async def test_versions_of_one_moment_are_told_apart_by_ordinal(store: Store) -> None:
    changes = [created(f"id-{number}") for number in range(7)]
    await store.commit(changes)
    after: HistoryPosition | None = None
    told: list[Version] = []
    while page := await store.history(after=after, limit=2):
        told += page
        last = page[-1]
        after = HistoryPosition(last.updated, last.ordinal, last.number)
    assert told == [change.version for change in reversed(changes)]


AT = [
    ((START, START), [1]),
    ((START - 5, START - 1), []),
    ((START - 5, START), [1]),
    ((START + 9, START + 9), [1]),
    ((START + 10, START + 10), [2]),
    ((START + 9, START + 10), [2, 1]),
    ((START + 15, START + 100), [3, 2]),
    ((START + 20, START + 20), [3]),
    ((START + 1000, START + 2000), [3]),
]


@pytest.mark.parametrize(("moments", "numbers"), AT)
async def test_at_keeps_what_was_current_at_some_moment(
    store: Store, moments: tuple[int, int], numbers: list[int]
) -> None:
    one = created("a", at=START)
    two = updated(one, after=10)
    for change in (one, two, deleted(two, after=10)):
        await store.commit([change])
    for scope in ((), (TYPE,), (TYPE, "a")):
        assert [each.number for each in await store.history(*scope, at=moments)] == numbers


async def test_since_keeps_what_came_at_that_moment_or_later(store: Store) -> None:
    one = created("a", at=START)
    two = updated(one, after=10)
    await store.commit([one])
    await store.commit([two])
    for since, numbers in ((START, [2, 1]), (START + 1, [2]), (START + 10, [2]), (START + 11, [])):
        assert [each.number for each in await store.history(TYPE, since=since)] == numbers


async def test_a_scan_runs_through_live_versions_in_order_of_id(store: Store) -> None:
    changes = [created(id_) for id_ in ("b", "A", "a", "Z", "-", "1", "c")]
    await store.commit(changes)
    await store.commit([deleted(changes[0])])
    ids: list[str] = []
    while part := await store.scan(TYPE, ids[-1] if ids else "", 2):
        ids += [version.id for version in part]
    assert ids == ["-", "1", "A", "Z", "a", "c"]


async def test_counts_leave_out_types_without_live_resources(store: Store) -> None:
    one, other = created("a"), created("b", type_="Beta")
    await store.commit([one, other])
    await store.commit([deleted(other)])
    assert await store.counts() == {TYPE: 1}


async def test_retagging_changes_terms_and_nothing_else(store: Store) -> None:
    one, two = created("a", keyed(KEY)), created("b", keyed(KEY))
    newer = updated(two, keyed(KEY))
    await store.commit([one, two])
    await store.commit([newer])
    new_terms = Terms(keys=(key(2),), start=5, end=6)
    stale = Change(two.version, new_terms)
    unknown = Change(created("c").version, new_terms)
    assert await store.retag([Change(one.version, new_terms), stale, unknown]) == 1
    assert await found(store, BY_KEY) == ["b"]
    assert await found(store, Plan(TYPE, KeyIs((key(2),)))) == ["a"]
    assert await store.get(TYPE, "a") == one.version
    assert len(await store.history()) == 3


async def test_what_was_created_again_is_not_retagged_for_what_was_purged(store: Store) -> None:
    one = created("a", keyed(KEY))
    await store.commit([one])
    assert await store.purge(TYPE, "a")
    again = created("a", keyed(key(3)))
    await store.commit([again])
    assert again.version.number == one.version.number
    assert await store.retag([Change(one.version, keyed(key(2)))]) == 0
    assert await found(store, Plan(TYPE, KeyIs((key(2),)))) == []
    assert await found(store, Plan(TYPE, KeyIs((key(3),)))) == ["a"]
    assert await store.retag([Change(again.version, keyed(key(2)))]) == 1
    assert await found(store, Plan(TYPE, KeyIs((key(2),)))) == ["a"]


async def test_purging_leaves_no_trace(store: Store) -> None:
    one, other = created("a", keyed(KEY)), created("b", keyed(KEY))
    await store.commit([one, other])
    await store.commit([updated(one, keyed(KEY))])
    assert await store.purge(TYPE, "a")
    assert not await store.purge(TYPE, "a")
    assert not await store.purge("Beta", "a")
    assert await store.get(TYPE, "a") is None
    assert await store.get_version(TYPE, "a", 1) is None
    assert list(await store.history()) == [other.version]
    assert await found(store, BY_KEY) == ["b"]
    again = created("a", ordinal=one.version.ordinal)
    await store.commit([again])
    assert list(await store.history(TYPE, "a")) == [again.version]


async def test_an_estimate_is_near_and_ends_at_a_thousand(store: Store) -> None:
    await store.commit([created(f"id-{number}", keyed(KEY)) for number in range(1200)])
    few = [created(f"few-{number}", keyed(key(2))) for number in range(3)]
    await store.commit(few)
    assert await store.estimate(TYPE, KeyIs((KEY,))) == 1000
    assert await store.estimate(TYPE, None) == 1000
    assert await store.estimate(TYPE, KeyIs((key(2),))) == 3
    assert await store.estimate(TYPE, KeyIs((key(3),))) == 0
    assert await store.estimate("Beta", None) == 0


async def test_everything_is_there_after_reopening(address: str, clock: SettableClock) -> None:
    first = created("a", keyed(KEY))
    second = updated(first, keyed(KEY))
    async with opened(address, clock=clock) as storage:
        await storage.store.commit([first])
        await storage.store.commit([second])
    async with opened(address, clock=clock) as storage:
        assert await storage.store.get(TYPE, "a") == second.version
        assert await storage.store.get_version(TYPE, "a", 1) == first.version
        assert await found(storage.store, BY_KEY) == ["a"]


async def test_two_open_stores_see_each_others_writes(address: str, clock: SettableClock) -> None:
    async with opened(address, clock=clock) as one, opened(address, clock=clock) as other:
        first = created("a", keyed(KEY), type_="NewType")
        await one.store.commit([first])
        assert await other.store.get("NewType", "a") == first.version
        await other.store.commit([updated(first, keyed(key(2)))])
        assert await found(one.store, Plan("NewType", KeyIs((key(2),)))) == ["a"]
        with pytest.raises(Conflict):
            await one.store.commit([updated(first)])


async def test_data_of_a_newer_program_are_refused(kind: StoreKind, address: str) -> None:
    async with opened(address) as storage:
        await storage.store.commit([created("a")])
    await kind.make_newer(address)
    with pytest.raises(NewerSchema):
        async with opened(address):
            pass


async def test_the_facts_name_the_kind_of_store(store: Store) -> None:
    assert store.facts.name
    assert isinstance(store.facts.isolated, bool)
