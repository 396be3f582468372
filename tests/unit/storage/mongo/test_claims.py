"""Which commits with guards are rivals: where one writes what the other's guards read."""

import asyncio
from itertools import pairwise

import pytest

from fhir_server.storage.base import DeadlineExceeded
from fhir_server.storage.mongo.claims import (
    DECIDED,
    NO_CLAIMS,
    PENDING,
    Claims,
    Waiting,
    claims_of,
    must_withdraw,
)
from fhir_server.storage.query import (
    AllOf,
    AnyOf,
    Driver,
    DriverIs,
    Guard,
    IdIs,
    IntervalIs,
    KeyIn,
    KeyIs,
    Not,
    Plan,
    Test,
    UpdatedIn,
)
from fhir_server.storage.versions import Change, Terms, Version

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16
WRITTEN = Change(
    Version("Alpha", "one", 1, 1, 1, "POST", b"{}"), Terms(keys=[A, "text"], drivers=[C])
)


def claims(drive: Driver | None, *tests: Test, expected: str = "", type_: str = "Alpha") -> Claims:
    ids = frozenset({expected} - {""})
    return claims_of([WRITTEN], [Guard(Plan(type_, drive, tests), ids)])


RIVALS = {
    "a key it has": claims(KeyIs((B, A))),
    "a text it has": claims(KeyIs(("text",))),
    "a driver it has": claims(DriverIs((C,))),
    "its id": claims(IdIs(frozenset({"one"}))),
    "its id expected": claims(KeyIs((B,)), expected="one"),
    "everything": claims(None),
    "a range": claims(KeyIn("t", "u")),
    "an interval": claims(IntervalIs((1, 1))),
    "a time": claims(UpdatedIn(5)),
    "a key among the tests": claims(UpdatedIn(5), AllOf((KeyIs((A,)),))),
    "only what is not": claims(None, Not(KeyIs((B,)))),
    "only alternatives": claims(None, AnyOf((KeyIs((B,)), UpdatedIn(1)))),
}
STRANGERS = {
    "a key it has not": claims(KeyIs((B,))),
    "a driver it has not": claims(DriverIs((A,))),
    "a key as a driver's": claims(KeyIs((C,))),
    "another id": claims(IdIs(frozenset({"two"})), expected="two"),
    "another type": claims(KeyIs((A,)), type_="Beta"),
    "everything of another type": claims(None, type_="Beta"),
}


@pytest.mark.parametrize("name", RIVALS)
def test_a_guard_reads_what_could_change_its_answer(name: str) -> None:
    assert set(RIVALS[name].reads) & set(RIVALS[name].writes)


@pytest.mark.parametrize("name", STRANGERS)
def test_a_guard_reads_nothing_of_what_could_not(name: str) -> None:
    assert not set(STRANGERS[name].reads) & set(STRANGERS[name].writes)


MANY = [f"{number}" for number in range(20)]
A_LOT_WRITTEN = Change(Version("Alpha", "two", 1, 2, 1, "POST", b"{}"), Terms(keys=MANY))
A_LOT_READ = Guard(Plan("Alpha", KeyIs(tuple(MANY))), frozenset())


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fhir_server.storage.mongo.claims.CLAIMS", 10)


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize(
    ("changes", "guards"),
    [([A_LOT_WRITTEN], []), ([], [A_LOT_READ]), ([A_LOT_WRITTEN], [A_LOT_READ])],
    ids=["of writes", "of reads", "of both"],
)
def test_too_many_claims_become_few_that_still_meet_all_others(
    changes: list[Change], guards: list[Guard]
) -> None:
    key_read = Guard(Plan("Alpha", KeyIs((A,))), frozenset())
    large = claims_of([WRITTEN, *changes], [key_read, *guards])
    assert len(large.reads) <= 10
    assert len(large.writes) <= 10
    for others in (*RIVALS.values(), claims_of([A_LOT_WRITTEN], [A_LOT_READ])):
        assert set(large.writes) & set(others.reads)
        assert set(large.reads) & set(others.writes)


@pytest.mark.usefixtures("little_room")
def test_too_many_claims_of_one_type_meet_no_other_type() -> None:
    large = claims_of([A_LOT_WRITTEN], [A_LOT_READ])
    assert not set(large.writes) & set(STRANGERS["another type"].reads)


def test_without_guards_nothing_is_claimed() -> None:
    assert claims_of([WRITTEN], []) == NO_CLAIMS


def test_only_an_elder_that_is_undecided_makes_one_withdraw() -> None:
    elder = {"_id": "x", "s": PENDING, "age": "1"}
    decided, younger = {**elder, "s": DECIDED}, {**elder, "age": "3"}
    assert must_withdraw("2", [decided, younger, elder]) == elder
    assert must_withdraw("2", [decided, younger]) is None


@pytest.mark.anyio
async def test_of_any_two_ages_one_goes_first() -> None:
    ages = [f"{number}" for number in range(9)]
    for one, two in pairwise(ages):
        entries = {age: {"_id": age, "s": PENDING, "age": age} for age in (one, two)}
        assert must_withdraw(one, [entries[two]]) is None
        assert must_withdraw(two, [entries[one]]) == entries[one]


@pytest.mark.anyio
async def test_waiting_ends_at_the_deadline() -> None:
    waiting = Waiting(deadline=0.05, patience=1)

    async def wait() -> None:
        while True:
            await waiting.pause()

    with pytest.raises(DeadlineExceeded):
        await asyncio.wait_for(wait(), 5)


@pytest.mark.anyio
async def test_patience_is_counted_for_each_commit_from_when_it_was_met() -> None:
    waiting = Waiting(deadline=5, patience=0.02)
    assert not waiting.tired_of("one")
    await asyncio.sleep(0.03)
    assert waiting.tired_of("one")
    assert not waiting.tired_of("two")
