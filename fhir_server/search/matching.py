"""Matching: whether one resource meets a plan, decided here and not by a store.

A transaction asks it of what it is about to write. The meaning of each test is that of
`storage/query.py`, to which a test holds it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

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
from fhir_server.storage.versions import Terms


@dataclass(frozen=True, slots=True)
class Candidate:
    """A live resource as far as tests look at it."""

    id: str
    updated: int
    terms: Terms


def meets(plan: Plan, candidate: Candidate) -> bool:
    """Whether a resource of the plan's type meets its driver and every test."""
    driven = plan.drive is None or holds(plan.drive, candidate)
    return driven and all(holds(test, candidate) for test in plan.tests)


def holds(test: Test, candidate: Candidate) -> bool:
    return _MEANINGS[type(test)](test, candidate)


def _key_in(test: KeyIn, candidate: Candidate) -> bool:
    low: Any = test.low
    high: Any = test.high
    kind = type(low)
    return any(type(key) is kind and low <= key < high for key in candidate.terms.keys)


def _driver_is(test: DriverIs, candidate: Candidate) -> bool:
    terms = candidate.terms
    return (
        _within(terms.start, test.start)
        and _within(terms.end, test.end)
        and _share(terms.drivers, test.drivers)
    )


def _interval_is(test: IntervalIs, candidate: Candidate) -> bool:
    return any(
        _within(key, test.key) and _within(low, test.low) and _within(high, test.high)
        for key, low, high in candidate.terms.intervals
    )


def _within(value: float, ends: tuple[float, float]) -> bool:
    return ends[0] <= value <= ends[1]


def _share(some: Iterable[Any], others: Iterable[Any]) -> bool:
    return not frozenset(some).isdisjoint(others)


_MEANINGS: Final[Mapping[type, Callable[[Any, Candidate], bool]]] = {
    KeyIs: lambda test, candidate: _share(test.keys, candidate.terms.keys),
    KeyIn: _key_in,
    DriverIs: _driver_is,
    IntervalIs: _interval_is,
    IdIs: lambda test, candidate: candidate.id in test.ids,
    UpdatedIn: lambda test, candidate: test.low <= candidate.updated < test.high,
    Not: lambda test, candidate: not holds(test.test, candidate),
    AnyOf: lambda test, candidate: any(holds(part, candidate) for part in test.tests),
    AllOf: lambda test, candidate: all(holds(part, candidate) for part in test.tests),
}
