"""What a transaction asks of its own drafts means what it means to a store."""

from collections.abc import Sequence

import pytest

from fhir_server.search.matching import Candidate, Candidates, holds, meets
from fhir_server.storage.query import (
    AllOf,
    AnyOf,
    DriverIs,
    IdIs,
    IntervalIs,
    KeyIn,
    KeyIs,
    Not,
    Plan,
    Test,
    UpdatedIn,
)
from fhir_server.storage.versions import Terms, Version
from tests.support.oracle import Row
from tests.support.oracle import holds as oracle_holds

A, B, C = (bytes([letter]) * 16 for letter in b"abc")

TERMS: Sequence[Terms] = (
    Terms(),
    Terms(keys=[A, "name\0anna"], drivers=[A], start=10, end=20),
    Terms(keys=[B, "name\0bert"], drivers=[B, C], intervals=[(1, 5, 9)], start=15, end=15),
    Terms(keys=[A, B], intervals=[(1, 9, 9), (2, 0.5, 0.5)]),
)

TESTS: Sequence[Test] = (
    KeyIs((A,)),
    KeyIs((B, C)),
    KeyIs(()),
    KeyIn("name\0a", "name\0b"),
    KeyIn("name\0anna", "name\0anna"),
    KeyIn(A, B),
    DriverIs((A,)),
    DriverIs((C, B), start=(15, 15)),
    DriverIs((A, B), start=(0, 14), end=(20, 30)),
    IntervalIs((1, 1), low=(6, 9)),
    IntervalIs((1, 2), high=(0, 1)),
    IntervalIs((2, 1)),
    IdIs(frozenset({"r1", "r3"})),
    UpdatedIn(1, 3),
    UpdatedIn(3, 3),
    Not(KeyIs((A,))),
    AnyOf(()),
    AllOf(()),
    AnyOf((KeyIs((C,)), IdIs(frozenset({"r0"})))),
    AllOf((KeyIs((A,)), Not(UpdatedIn(3, 9)))),
)


@pytest.mark.parametrize("test", TESTS, ids=str)
@pytest.mark.parametrize("number", range(len(TERMS)))
def test_a_test_holds_where_it_holds_in_a_store(number: int, test: Test) -> None:
    id_, terms = f"r{number}", TERMS[number]
    version = Version("Patient", id_, 1, number + 1, number, "PUT", b"{}")

    assert holds(test, Candidate(id_, number, terms)) == oracle_holds(test, Row(version, terms))


def test_a_plan_is_met_when_its_driver_and_every_test_hold() -> None:
    candidate = Candidate("r1", 1, TERMS[1])

    assert meets(Plan("Patient"), candidate)
    assert meets(Plan("Patient", KeyIs((A,)), (UpdatedIn(1, 2),)), candidate)
    assert not meets(Plan("Patient", KeyIs((B,)), (UpdatedIn(1, 2),)), candidate)
    assert not meets(Plan("Patient", KeyIs((A,)), (UpdatedIn(2, 3),)), candidate)


@pytest.mark.parametrize("test", TESTS, ids=str)
def test_the_index_leaves_out_nobody_who_meets_a_plan(test: Test) -> None:
    candidates = [Candidate(f"r{n}", n, terms) for n, terms in enumerate(TERMS)]
    index = Candidates(candidates)

    for plan in (Plan("T", None, (test,)), Plan("T", KeyIs((A,)), (test,))):
        among = [each.id for each in index.among(plan)]
        assert len(among) == len(set(among))
        assert {each.id for each in candidates if meets(plan, each)} <= set(among)


@pytest.mark.parametrize(
    ("test", "looked"),
    [
        (KeyIs((A,)), {"r1", "r3"}),
        (KeyIn("name\0a", "name\0b"), {"r1"}),
        (DriverIs((B,)), {"r2"}),
        (IntervalIs((1, 1), low=(6, 9)), {"r3"}),
        (IdIs(frozenset({"r0", "elsewhere"})), {"r0"}),
        (AllOf((KeyIs((B,)), Not(KeyIs((A,))))), {"r2", "r3"}),
        (AnyOf((KeyIs((C,)), DriverIs((C,)))), {"r2"}),
    ],
    ids=str,
)
def test_the_index_looks_at_few(test: Test, looked: set[str]) -> None:
    index = Candidates(Candidate(f"r{n}", n, terms) for n, terms in enumerate(TERMS))

    assert {each.id for each in index.among(Plan("T", None, (UpdatedIn(), test)))} == looked
